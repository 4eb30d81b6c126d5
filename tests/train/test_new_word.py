"""Textual inversion on the tiny bases: what trains, the files, resuming, samples."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from diffusers.loaders import TextualInversionLoaderMixin
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPTokenizer

from lorawiz.families import load_adapter
from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.families.clip import frame_ids
from lorawiz.families.clip.files import write_tokenizer
from lorawiz.families.clip.new_token import FIRST_ID, NewToken
from lorawiz.families.clip.reading import Reading
from lorawiz.families.clip.tokens import read_ids
from lorawiz.families.latent_diffusion.new_tokens import find_new_token
from lorawiz.families.latent_diffusion.text import encode
from lorawiz.families.random_base import build_random_base, save_folder
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.view import load_view
from lorawiz.train.trainer import Trainer
from tests.support.training import losses, make_run, model_hash, stop_after, train

ALONE = {
    "network.kind": "none",
    "textual_inversion.token_string": "lyq",
    "textual_inversion.init_word": "woman",
    "textual_inversion.num_vectors_per_token": "3",
    "textual_inversion.learning_rate": "1e-2",
    "train.max_train_steps": "4",
    "train.save_every_n_steps": "2",
    "train.save_precision": "float",
    "dataset.batch_size": "2",
}
BESIDE = {**ALONE, "network.kind": "lora", "network.train_unet_only": "true"}
WITH_TEXT = {**ALONE, "network.kind": "lora"}
WITH_FULL = {**ALONE, "network.kind": "full", "train.text_encoder_lr": "1e-5"}


@pytest.fixture(scope="module", params=["sd15", "sd2", "sdxl"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base of each family, as a folder."""
    folder = tmp_path_factory.mktemp(request.param) / f"tiny-{request.param}"
    save_folder(build_random_base("tiny", seed=0, family=request.param), folder)
    return folder


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, nn.Module]:
    """The models of the newest run as they are behind its last step."""
    models: dict[str, nn.Module] = {}
    save = Trainer.save_lora

    def watch(trainer: Trainer, path: Path, step: int, epoch: int) -> None:
        save(trainer, path, step, epoch)
        assert trainer.models.text_encoder is not None
        models.update(unet=trainer.models.unet, text_encoder=trainer.models.text_encoder)

    monkeypatch.setattr(Trainer, "save_lora", watch)
    return models


class Pipe(TextualInversionLoaderMixin):  # type: ignore[misc]
    """The part of a pipeline that reads embeddings."""

    hf_device_map = None
    components: ClassVar[dict[str, Any]] = {}


def make_word_run(folder: Path, base: Path, settings: Mapping[str, str]) -> RunFolder:
    return make_run(
        folder, base, {"base.family": inspect_checkpoint(base).family, **ALONE, **settings}
    )


def load_text_encoder(base: Path) -> Any:
    checkpoint = inspect_checkpoint(base)
    return load_adapter(checkpoint.family).load_text_encoder(checkpoint, torch.float32)


def load_embedding(run: RunFolder) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = load_file(run.path / "lyq-lyq.safetensors")
    return tensors


def word_rows(base: Path, word: str) -> list[Tensor]:
    [index] = read_ids(word)
    return [
        weight[index]
        for name, weight in load_text_encoder(base).named_parameters()
        if name.endswith("token_embedding.weight")
    ]


def test_a_word_alone_trains_its_vectors_and_nothing_else(
    tmp_path: Path, base: Path, kept: dict[str, nn.Module]
) -> None:
    run = make_word_run(tmp_path, base, {})
    assert train(run) == 0, load_view(run).message
    checkpoint = inspect_checkpoint(base)
    adapter = load_adapter(checkpoint.family)
    before = {
        "unet": adapter.load_unet(checkpoint, torch.float32),
        "text_encoder": load_text_encoder(base),
    }
    for part, model in before.items():
        after = kept[part].state_dict()
        assert after.keys() == model.state_dict().keys()
        assert all(torch.equal(after[k], v) for k, v in model.state_dict().items()), part
    tensors = load_embedding(run)
    names = ["clip_l", "clip_g"] if checkpoint.family == "sdxl" else ["emb_params"]
    assert sorted(tensors) == sorted(names)
    for name, start in zip(names, word_rows(base, "woman"), strict=True):
        assert tensors[name].shape == (3, len(start))
        moved = (tensors[name] - start).norm(dim=1)
        assert ((moved > 1e-3) & (moved < 1.0)).all()
    assert [path.name for path in run.path.glob("*.safetensors") if "-s" not in path.name] == [
        "lyq-lyq.safetensors"
    ]


