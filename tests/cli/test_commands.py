"""The commands as a newcomer types them, wrong inputs included."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lorawiz.cli.main import app
from lorawiz.dataset.records import load_dataset
from tests.cli.runner import lorawiz
from tests.support.projects import link_base, make_project, save_photo

COMMANDS = [c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for index in range(3):
        save_photo(folder / f"IMG_{index}.jpg", (600, 700), seed=index)
        (folder / f"IMG_{index}.caption").write_text("a woman\n")
        (folder / f"IMG_{index}.txt").write_text("lyq, smile\n")
    return folder


def test_new_add_check_make_a_project_that_git_takes(
    tmp_path: Path, photos: Path, tiny_base: Path
) -> None:
    made = lorawiz(
        "new", "face-lora", "lyq", "--trigger", "lyq", "--class-word", "woman", "--images", str(photos),
        "--base", str(tiny_base), "--set", "train.mixed_precision=no", "--set", "train.max_train_epochs=60",
        cwd=tmp_path,
    )  # fmt: skip
    assert made.code == 0, made.err
    assert "lyq: a project from face-lora" in made.out
    assert "3 added, 3 with captions or tags" in made.err
    project = tmp_path / "lyq"
    spec = tomllib.loads((project / "lorawiz.toml").read_text())
    assert spec["base"]["checkpoint"] == "tiny"
    assert len(spec["base"]["sha256"]) == 64
    assert str(tmp_path) not in (project / "lorawiz.toml").read_text()
    checked = lorawiz("check", cwd=project)
    assert checked.code == 0, checked.out
    assert "3 images × 2 ÷ batch 1 = 6 steps an epoch, 60 epochs" in checked.out
    subprocess.run(["git", "init", "-q", "."], cwd=project, check=True)
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == [".gitignore", "dataset.jsonl", "lorawiz.toml"]


def test_new_without_a_terminal_asks_nothing(tmp_path: Path) -> None:
    made = lorawiz("new", "face-lora", cwd=tmp_path)
    assert made.code == 0, made.err
    assert "next: cd face-lora && lorawiz add PHOTOS…" in made.out
    checked = lorawiz("check", cwd=tmp_path / "face-lora")
    assert checked.code == 2
    assert "[images-none]" in checked.out
    assert "[base-unset]" in checked.out


def test_new_does_not_touch_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".gitignore").write_text("mine\n")
    made = lorawiz("new", "face-lora", "mine", cwd=tmp_path)
    assert made.code == 2
    assert "is there already" in made.err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == [".gitignore"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--base", "none.safetensors"], "no such model"),
        (["--base", "old.ckpt"], "pickled checkpoint"),
        (["--images", "nowhere"], "no such file or folder"),
        (["--set", "train.sed=1"], "did you mean train.seed?"),
        (["--set", "train.seed"], "not KEY=VALUE"),
        (["--name", "a/b"], "project.name"),
    ],
)
def test_new_with_a_wrong_input_makes_nothing(tmp_path: Path, flags: list[str], said: str) -> None:
    (tmp_path / "old.ckpt").write_bytes(b"PK\x03\x04")
    made = lorawiz("new", "face-lora", "lyq", *flags, cwd=tmp_path)
    assert made.code == 2
    assert said in made.err
    assert "Traceback" not in made.err
    assert not (tmp_path / "lyq").exists()


def test_add_tells_what_it_did(tmp_path: Path, photos: Path) -> None:
    project = make_project(tmp_path / "p", num_images=0)
    (photos / "broken.jpg").write_bytes(b"no image")
    added = lorawiz("add", str(photos), "--json", cwd=project.root)
    assert added.code == 0
    told = json.loads(added.out)
    assert told["added"] == [f"images/{n}.jpg" for n in ("IMG_0", "IMG_1", "IMG_2", "broken")]
    assert "not an image" in told["broken"]["images/broken.jpg"]
    assert "1 broken" in added.err
    again = lorawiz("add", str(photos), cwd=project.root)
    assert "0 added, 4 already there" in again.err


def test_add_brings_class_images_into_a_subset(tmp_path: Path, photos: Path) -> None:
    project = make_project(tmp_path / "p", num_images=1)
    added = lorawiz("add", str(photos), "--subset", "class", "--reg", cwd=project.root)
    assert added.code == 0
    assert "lorawiz.toml: [[dataset.subsets]] images/class" in added.err
    assert project.spec.read_text().endswith(
        '\n[[dataset.subsets]]\nimage_dir = "images/class"\nis_reg = true\n'
    )
    shown = lorawiz("get", "dataset.subsets", cwd=project.root).out
    assert shown.startswith('dataset.subsets.1 = {"image_dir": "images/class"')
    plan = json.loads(lorawiz("check", "--json", cwd=project.root).out)["plan"]
    assert (plan["num_images"], plan["num_class_images"]) == (1, 3)
    prompts = lorawiz("prompts", cwd=project.root).out
    assert "IMG_1.jpg" not in prompts, "one photo, so one class image an epoch"
    assert "IMG_0.jpg" in prompts


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--reg"], "--reg needs --subset NAME"),
        (["--subset", "../up"], "--subset ../up: not the name of a folder"),
        (["--subset", ".git"], "not the name of a folder"),
    ],
)
def test_add_with_a_wrong_subset_brings_nothing(
    tmp_path: Path, photos: Path, flags: list[str], said: str
) -> None:
    project = make_project(tmp_path / "p", num_images=0)
    before = project.spec.read_text()
    added = lorawiz("add", str(photos), *flags, cwd=project.root)
    assert added.code == 2
    assert said in added.err
    assert not list(project.images.rglob("*.jpg"))
    assert project.spec.read_text() == before


def test_add_names_a_caption_that_is_not_utf8_and_brings_the_image_in_without_words(
    tmp_path: Path, photos: Path
) -> None:
    project = make_project(tmp_path / "p", num_images=0)
    (photos / "IMG_1.caption").write_bytes(b"caf\xe9")
    added = lorawiz("add", str(photos), cwd=project.root)
    assert added.code == 2
    assert "IMG_1.caption:1: not UTF-8" in added.err
    assert "iconv" in added.err
    records = load_dataset(project.dataset).records
    assert [(Path(r.image_path).name, r.caption) for r in records if "IMG_1" in r.image_path] == [
        ("IMG_1.jpg", "")
    ]


def test_set_get_unset(tmp_path: Path) -> None:
    project = make_project(tmp_path, num_images=0)
    assert (
        lorawiz("set", "train.seed", "7", cwd=project.root).out == "train.seed = 7      (was 42)\n"
    )
    assert lorawiz("get", "train.seed", cwd=project.root).out == "7\n"
    assert json.loads(lorawiz("get", "network", "--json", cwd=project.root).out)["network.dim"] == 4
    assert (
        lorawiz("unset", "train.seed", cwd=project.root).out
        == "train.seed = 42      (the default)\n"
    )
    wrong = lorawiz("set", "train.sed", "7", cwd=project.root)
    assert (wrong.code, "did you mean train.seed?" in wrong.err) == (2, True)


def test_set_base_pins_the_hash(tmp_path: Path, tiny_base: Path) -> None:
    project = make_project(tmp_path, num_images=0)
    answer = lorawiz("set", "base.checkpoint", str(tiny_base), cwd=project.root)
    assert answer.code == 0, answer.err
    assert (project.models / "tiny").is_symlink()
    assert len(lorawiz("get", "base.sha256", cwd=project.root).out.strip()) == 64


def test_a_misspelt_key_is_named_with_its_line(tmp_path: Path) -> None:
    project = make_project(tmp_path, num_images=0)
    project.spec.write_text("schema = 1\n[train]\nlearning_rte = 1e-4\n")
    for command in ("check", "run", "get"):
        answer = lorawiz(command, cwd=project.root)
        assert answer.code == 2
        assert "lorawiz.toml:3: train.learning_rte: unknown setting" in answer.err
        assert "did you mean learning_rate?" in answer.err


@pytest.mark.parametrize(
    "command", ["check", "run", "status", "attach", "stop", "logs", "get", "add ."]
)
def test_outside_a_project_every_command_says_so(tmp_path: Path, command: str) -> None:
    answer = lorawiz(*command.split(), cwd=tmp_path)
    assert answer.code == 2
    assert "no lorawiz.toml here or above" in answer.err
    assert "lorawiz new face-lora" in answer.err


def test_runs_that_are_not_there_are_a_sentence(tmp_path: Path) -> None:
    project = make_project(tmp_path, num_images=0)
    assert "no runs yet" in lorawiz("attach", cwd=project.root).err
    assert "no such run" in lorawiz("logs", "x-0001", cwd=project.root).err
    assert "no run to resume" in lorawiz("run", "--resume", cwd=project.root).err
    assert lorawiz("status", "--json", cwd=project.root).out == "[]\n"


def test_a_run_that_cannot_start_says_why_and_makes_no_folder(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    answer = lorawiz("run", cwd=project.root)
    assert answer.code == 2
    assert "[base-unset]" in answer.err
    assert not project.runs.exists()


def test_a_dry_run_prints_the_plan_and_starts_nothing(tmp_path: Path, tiny_base: Path) -> None:
    project = make_project(tmp_path)
    link_base(project, tiny_base)
    answer = lorawiz(
        "run", "--dry-run", "--json", "--set", "train.max_train_steps=7", cwd=project.root
    )
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["plan"]["total_steps"] == 7
    assert not project.runs.exists()


def test_lorawiz_alone_says_what_is_next(tmp_path: Path) -> None:
    assert "Usage" in lorawiz(cwd=tmp_path).out
    project = make_project(tmp_path / "p", num_images=0)
    assert "lorawiz add PHOTOS…" in lorawiz(cwd=project.root).out
    assert "lorawiz add PHOTOS…" in lorawiz("--project", str(project.root), cwd=tmp_path).out


def test_doctor_answers_in_json(tmp_path: Path) -> None:
    answer = lorawiz("doctor", "--json", cwd=tmp_path)
    assert answer.code == 0
    names = {each["name"]: each["state"] for each in json.loads(answer.out)}
    assert names["torch"] == "ok"
    assert {"memory", "disk here", "terminal", "attention", "model hub"} <= set(names)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(tmp_path: Path, command: str) -> None:
    answer = lorawiz(command, "--help", cwd=tmp_path)
    assert answer.code == 0
    assert f"lorawiz {command}" in answer.out.partition("Usage")[2].partition("\n")[2]


@pytest.mark.parametrize("arguments", [["runn"], ["set", "x"], ["run", "--nope"]])
def test_a_usage_error_is_2_without_a_traceback(tmp_path: Path, arguments: list[str]) -> None:
    answer = lorawiz(*arguments, cwd=tmp_path)
    assert answer.code == 2
    assert "Traceback" not in answer.err
    assert answer.out == ""


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.argv = ['lorawiz', '--help']\n"
        "from lorawiz.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'textual', 'pydantic', 'PIL', 'numpy', 'tokenizers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


def test_check_and_review_commands_never_import_torch(tmp_path: Path, tiny_base: Path) -> None:
    project = make_project(tmp_path)
    link_base(project, tiny_base)
    for arguments in (["check"], ["get"], ["status"], ["run", "--dry-run"], []):
        code = (
            f"import sys\nsys.argv = ['lorawiz', *{arguments!r}]\n"
            "from lorawiz.cli import main\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
        )
        subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=project.root, capture_output=True
        )


def test_a_bug_is_told_as_one_and_kept_in_the_log(tmp_path: Path) -> None:
    project = make_project(tmp_path, num_images=0)
    code = (
        "import sys\nsys.argv = ['lorawiz', 'status']\n"
        "import lorawiz.runs.folder as folder\n"
        "def fail(project): raise ZeroDivisionError('odd')\n"
        "folder.list_runs = fail\n"
        "from lorawiz.cli import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "this is a bug in lorawiz: ZeroDivisionError: odd" in done.stderr
    assert "Traceback" not in done.stderr
    log = Path(done.stderr.strip().rpartition("the traceback is in ")[2])
    assert "ZeroDivisionError: odd" in log.read_text()
