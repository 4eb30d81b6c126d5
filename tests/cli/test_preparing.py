"""crop, cutout, caption, tag, clean, undo: as a newcomer types them, wrong inputs included."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lorawiz.dataset.records import Hand, load_dataset, save_dataset
from lorawiz.paths import Project
from tests.cli.runner import lorawiz
from tests.support.hub import serve_hub
from tests.support.projects import make_project, save_photo
from tests.support.taggers import build_wd14

PHOTOS = Path(__file__).parents[2] / "lorawiz" / "demo" / "photos"


def face_project(folder: Path) -> Project:
    """Three crops of a portrait and a picture without a face."""
    project = make_project(folder, num_images=0)
    photos = sorted(PHOTOS.glob("*.jpg"))[:3]
    nobody = save_photo(folder / "nobody.png", (300, 400))
    added = lorawiz("add", *map(str, [*photos, nobody]), cwd=project.root)
    assert added.code == 0, added.err
    return project


@pytest.fixture
def tagged(tmp_path: Path) -> Project:
    project = make_project(tmp_path, 3, {"tag.model": "tiny"}, tags=(), caption="")
    build_wd14(project.models / "tiny", side=64)
    answer = lorawiz("tag", cwd=project.root)
    assert answer.code == 0, answer.err
    assert "3 images tagged; tiny on CPU" in answer.err
    return project


def test_crop_finds_the_faces_and_undo_takes_the_boxes_back(tmp_path: Path) -> None:
    project = face_project(tmp_path)
    before = project.dataset.read_bytes()
    dry = lorawiz("crop", "--dry-run", "--preview", "sheet.png", cwd=project.root)
    assert (dry.code, project.dataset.read_bytes()) == (0, before)
    assert "crops would be set" in dry.err
    assert "faces: 3 with one, 1 with none; smallest" in dry.err
    with Image.open(project.root / "sheet.png") as sheet:
        assert min(sheet.size) > 200
    crop = lorawiz("crop", "--json", cwd=project.root)
    told = json.loads(crop.out)
    assert (told["done"], told["known"]) == (0, 4)
    cropped = [record for record in load_dataset(project.dataset).records if record.crop]
    assert len(cropped) == told["changed"] >= 2
    assert "undo: crop" in lorawiz("undo", cwd=project.root).out
    assert project.dataset.read_bytes() == before
    assert "redo: crop" in lorawiz("redo", cwd=project.root).out
    assert lorawiz("redo", cwd=project.root).code == 2


def test_boxes_by_hand_stay(tmp_path: Path) -> None:
    """A box that was moved, taken away or set in an editor is not the detector's any more."""
    project = face_project(tmp_path)
    assert lorawiz("crop", cwd=project.root).code == 0
    dataset = load_dataset(project.dataset)
    cropped = [record for record in dataset.records if record.crop]
    moved = replace(cropped[0], crop=(0, 0, 9, 9))
    gone = replace(cropped[1], crop=None)
    set_by_screen = replace(dataset.records[-1], crop=(1, 1, 50, 50), hand=Hand(crop=True))
    save_dataset(project.dataset, dataset.with_records([moved, gone, set_by_screen]))
    lorawiz("set", "crop.margin", "0.1", cwd=project.root)
    assert lorawiz("crop", "--redo", cwd=project.root).code == 0
    after = {record.image_path: record.crop for record in load_dataset(project.dataset).records}
    assert after[moved.image_path] == (0, 0, 9, 9)
    assert after[gone.image_path] is None
    assert after[set_by_screen.image_path] == (1, 1, 50, 50)
    others = [record for record in cropped[2:]]
    assert all(after[record.image_path] != record.crop for record in others)


