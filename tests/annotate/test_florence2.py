"""Florence-2 on tiny random weights: the task's question, transformers' own words, old layouts."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lorawiz.annotate.florence2 import load_florence2, needs_own_code
from lorawiz.annotate.pictures import read_picture_format
from lorawiz.annotate.protocols import Captioner
from lorawiz.errors import ModelError
from lorawiz.paths import file_sha256
from tests.support.captioners import (
    FLORENCE2_SIDE_PX,
    build_florence2,
    caption_all,
    caption_table,
    edit_json,
    random_pictures,
)

PICTURES = random_pictures(16)
TASK_MARKS = {
    "short": "<CAPTION>",
    "detailed": "<DETAILED_CAPTION>",
    "more_detailed": "<MORE_DETAILED_CAPTION>",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_florence2(tmp_path_factory.mktemp("florence2") / "tiny")


@pytest.fixture
def own_folder(folder: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(folder, tmp_path / "broken"))


def load(folder: Path, **settings: Any) -> Captioner:
    return load_florence2(folder, caption_table(**settings), "tiny")


def processor_of_transformers(folder: Path) -> Any:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.florence2.processing_florence2 import Florence2Processor
    from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token="<s>", eos_token="</s>",
        pad_token="<pad>", unk_token="<unk>", extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    return Florence2Processor(CLIPImageProcessorPil.from_pretrained(folder), tokenizer)


def captions_of_transformers(folder: Path, task: str, **options: Any) -> list[str]:
    """Captions as the model's own documentation has them made, one picture at a time."""
    from transformers.models.florence2.modeling_florence2 import Florence2ForConditionalGeneration

    processor = processor_of_transformers(folder)
    model = Florence2ForConditionalGeneration.from_pretrained(folder).eval()
    texts = []
    for picture in PICTURES:
        inputs = processor(text=task, images=picture, return_tensors="pt")
        ids = model.generate(**inputs, **options)
        texts.append(processor.batch_decode(ids, skip_special_tokens=True)[0])
    return texts


@pytest.mark.parametrize("detail", list(TASK_MARKS))
def test_beam_search_says_what_transformers_says(folder: Path, detail: str) -> None:
    captions = caption_all(load(folder, beam_search=True, detail=detail), PICTURES)
    theirs = captions_of_transformers(
        folder, TASK_MARKS[detail], num_beams=3, max_length=24, min_length=5
    )
    assert captions == [one_line(text) for text in theirs]
    assert len(set(captions)) > 8


def one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def test_each_detail_asks_another_question(folder: Path) -> None:
    told = {
        detail: tuple(caption_all(load(folder, detail=detail, seed=1), PICTURES))
        for detail in TASK_MARKS
    }
    assert len(set(told.values())) == len(TASK_MARKS)


@pytest.mark.parametrize("beam_search", [False, True])
def test_captions_do_not_depend_on_the_batch(folder: Path, beam_search: bool) -> None:
    for seed in (0, 1, 42):
        captioner = load(folder, seed=seed, beam_search=beam_search)
        alone = caption_all(captioner, PICTURES, 1)
        assert caption_all(captioner, PICTURES, 3) == alone
        assert caption_all(captioner, PICTURES, 8) == alone


def test_another_seed_is_another_draw(folder: Path) -> None:
    first, second = (caption_all(load(folder, seed=seed), PICTURES) for seed in (1, 2))
    assert sum(a == b for a, b in zip(first, second, strict=True)) <= 2


def test_no_marks_are_left_in_a_caption(folder: Path) -> None:
    for caption in caption_all(load(folder, prefix="a picture of "), PICTURES):
        assert "<s>" not in caption
        assert "<loc_" not in caption
        assert caption == caption.strip()
        assert caption.isprintable()


def test_pictures_are_prepared_as_transformers_prepares_them(folder: Path) -> None:
    processor = processor_of_transformers(folder).image_processor
    random = np.random.default_rng(0)
    for size in ((1, 1), (63, 65), (64, 64), (640, 480)):
        image = Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        ours = read_picture_format(folder).prepare(image)
        theirs = np.asarray(processor(image)["pixel_values"][0])
        assert ours.shape == (3, FLORENCE2_SIDE_PX, FLORENCE2_SIDE_PX)
        assert np.abs(ours - theirs).max() < 1e-5


def test_pictures_of_other_sides_are_taken_too(own_folder: Path) -> None:
    size = {"height": 40, "width": 100}
    edit_json(own_folder / "preprocessor_config.json", lambda values: values.update(size=size))
    assert all(caption_all(load(own_folder), PICTURES[:3]))


def test_the_model_says_what_it_is(folder: Path) -> None:
    captioner = load(folder)
    assert captioner.revision == file_sha256(folder / "model.safetensors")
    assert captioner.min_side == FLORENCE2_SIDE_PX


def test_nothing_is_printed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for beam_search in (False, True):
        caption_all(load(folder, beam_search=beam_search), PICTURES[:2])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "change",
    [
        {"auto_map": {"AutoConfig": "configuration_florence2.Florence2Config"}},
        {"vision_config": {"model_type": "davit"}},
        {"text_config": {"model_type": "florence2_language"}},
    ],
)
def test_the_layout_that_needs_its_own_code_is_refused(
    own_folder: Path, change: dict[str, Any]
) -> None:
    edit_json(own_folder / "config.json", lambda values: values.update(change))
    (own_folder / "configuration_florence2.py").write_text("raise SystemExit('foreign code ran')")
    with pytest.raises(ModelError, match="runs code from the model's repository") as refused:
        load(own_folder)
    assert "florence-community/Florence-2-base" in refused.value.hint


def test_transformers_own_layout_needs_no_code(folder: Path) -> None:
    assert not needs_own_code({"vision_config": {"model_type": "florence_vision"}})
    assert needs_own_code({"vision_config": None, "auto_map": {}})


def test_a_tokenizer_of_another_model_is_named(own_folder: Path) -> None:
    path = own_folder / "tokenizer.json"
    path.write_text(path.read_text("utf-8").replace('"</s>"', '"<end>"'), "utf-8")
    with pytest.raises(ModelError, match="no </s>, so not Florence-2's tokenizer"):
        load(own_folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json", "config.json"])
def test_missing_files_are_named(own_folder: Path, name: str) -> None:
    (own_folder / name).unlink()
    with pytest.raises(ModelError, match=f"no {name}"):
        load(own_folder)