def test_the_vectors_begin_as_the_init_words(tmp_path: Path, tiny_base: Path) -> None:
    adapter, model = load_adapter("sd15"), load_text_encoder(tiny_base)
    rows = model.state_dict()["embeddings.token_embedding.weight"]
    ids = read_ids("red coat")
    vectors = adapter.add_token(model, NewToken("lyq", 5), "red coat")["emb_params"]
    assert torch.equal(vectors, rows[[*ids, *ids, ids[0]]])


@pytest.mark.parametrize("settings", [ALONE, BESIDE, WITH_TEXT, WITH_FULL],
                         ids=["alone", "beside", "with text", "with full"])  # fmt: skip
def test_a_stopped_and_resumed_run_equals_one_that_never_stopped(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, settings)
    assert train(straight) == 0, load_view(straight).message
    resumed = make_run(tmp_path / "resumed", tiny_base, settings)
    with monkeypatch.context() as patch:
        stop_after(resumed, 3, patch)
        assert train(resumed) == 0
    assert train(resumed, "--resume") == 0, load_view(resumed).message
    assert losses(resumed) == losses(straight)
    made = sorted(path.name for path in straight.path.glob("lyq*.safetensors"))
    assert "lyq-lyq.safetensors" in made
    assert ("lyq.safetensors" in made) == (settings["network.kind"] != "none")
    for name in made:
        assert model_hash(resumed.path / name) == model_hash(straight.path / name), name