def test_cutout_masks_and_a_lost_mask_is_made_again(tmp_path: Path) -> None:
    project = face_project(tmp_path)
    first = lorawiz("cutout", cwd=project.root)
    assert first.code == 0
    assert "4 images masked; selfie on CPU" in first.err
    assert "training keeps the background" in first.err
    records = load_dataset(project.dataset).records
    assert all(len(record.mask) == 64 for record in records)
    lorawiz("set", "cutout.background", "white", cwd=project.root)
    mask = project.masks / "astronaut-02.jpg.png"
    whole = mask.read_bytes()
    for damage in (b"torn", None):
        mask.unlink() if damage is None else mask.write_bytes(damage)
        checked = lorawiz("check", "--json", cwd=project.root)
        codes = {each["code"]: each for each in json.loads(checked.out)["findings"]}
        assert "astronaut-02.jpg" in codes["masks-missing"]["message"]
        again = lorawiz("cutout", cwd=project.root)
        assert "1 image masked, 3 before" in again.err
        assert mask.read_bytes() == whole


def test_a_model_that_is_not_set_is_said_with_the_command(tmp_path: Path) -> None:
    project = make_project(tmp_path, 1)
    for command, key in (("tag", "tag.model"), ("caption", "caption.model")):
        answer = lorawiz(command, cwd=project.root)
        assert answer.code == 2
        assert f"{key} is 'none'" in answer.err
        assert f"lorawiz set {key} " in answer.err


def test_a_model_that_cannot_be_had_names_files_and_folder(tmp_path: Path) -> None:
    project = make_project(tmp_path, 1, {"tag.model": "SmilingWolf/wd-swinv2-tagger-v3"})
    offline = lorawiz("tag", cwd=project.root)
    assert offline.code == 2
    assert "not on this machine" in offline.err
    assert "models/SmilingWolf/wd-swinv2-tagger-v3/" in offline.err
    unreachable = lorawiz(
        "tag", cwd=project.root, HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:9"
    )
    assert unreachable.code == 2, unreachable.err
    assert "not to be had from http://127.0.0.1:9" in unreachable.err
    assert "model.onnx and selected_tags.csv" in unreachable.err


def test_a_tagger_is_fetched_with_its_size_said_first(tmp_path: Path) -> None:
    project = make_project(
        tmp_path / "project", 2, {"tag.model": "owner/tiny"}, tags=(), caption=""
    )
    hub = tmp_path / "hub"
    build_wd14(hub, side=64)
    (hub / "model.msgpack").write_bytes(b"not wanted" * 1000)
    with serve_hub("owner/tiny", hub) as address:
        fetched = lorawiz(
            "tag", cwd=project.root, HF_HUB_OFFLINE="0", HF_ENDPOINT=address, HF_HUB_DISABLE_XET="1"
        )
    assert fetched.code == 0, fetched.err
    assert "fetching owner/tiny: " in fetched.err
    assert " kB" in fetched.err
    assert "2 images tagged" in fetched.err
    # and then nothing touches the network
    assert lorawiz("tag", "--redo", cwd=project.root).code == 0
    assert not list(Path(os.environ["HF_HOME"]).rglob("*.msgpack"))


def test_a_broken_image_is_named_and_the_others_are_tagged(tmp_path: Path) -> None:
    project = make_project(tmp_path, 3, {"tag.model": "tiny"}, tags=(), caption="")
    build_wd14(project.models / "tiny", side=64)
    (project.images / "IMG_0001.jpg").write_bytes(b"")
    answer = lorawiz("tag", cwd=project.root)
    assert answer.code == 2
    assert "2 images tagged, 1 failed" in answer.err
    assert "images/IMG_0001.jpg: " in answer.err
    assert [bool(r.tags) for r in load_dataset(project.dataset).records] == [True, False, True]


