"""BLIP on tiny random weights: transformers' own words, whatever the batch; folders that fail."""

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lorawiz.annotate.blip import BlipWriter, load_bert_tokenizer, load_blip
from lorawiz.annotate.captioning import TorchCaptioner, as_one_line
from lorawiz.annotate.pictures import parse_picture_format, read_picture_format
from lorawiz.annotate.pretrained import Place, Pretrained, choose_place
from lorawiz.annotate.sampling import SeededDraw
from lorawiz.errors import LorawizError, ModelError, SpecError
from lorawiz.paths import file_sha256
from tests.support.captioners import (
    build_blip,
    caption_all,
    caption_table,
    edit_json,
    keys_of,
    random_pictures,
    write_json,
)

PICTURES = random_pictures(16)
ODD_PREFIXES = [
    "", "   ", "A Photo  of ", "a café", "the cat's hair, ", "a photo of 日本 ☃", "[SEP] a ",
    "photo\nof a woman", "standings", "a picture of sea",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_blip(tmp_path_factory.mktemp("blip") / "tiny")


@pytest.fixture
def own_folder(folder: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(folder, tmp_path / "broken"))


def load(folder: Path, **settings: Any) -> TorchCaptioner:
    captioner = load_blip(folder, caption_table(**settings), "tiny")
    assert isinstance(captioner, TorchCaptioner)
    return captioner


def load_of_transformers(folder: Path) -> tuple[Any, Any, Any]:
    """Their picture processor, tokenizer and model."""
    from transformers.models.bert.tokenization_bert import BertTokenizer
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
    from transformers.models.blip.modeling_blip import BlipForConditionalGeneration

    return (
        BlipImageProcessorPil.from_pretrained(folder),
        BertTokenizer.from_pretrained(folder),
        BlipForConditionalGeneration.from_pretrained(folder).eval(),
    )


def captions_of_transformers(folder: Path, prefix: str, **options: Any) -> list[str]:
    """Captions as the model's own documentation has them made, one picture at a time."""
    import torch

    processor, tokenizer, model = load_of_transformers(folder)
    prompt = tokenizer(prefix, return_tensors="pt")
    texts = []
    for picture in PICTURES:
        pixels = torch.tensor(np.stack(processor(picture)["pixel_values"]))
        ids = model.generate(
            pixel_values=pixels, input_ids=prompt.input_ids.clone(),
            attention_mask=prompt.attention_mask, **options,
        )  # fmt: skip
        texts.append(tokenizer.decode(ids[0], skip_special_tokens=True))
    return texts


def test_beam_search_says_what_transformers_says(folder: Path) -> None:
    captions = caption_all(load(folder, beam_search=True), PICTURES)
    theirs = captions_of_transformers(
        folder, "a picture of ", num_beams=3, max_length=24, min_length=5
    )
    assert captions == [text.removeprefix("a picture of").strip() for text in theirs]
    assert len(set(captions)) > 10


def test_words_are_drawn_from_the_scores_that_transformers_samples_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    seen: list[torch.Tensor] = []
    draw = SeededDraw.__call__

    def record(self: SeededDraw, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        seen.append(scores)
        return draw(self, ids, scores)

    monkeypatch.setattr(SeededDraw, "__call__", record)
    ours = load(folder)
    ours.run([ours.prepare(PICTURES[0])], ["k"])
    processor, tokenizer, model = load_of_transformers(folder)
    prompt = tokenizer("a picture of ", return_tensors="pt").input_ids
    theirs = model.generate(
        pixel_values=torch.tensor(np.stack(processor(PICTURES[0])["pixel_values"])),
        input_ids=prompt, do_sample=True, top_p=0.9, top_k=50, repetition_penalty=1.1,
        max_length=24, min_length=5, output_scores=True, return_dict_in_generate=True,
    )  # fmt: skip
    assert torch.allclose(seen[0], theirs.scores[0], atol=1e-5)
    assert torch.isinf(seen[0]).any()


@pytest.mark.parametrize("beam_search", [False, True])
def test_captions_do_not_depend_on_the_batch(folder: Path, beam_search: bool) -> None:
    for seed in (0, 1, 42):
        captioner = load(folder, seed=seed, beam_search=beam_search)
        alone = caption_all(captioner, PICTURES, 1)
        assert caption_all(captioner, PICTURES, 3) == alone
        assert caption_all(captioner, PICTURES, 8) == alone


def test_captions_do_not_depend_on_the_order(folder: Path) -> None:
    captioner = load(folder)
    inputs, keys = [captioner.prepare(each) for each in PICTURES], keys_of(PICTURES)
    forwards = captioner.run(inputs, keys)
    assert captioner.run(inputs[::-1], keys[::-1]) == forwards[::-1]
    assert captioner.run([], []) == []


def test_another_seed_or_image_is_another_draw(folder: Path) -> None:
    first, second = (caption_all(load(folder, seed=seed), PICTURES) for seed in (1, 2))
    assert sum(a == b for a, b in zip(first, second, strict=True)) <= 2
    captioner = load(folder, seed=1)
    same_picture = captioner.run([captioner.prepare(PICTURES[0])] * 8, keys_of(PICTURES)[:8])
    assert len(set(same_picture)) > 4


@pytest.mark.parametrize("prefix", ODD_PREFIXES)
def test_the_prefix_begins_the_sentence_and_is_taken_off_again(folder: Path, prefix: str) -> None:
    captioner = load(folder, prefix=prefix, beam_search=True)
    captions = caption_all(captioner, PICTURES)
    # [SEP] in a prefix is text for lorawiz and a mark for transformers, so it is spelt apart
    whole = captions_of_transformers(
        folder, prefix.replace("[SEP]", "[ SEP ]"), num_beams=3, max_length=24, min_length=5
    )
    _, tokenizer, _ = load_of_transformers(folder)
    ids = tokenizer(prefix.replace("[SEP]", "[ SEP ]"), add_special_tokens=False).input_ids
    begun = tokenizer.decode(ids, skip_special_tokens=True)
    assert all(text.startswith(begun) for text in whole)
    assert captions == [" ".join(text[len(begun) :].split()) for text in whole]


def test_a_prefix_that_fills_the_caption_is_refused(folder: Path) -> None:
    with pytest.raises(SpecError, match="takes 4 tokens") as refused:
        load(folder, max_length=4, min_length=0)
    assert "lorawiz set caption.max_length" in refused.value.hint


def test_lengths_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    read = BlipWriter._read

    def count(self: BlipWriter, ids: list[int]) -> str:
        lengths.append(sum(each != 0 for each in ids))
        return read(self, ids)

    monkeypatch.setattr(BlipWriter, "_read", count)
    for seed in range(4):
        caption_all(load(folder, min_length=12, max_length=18, seed=seed), PICTURES)
    # the end mark may follow on the 12th token, and is one itself
    assert min(lengths) == 13
    assert max(lengths) == 18


def test_a_caption_is_one_printable_line() -> None:
    assert as_one_line(" <s>a woman<loc_12>\n in\x0f the\u2028sun </s>") == "a woman in the sun"
    assert as_one_line("a < b and <3") == "a < b and <3"


def test_pictures_are_prepared_as_transformers_prepares_them(folder: Path) -> None:
    processor, _, _ = load_of_transformers(folder)
    random = np.random.default_rng(0)
    for size in ((1, 1), (31, 33), (32, 32), (500, 20), (640, 480)):
        image = Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        ours = read_picture_format(folder).prepare(image)
        theirs = np.asarray(processor(image)["pixel_values"][0])
        assert ours.shape == (3, 32, 32)
        assert ours.dtype == np.float32
        assert ours.flags.c_contiguous
        assert np.abs(ours - theirs).max() < 1e-5


def test_older_and_newer_files_of_picture_settings_are_read(own_folder: Path) -> None:
    expected = read_picture_format(own_folder)
    settings_file = own_folder / "preprocessor_config.json"
    edit_json(settings_file, lambda values: values.update(size=32))
    assert read_picture_format(own_folder) == expected
    settings = own_folder / "processor_config.json"
    edit_json(
        settings_file, lambda values: write_json(settings, {"image_processor": values.copy()})
    )
    settings_file.unlink()
    assert read_picture_format(own_folder) == expected
    assert expected.min_side == 32


@pytest.mark.parametrize(
    "change",
    [
        {"size": {"shortest_edge": 32}}, {"size": {"height": 0, "width": 9}}, {"size": "x"},
        {"image_mean": [0.5]}, {"image_std": [0.0, 1.0, 1.0]}, {"resample": 99},
    ],
)  # fmt: skip
def test_picture_settings_that_do_not_fit_are_named(folder: Path, change: dict[str, Any]) -> None:
    sound = {"size": 32, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    parse_picture_format(sound, folder)
    with pytest.raises(ModelError, match=r"here\.json: no size, image_mean and image_std"):
        parse_picture_format({**sound, **change}, Path("here.json"))


def test_either_tokenizer_file_reads_as_transformers_does(own_folder: Path) -> None:
    _, theirs, _ = load_of_transformers(own_folder)
    from_json = load_bert_tokenizer(own_folder)
    (own_folder / "tokenizer.json").unlink()
    from_words = load_bert_tokenizer(own_folder)
    for text in (each for each in ODD_PREFIXES if "[" not in each):
        ids = theirs(text, add_special_tokens=False).input_ids
        assert from_json.encode(text, add_special_tokens=False).ids == ids
        assert from_words.encode(text, add_special_tokens=False).ids == ids


def test_the_model_says_what_it_is(folder: Path) -> None:
    captioner = load(folder)
    assert captioner.name == "tiny"
    assert captioner.revision == file_sha256(folder / "model.safetensors")
    assert captioner.min_side == 32
    assert captioner.device == "CPU" or captioner.device.startswith("CUDA (")


@pytest.fixture
def their_records() -> Iterator[list[str]]:
    """What transformers logs while it may log everything and show progress bars."""
    from transformers.utils import logging as their_logging

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    records: list[str] = []
    handler, logger = Collect(), logging.getLogger("transformers")
    before = their_logging.get_verbosity()
    logger.addHandler(handler)
    their_logging.set_verbosity_info()
    their_logging.enable_progress_bar()
    yield records
    their_logging.set_verbosity(before)
    logger.removeHandler(handler)


def test_nothing_is_said_while_a_model_loads_and_nothing_stays_switched_off(
    own_folder: Path, capfd: pytest.CaptureFixture[str], their_records: list[str]
) -> None:
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging as their_logging

    # a weight too many makes transformers print a report
    add_weight(own_folder / "model.safetensors", "vision_model.unknown")
    load(own_folder)
    assert (capfd.readouterr(), their_records) == (("", ""), [])
    assert their_logging.get_verbosity() == their_logging.INFO
    assert their_logging.is_progress_bar_enabled()
    assert not are_progress_bars_disabled()
    their_logging.disable_progress_bar()
    load(own_folder)
    assert not their_logging.is_progress_bar_enabled()
    their_logging.enable_progress_bar()
    disable_progress_bars()
    load(own_folder)
    assert are_progress_bars_disabled()
    their_logging.enable_progress_bar()


def test_nothing_is_printed_while_captions_are_written(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for settings in ({}, {"beam_search": True}, {"beam_search": True, "num_beams": 1}):
        caption_all(load(folder, **settings), PICTURES[:2])
    assert capfd.readouterr() == ("", "")


def add_weight(path: Path, name: str) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    save_file({**load_file(path), name: torch.zeros(3)}, path, {"format": "pt"})


def split_weights(folder: Path) -> None:
    """Put the weights into two files with an index, as large models come."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file, {"format": "pt"})
    places = {name: file for file, part in parts.items() for name in part}
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": places})
    (folder / "model.safetensors").unlink()


def test_weights_in_several_files_are_the_same_model(folder: Path, own_folder: Path) -> None:
    split_weights(own_folder)
    whole, parts = load(folder), load(own_folder)
    assert caption_all(parts, PICTURES) == caption_all(whole, PICTURES)
    assert len(parts.revision) == 64
    assert parts.revision != whole.revision
    add_weight(own_folder / "b.safetensors", "vision_model.unknown")
    assert load(own_folder).revision != parts.revision


def test_a_missing_part_of_the_weights_is_named(own_folder: Path) -> None:
    split_weights(own_folder)
    (own_folder / "b.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no b\.safetensors"):
        load(own_folder)


def test_an_index_does_not_lead_out_of_the_folder(own_folder: Path) -> None:
    (own_folder / "model.safetensors").rename(own_folder.parent / "other.safetensors")
    write_json(
        own_folder / "model.safetensors.index.json", {"weight_map": {"a": "../other.safetensors"}}
    )
    with pytest.raises(ModelError, match="leads out of its folder"):
        load(own_folder)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["config.json"], "no config.json"),
        (["model.safetensors"], "no model.safetensors"),
        (["preprocessor_config.json"], "no preprocessor_config.json or processor_config.json"),
        (["tokenizer.json", "vocab.txt"], "no tokenizer.json or vocab.txt"),
        (
            ["config.json", "model.safetensors"],
            "no config.json, no model.safetensors",
        ),
    ],
)
def test_missing_files_are_named(own_folder: Path, names: list[str], sentence: str) -> None:
    for name in names:
        (own_folder / name).unlink()
    with pytest.raises(ModelError) as refused:
        load(own_folder)
    assert refused.value.message == f"{own_folder}: {sentence}"
    assert "preprocessor_config.json" in refused.value.hint


def test_pickled_weights_are_refused_with_a_way_to_convert_them(own_folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    weights = own_folder / "model.safetensors"
    torch.save(load_file(weights), own_folder / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ModelError, match=r"only pickled weights \(\.bin\)") as refused:
        load(own_folder)
    assert "BlipForConditionalGeneration" in refused.value.hint


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def scribble(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not weights at all")


def drop_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["vision_model.post_layernorm.weight"]
    save_file(weights, path, {"format": "pt"})


def change_config(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / "config.json", lambda values: values.update(changes))


def narrow(folder: Path) -> None:
    edit_json(folder / "config.json", lambda values: values["vision_config"].update(hidden_size=16))


def unword(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("a\nb\n")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut, "but its header promises"),
        (scribble, "not a safetensors file"),
        (drop_a_weight, r"lack 1 of this model's, such as vision_model\.post_layernorm\.weight"),
        (narrow, "transformers cannot load it"),
        (change_config(model_type="git"), "a model of type git, not blip"),
        (change_config(vision_config=3), "transformers cannot load it"),
        (change_config(architectures=["BlipForQuestionAnswering"]), "BlipForQuestionAnswering"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json: not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "not a JSON object"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), r"tokenizer\.json: not JSON"),
        (unword, r"vocab\.txt: no \[PAD\]"),
    ],
)
def test_damage_is_named(own_folder: Path, damage: Callable[[Path], object], sentence: str) -> None:
    damage(own_folder)
    with pytest.raises(ModelError, match=sentence):
        load(own_folder)


def test_out_of_memory_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    captioner = load(folder)
    inputs, keys = [captioner.prepare(each) for each in PICTURES[:3]], keys_of(PICTURES)[:3]
    for error in (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ):

        def fail(*args: Any, error: Exception = error, **kwargs: Any) -> None:
            raise error

        monkeypatch.setattr(captioner, "_write", fail)
        with pytest.raises(ModelError, match="not enough memory for 3 images at once") as refused:
            captioner.run(inputs, keys)
        assert refused.value.hint == "lorawiz set caption.batch_size 1"
        with pytest.raises(ModelError, match="not enough memory for this model"):
            captioner.run(inputs[:1], keys[:1])


def test_a_model_too_large_for_the_memory_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers.models.blip.modeling_blip import BlipForConditionalGeneration

    def fail(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    monkeypatch.setattr(BlipForConditionalGeneration, "from_pretrained", fail)
    with pytest.raises(ModelError, match="not enough memory for this model"):
        load(folder)


def test_other_errors_of_torch_are_not_taken_for_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner = load(folder)

    def fail(*args: Any) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(captioner, "_write", fail)
    with pytest.raises(RuntimeError, match="shapes") as raised:
        captioner.run([captioner.prepare(PICTURES[0])], ["k"])
    assert not isinstance(raised.value, LorawizError)


def test_in_half_precision_a_batch_is_never_short(folder: Path) -> None:
    import torch

    shapes = []

    def write(pixels: torch.Tensor, keys: Any) -> list[str]:
        shapes.append((tuple(pixels.shape), pixels.dtype, list(keys)))
        return [f"a picture of {key}" for key in keys]

    for dtype in (torch.float16, torch.float32):
        loaded = Pretrained(None, Place(torch.device("cpu"), dtype, "CPU"), "00")
        captioner = TorchCaptioner("x", loaded, read_picture_format(folder), write, batch_size=4)
        inputs = [captioner.prepare(each) for each in PICTURES[:2]]
        assert captioner.run(inputs, ["a", "b"]) == ["a picture of a", "a picture of b"]
    assert shapes == [
        ((4, 3, 32, 32), torch.float16, ["a", "b", "b", "b"]),
        ((2, 3, 32, 32), torch.float32, ["a", "b"]),
    ]


class TwoGpus:
    """What of torch chooses a device, on a machine with two GPUs."""

    float16, float32 = "half", "full"

    class cuda:  # noqa: N801
        is_available = staticmethod(lambda: True)
        device_count = staticmethod(lambda: 2)
        get_device_name = staticmethod(lambda index: f"GPU {index}")

    @staticmethod
    def device(kind: str, index: int | None = None) -> str:
        return kind if index is None else f"{kind}:{index}"


@pytest.mark.parametrize(
    ("rank", "device"), [("", "cuda:0"), ("1", "cuda:1"), ("3", "cuda:1"), ("x", "cuda:0")]
)
def test_each_process_of_a_launch_has_its_own_gpu(
    rank: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", rank)
    place = choose_place(TwoGpus)
    assert (place.device, place.dtype) == (device, "half")
    assert place.title == f"CUDA (GPU {device[-1]})"


@pytest.mark.gpu
def test_a_gpu_gives_the_same_captions_beside_whatever_others(folder: Path) -> None:
    captioner = load(folder, batch_size=8)
    together = caption_all(captioner, PICTURES)
    assert caption_all(captioner, PICTURES, 3) == together


def test_a_caption_module_is_imported_without_torch() -> None:
    assert imported_by("import lorawiz.annotate.blip, lorawiz.annotate.florence2") == set()


@pytest.mark.slow
def test_a_captioner_needs_no_more_than_torch_and_transformers(folder: Path) -> None:
    code = (
        "from pathlib import Path; from lorawiz.annotate.blip import load_blip; "
        "from lorawiz.spec.annotating import CaptionTable; "
        f"load_blip(Path({str(folder)!r}), CaptionTable(), 'x')"
    )
    assert imported_by(code) == {"torch", "transformers"}


def imported_by(code: str) -> set[str]:
    """Which heavy packages a fresh process that runs `code` has imported."""
    heavy = ("torch", "transformers", "diffusers", "sklearn", "scipy", "pandas", "torchvision")
    ask = f"import sys; print(*(name for name in {heavy!r} if name in sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}; {ask}"], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())