def test_a_lora_beside_a_word_is_saved_too_and_is_the_runs_result(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = make_run(tmp_path, tiny_base, BESIDE)
    assert train(run) == 0
    view = load_view(run)
    assert [Path(save.path).name for save in view.saves] == [
        "lyq-s000002-lyq.safetensors", "lyq-s000002.safetensors",
        "lyq-lyq.safetensors", "lyq.safetensors",
    ]  # fmt: skip
    assert view.result is not None
    assert view.result.endswith("/lyq.safetensors")
    assert all(key.startswith("lora_unet") for key in load_file(run.path / "lyq.safetensors"))


def test_checkpointing_gives_the_same_losses(tmp_path: Path, tiny_base: Path) -> None:
    plain = make_run(tmp_path / "plain", tiny_base, ALONE)
    saving = make_run(
        tmp_path / "saving", tiny_base, {**ALONE, "train.gradient_checkpointing": "true"}
    )
    assert train(plain) == train(saving) == 0
    assert losses(saving) == pytest.approx(losses(plain), rel=1e-5)


def test_half_precision_keeps_the_vectors_in_fp32(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, tiny_base, {**ALONE, "train.mixed_precision": "bf16"})
    assert train(run) == 0, load_view(run).message
    [start] = word_rows(tiny_base, "woman")
    assert (load_embedding(run)["emb_params"] != start).all()


def test_the_rate_is_the_words_own(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[float] = []
    load = Trainer._load_models

    def watch(trainer: Trainer, text_encoder: nn.Module | None) -> Any:
        models = load(trainer, text_encoder)
        groups.extend(group["lr"] for group in models.optimizer.param_groups)
        return models

    monkeypatch.setattr(Trainer, "_load_models", watch)
    assert train(make_run(tmp_path, tiny_base, {**WITH_TEXT, "train.text_encoder_lr": "1e-4"})) == 0
    assert groups == [1e-3, 1e-4, 1e-2]


def test_diffusers_reads_the_word(tmp_path: Path, base: Path, kept: dict[str, nn.Module]) -> None:
    run = make_word_run(tmp_path / "run", base, {})
    assert train(run) == 0, load_view(run).message
    adapter = load_adapter(inspect_checkpoint(base).family)
    models = adapter._split_text_encoders(kept["text_encoder"])  # type: ignore[attr-defined]
    fresh = adapter._split_text_encoders(load_text_encoder(base))  # type: ignore[attr-defined]
    path, tensors = str(run.path / "lyq-lyq.safetensors"), load_embedding(run)
    prompt = "a photo of lyq, smile"
    for ours, theirs, about in zip(models, fresh, adapter.text_parts, strict=True):  # type: ignore[attr-defined]
        write_tokenizer(tmp_path / about.part, about.padding_id)
        tokenizer = CLIPTokenizer.from_pretrained(tmp_path / about.part)
        # a file of two encoders is read as SDXL's documentation does: each by its key
        key = about.embedding_key
        source = path if key == "emb_params" else {"lyq": tensors[key]}
        pipe = Pipe()
        pipe.load_textual_inversion(
            source, token="lyq", tokenizer=tokenizer, text_encoder=theirs, local_files_only=True
        )  # fmt: skip
        expanded = pipe.maybe_convert_prompt(prompt, tokenizer)
        ids = tokenizer(
            expanded, padding="max_length", max_length=77, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            mine = encode(ours.eval(), about, [prompt], Reading()).outputs
            our_ids = frame_ids(read_ids(prompt, find_new_token(ours)), about.padding_id)
            other = theirs(input_ids=ids, output_hidden_states=True)
        assert [our_ids] == ids.tolist()
        assert torch.equal(mine.hidden_states[-2], other.hidden_states[-2])


def test_samples_are_drawn_with_the_word_as_it_is(tmp_path: Path, tiny_base: Path) -> None:
    settings = {
        **ALONE,
        "sample.prompts": '["lyq", "a photo"]',
        "sample.at_first": "true",
        "sample.steps": "2",
        "textual_inversion.learning_rate": "1.0",
    }
    run = make_run(tmp_path, tiny_base, settings)
    assert train(run) == 0
    with_word = [(run.samples / f"s{step:06d}-1.png").read_bytes() for step in (0, 4)]
    without = [(run.samples / f"s{step:06d}-2.png").read_bytes() for step in (0, 4)]
    assert with_word[0] != with_word[1]
    assert without[0] == without[1]


def test_the_metadata_is_that_of_an_embedding(tmp_path: Path, tiny_base: Path) -> None:
    run = make_run(tmp_path, tiny_base, ALONE)
    assert train(run) == 0
    with safe_open(run.path / "lyq-lyq.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1/textual-inversion"
    assert metadata["modelspec.trigger_phrase"] == "lyq"
    assert not {key for key in metadata if key.startswith("ss_network")}


@pytest.mark.parametrize(
    ("token", "file"), [("<my cat>".replace(" ", "_"), "my_cat"), ("***", "token"), ("a-b.1", "a-b.1")]
)  # fmt: skip
def test_the_file_is_called_by_the_word(
    tmp_path: Path, tiny_base: Path, token: str, file: str
) -> None:
    settings = {**ALONE, "textual_inversion.token_string": token, "train.max_train_steps": "1"}
    run = make_run(tmp_path, tiny_base, settings)
    assert train(run) == 0, load_view(run).message
    assert (run.path / f"lyq-{file}.safetensors").is_file()


def test_an_old_config_reads_the_end_and_not_the_new_word(tmp_path: Path) -> None:
    # published configs say eos_token_id = 2, with which the highest id counts as the end
    parts = build_random_base("tiny", seed=0, family="sdxl")
    parts["text_encoder_2"].config.eos_token_id = 2
    save_folder(parts, tmp_path / "old")
    adapter, model = load_adapter("sdxl"), load_text_encoder(tmp_path / "old")
    plain = load_text_encoder(tmp_path / "old")
    adapter.add_token(model, NewToken("lyq"), "woman")
    with torch.no_grad():
        new = adapter.encode_prompts(model, ["a lyq walks"], Reading())
        known = adapter.encode_prompts(plain, ["a woman walks"], Reading())
    # the new word begins as the old one, so everything else must be the same
    assert torch.equal(new.states_BTD, known.states_BTD)
    assert new.pooled_BD is not None
    assert known.pooled_BD is not None
    assert torch.equal(new.pooled_BD, known.pooled_BD)


def test_ids_behind_the_vocabulary_are_the_words_vectors() -> None:
    assert read_ids("a lyq", NewToken("lyq", 2))[1:] == [FIRST_ID, FIRST_ID + 1]
