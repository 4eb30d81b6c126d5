"""Taggers: tiny models in the layouts of the real ones, exact input, errors that name the line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorawiz.annotate.cl_tagger import load_cl_tagger
from lorawiz.annotate.onnx import choose_providers
from lorawiz.annotate.protocols import MIN_SCORE, Tagger
from lorawiz.annotate.wd14 import load_wd14, read_labels
from lorawiz.errors import LorawizError, ModelError
from lorawiz.spec.annotating import TagTable
from tests.support.taggers import LABELS, build_cl_tagger, build_wd14

TABLE = TagTable()


@pytest.fixture(scope="module")
def wd14_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wd14(tmp_path_factory.mktemp("wd14"), side=64)


@pytest.fixture(scope="module")
def cl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cl_tagger(tmp_path_factory.mktemp("cl"), side=64)


def pictures(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(5)
    sizes = [(80, 120), (200, 90), (64, 64), (30, 50), (128, 128)]
    return [
        Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize(
            sizes[index % len(sizes)], Image.Resampling.BICUBIC
        )
        for index in range(count)
    ]


def scores_of(tagger: Tagger, images: list[Image.Image]) -> list[dict[str, float]]:
    return tagger.run([tagger.prepare(image) for image in images], [""] * len(images))


def test_the_input_is_blue_first_on_white_and_unscaled(wd14_folder: Path) -> None:
    tagger = load_wd14(wd14_folder, TABLE, "tiny")
    square = tagger.prepare(Image.new("RGB", (64, 32), (10, 20, 30)))
    assert square.shape == (64, 64, 3)
    assert square.dtype == np.float32
    assert square[32, 5].tolist() == [30.0, 20.0, 10.0]
    assert square[15].min() == 255.0
    assert square[16].max() == 30.0
    odd = tagger.prepare(Image.new("RGB", (64, 33), "black"))
    # the odd row of padding goes below
    assert (odd[:15].min(), odd[15].max(), odd[48:].min()) == (255.0, 0.0, 255.0)


def test_a_small_picture_is_enlarged_smoothly(wd14_folder: Path) -> None:
    tagger = load_wd14(wd14_folder, TABLE, "tiny")
    image = pictures(4)[3]
    canvas = Image.new("RGB", (50, 50), "white")
    canvas.paste(image, (10, 0))
    expected = np.asarray(canvas.resize((64, 64), Image.Resampling.LANCZOS))[:, :, ::-1]
    assert np.array_equal(tagger.prepare(image), expected.astype(np.float32))


def test_scores_are_by_name_whatever_the_order_of_the_table(tmp_path: Path) -> None:
    shuffled = [LABELS[i] for i in (8, 15, 0, 4, 14, 1, 5)]
    tagger = load_wd14(build_wd14(tmp_path, shuffled, side=64), TABLE, "tiny")
    assert [(label.name, label.category) for label in tagger.labels][:3] == [
        ("^_^", "general"), ("bob", "character"), ("general", "rating"),
    ]  # fmt: skip
    (scores,) = scores_of(tagger, pictures(1))
    assert list(scores) == [name for name, _ in shuffled if name in scores]
    assert all(MIN_SCORE <= score <= 1 for score in scores.values())
    assert len(scores) > 2


@pytest.mark.parametrize("fixture", ["wd14_folder", "cl_folder"])
def test_scores_do_not_depend_on_the_batch(fixture: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(fixture)
    load = load_wd14 if fixture == "wd14_folder" else load_cl_tagger
    tagger = load(folder, TABLE, "tiny")
    images = pictures(7)
    one_by_one = [scores_of(tagger, [image])[0] for image in images]
    for single, together in zip(one_by_one, scores_of(tagger, images), strict=True):
        assert list(single) == list(together)
        assert single == pytest.approx(together, abs=1e-6)


def test_a_model_of_a_fixed_batch_is_run_several_times(tmp_path: Path, wd14_folder: Path) -> None:
    fixed = load_wd14(build_wd14(tmp_path, side=64, batch=2), TABLE, "tiny")
    free = load_wd14(wd14_folder, TABLE, "tiny")
    images = pictures(5)
    for one, other in zip(scores_of(fixed, images), scores_of(free, images), strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_cl_tagger_gives_logits_surest_first(cl_folder: Path) -> None:
    tagger = load_cl_tagger(cl_folder, TABLE, "tiny")
    assert {label.category for label in tagger.labels} >= {"quality", "rating", "character"}
    (scores,) = scores_of(tagger, pictures(1))
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert all(0 < score < 1 for score in scores.values())


def test_numbers_that_a_mapping_leaves_out_have_no_name(cl_folder: Path, tmp_path: Path) -> None:
    mapping = json.loads((cl_folder / "tag_mapping.json").read_text())
    del mapping["5"]
    (tmp_path / "tag_mapping.json").write_text(json.dumps(mapping))
    (tmp_path / "model_optimized.onnx").symlink_to(cl_folder / "model_optimized.onnx")
    tagger = load_cl_tagger(tmp_path, TABLE, "tiny")
    for scores in scores_of(tagger, pictures(3)):
        assert "" not in scores
        assert "long_hair" not in scores


def test_draft_decoding_is_asked_for_unless_the_spec_wants_every_pixel(wd14_folder: Path) -> None:
    assert load_wd14(wd14_folder, TABLE, "tiny").min_side == 48
    assert load_wd14(wd14_folder, TagTable(full_decode=True), "tiny").min_side is None


@pytest.mark.parametrize(("text", "said"), [
    ("", r":1: not a table of tags"),
    ("name,tag_id,category\n", r":1: not a table of tags"),
    ("tag_id,name,category,count\n0,a,9,1\n1,b,7,1\n", r":3: category 7, not one of 0, 1, 3"),
    ("tag_id,name,category\n0,a\n", r":2: category none"),
])  # fmt: skip
def test_a_wrong_table_is_named_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "selected_tags.csv").write_text(text)
    with pytest.raises(ModelError, match=said):
        read_labels(tmp_path / "selected_tags.csv")


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "selected_tags.csv").write_bytes(b"tag_id,name,category\n0,caf\xe9,0\n")
    with pytest.raises(ModelError, match="cannot be read"):
        read_labels(tmp_path / "selected_tags.csv")


@pytest.mark.parametrize(("text", "said"), [
    ("{", "not JSON"),
    ("[]", "not a table"),
    ('{"x": {"tag": "a", "category": "General"}}', "not a number"),
    ('{"0": {"category": "General"}}', "tag 0: has no tag"),
    ('{"0": {"tag": "a", "category": "Colour"}}', "category Colour, not one of"),
])  # fmt: skip
def test_a_wrong_mapping_is_named(cl_folder: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "model_optimized.onnx").symlink_to(cl_folder / "model_optimized.onnx")
    (tmp_path / "tag_mapping.json").write_text(text)
    with pytest.raises(ModelError, match=said):
        load_cl_tagger(tmp_path, TABLE, "tiny")


def test_a_table_of_another_version_is_found_out(wd14_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to(wd14_folder / "model.onnx")
    lines = (wd14_folder / "selected_tags.csv").read_text().splitlines()
    (tmp_path / "selected_tags.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(ModelError, match=r"gives 16 scores, but its table has 15 tags"):
        load_wd14(tmp_path, TABLE, "tiny")


@pytest.mark.parametrize("content", [b"", b"torn", b"\x08\x07\x12\x00"])
def test_a_damaged_model_is_one_sentence(wd14_folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    (tmp_path / "selected_tags.csv").symlink_to(wd14_folder / "selected_tags.csv")
    with pytest.raises(ModelError, match="onnxruntime cannot load it") as caught:
        load_wd14(tmp_path, TABLE, "tiny")
    assert "\n" not in caught.value.message


def test_the_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert choose_providers(both, "auto")[0] == ("CUDAExecutionProvider", {"device_id": 3})
    assert choose_providers(both, "cpu") == ["CPUExecutionProvider"]
    assert choose_providers(both[1:], "auto") == ["CPUExecutionProvider"]
    with pytest.raises(LorawizError, match="has no CUDA") as caught:
        choose_providers(both[1:], "cuda")
    assert "onnxruntime-gpu" in caught.value.hint


def test_where_it_runs_is_said_aloud(wd14_folder: Path) -> None:
    assert load_wd14(wd14_folder, TABLE, "tiny").device == "CPU"