def test_words_that_came_with_an_image_are_left_alone_until_all_are_asked_for(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path, 2, {"tag.model": "tiny"}, tags=("mine",), caption="my caption")
    build_wd14(project.models / "tiny", side=64)
    save_photo(tmp_path / "new.jpg", seed=7)
    lorawiz("add", str(tmp_path / "new.jpg"), cwd=project.root)
    before = project.dataset.read_text().splitlines()
    answer = lorawiz("tag", cwd=project.root)
    assert "1 image tagged" in answer.err
    assert "2 have their own and were left alone (--redo for all)" in answer.err
    assert project.dataset.read_text().splitlines()[:2] == before[:2]
    assert lorawiz("tag", "--redo", cwd=project.root).code == 0
    record = load_dataset(project.dataset).records[0]
    assert "mine" not in record.tags
    assert record.source is not None
    assert (record.caption, record.source.tags) == ("my caption", ("mine",))
    lorawiz("undo", cwd=project.root)
    assert project.dataset.read_text().splitlines()[:2] == before[:2]


def test_cleaning_shows_its_difference_before_it_makes_it(tagged: Project) -> None:
    tag = load_dataset(tagged.dataset).records[0].tags[0]
    rules = f'\n[[clean]]\nrule = "remove"\ntags = ["{tag}"]\n[[clean]]\nrule = "prepend"\ntags = ["{{trigger}}"]\n'
    tagged.spec.write_text(tagged.spec.read_text() + rules)
    before = tagged.dataset.read_bytes()
    dry = lorawiz("clean", "--dry-run", cwd=tagged.root)
    assert dry.code == 0
    assert f"rule 1 remove: {tag} from" in dry.out
    assert "rule 2 prepend: lyq to 3 images" in dry.out
    assert f"IMG_0000.jpg  -{tag}  +lyq" in dry.out
    assert "3 images would change" in dry.out
    assert tagged.dataset.read_bytes() == before
    due = json.loads(lorawiz("check", "--json", cwd=tagged.root).out)["findings"]
    assert "clean-due" in {each["code"] for each in due}
    told = json.loads(lorawiz("clean", "--json", cwd=tagged.root).out)
    assert len(told["changes"]) == 3
    assert told["rules"][1]["added"] == {"lyq": 3}
    assert all(r.tags[0] == "lyq" for r in load_dataset(tagged.dataset).records)
    assert "0 images changed" in lorawiz("clean", cwd=tagged.root).out
    lorawiz("undo", cwd=tagged.root)
    assert tagged.dataset.read_bytes() == before


def test_the_report_counts_tags(tagged: Project) -> None:
    report = lorawiz("clean", "--report", cwd=tagged.root)
    assert report.code == 0
    assert "in 3 images" in report.out
    assert "tokens, half of them up to" in report.out
    told = json.loads(lorawiz("clean", "--report", "--json", cwd=tagged.root).out)
    assert told["num_tagged"] == 3
    assert len(told["prompt_tokens"]) == 3
    assert told["tags"][0]["num_images"] >= told["tags"][-1]["num_images"]


def test_a_wrong_rule_is_named_by_its_line(tagged: Project) -> None:
    line = tagged.spec.read_text().count("\n") + 2
    tagged.spec.write_text(tagged.spec.read_text() + '\n[[clean]]\nrule = "remov"\ntags = ["x"]\n')
    wrong = lorawiz("clean", cwd=tagged.root)
    assert wrong.code == 2
    assert f'lorawiz.toml:{line}: [[clean]]: rule = "remov": unknown rule' in wrong.err
    assert 'did you mean rule = "remove"?' in wrong.err


def test_without_images_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    project = make_project(tmp_path, 0)
    answer = lorawiz("crop", cwd=project.root)
    assert (answer.code, "lorawiz add PHOTOS…" in answer.err) == (2, True)


def test_tagging_imports_no_torch(tmp_path: Path) -> None:
    project = make_project(tmp_path, 1, {"tag.model": "tiny"}, tags=(), caption="")
    build_wd14(project.models / "tiny", side=64)
    program = (
        "import sys\n"
        "from lorawiz.cli.main import app\n"
        "for command in (['tag'], ['crop'], ['cutout'], ['clean', '--report']):\n"
        "    app(command, standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'diffusers', 'textual', 'huggingface_hub'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
