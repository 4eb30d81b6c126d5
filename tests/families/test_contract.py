"""What every family keeps: both layouts, all precisions, training, the LoRA, pictures."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lorawiz.errors import ModelError
from lorawiz.families import FAMILIES, load_adapter
from lorawiz.families.adapter import Adapter, LoraTarget
from lorawiz.families.checkpoints import Checkpoint, inspect_checkpoint
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.families.random_base import build_random_base, save_folder
from lorawiz.loras.layout import count_parameters, load_layers, place_adapters
from lorawiz.runs.view import load_view
from lorawiz.spec.network import Kind, NetworkTable
from lorawiz.train.network import LoraNetwork
from tests.families.conftest import TinyFamily
from tests.support.layers import list_layers, text_encoders
from tests.support.ldm import save_single_file
from tests.support.training import make_run, model_hash, train

# SHA-256 of the sorted lines "key [shape]" of a LoRA of dim 16 that sd-scripts v0.10.1
# (commit 48d368fa, networks/lora.py) creates at its default targets, and their number
KOHYA_KEYS = {
    "sd15": ("ab5b4e494b1d3261ae6a5a987dab23cfe5a9d03173b1fad15cb5e550927c7237", 3 * (192 + 72)),
    "sd2": ("dce4c50a2e1b15536f7b496a29db4f2903c361205caa80acab876c8f75a90f42", 3 * (192 + 138)),
    "sdxl": ("28a58261943f99df9ae50e6886a0fd1ed27433c6518dac5a010e5d801b177d29", 3 * (722 + 264)),
}
# the same with conv_dim 8
KOHYA_CONV_KEYS = {
    "sd15": ("e030f38fdf3f9a66aa8f22f95af7787fa950aa22c391dc9821b105d93472c57d", 1050),
    "sd2": ("25d1027165b60eb1bd3f7342378722b192d3af1d8f75deada47665a8df4af6f6", 1248),
    "sdxl": ("ae3cb4aa6ae8f30783555a04e0e87b95d733ab1ed39edcbd84752082bd9b6542", 3156),
}
LOADERS: tuple[Callable[[Adapter, Checkpoint], nn.Module], ...] = (
    lambda adapter, base: adapter.load_unet(base, torch.float32),
    lambda adapter, base: adapter.load_vae(base, None),
    lambda adapter, base: adapter.load_text_encoder(base, torch.float32),
)
FRAMINGS = [Framing((96, 64), (4, 0), (64, 64)), Framing.whole((64, 64))]


def predict(adapter: Adapter, base: Checkpoint, dtype: torch.dtype = torch.float32) -> Tensor:
    """A prediction of two noisy pictures, from the prompts on."""
    text_encoder, unet = adapter.load_text_encoder(base, dtype), adapter.load_unet(base, dtype)
    noisy = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
    with torch.no_grad():
        text = adapter.encode_prompts(text_encoder, ["a cat", "a red dog"], Reading())
        predicted = adapter.predict_noise(unet, noisy, torch.tensor([3, 700]), text, FRAMINGS)
    assert text.states_BTD.shape == (2, 77, FAMILIES[base.family].sizes["tiny"].context_dim)
    assert predicted.shape == noisy.shape
    assert torch.isfinite(predicted).all()
    return predicted


def iter_targets(adapter: Adapter, parts: dict[str, Any]) -> Iterator[LoraTarget]:
    """What a LoRA reaches by default."""
    unet = adapter.iter_unet_targets(parts["unet"])
    yield from (target for target in unet if target.is_attention)
    yield from adapter.iter_text_targets(text_encoders(parts))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_full_size_lora_has_kohyas_keys_and_shapes(family: str) -> None:
    with torch.device("meta"):
        parts = build_random_base("full", seed=0, family=family)
    network = LoraNetwork(NetworkTable(dim=16, alpha=8.0))
    network.inject("unet", iter_targets(load_adapter(family), parts), torch.device("cpu"))
    tensors = network.export(torch.float16)
    lines = sorted(f"{key} {list(tensor.shape)}" for key, tensor in tensors.items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert (digest, len(lines)) == KOHYA_KEYS[family]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_full_size_locon_has_kohyas_keys_and_shapes(family: str) -> None:
    with torch.device("meta"):
        parts = build_random_base("full", seed=0, family=family)
    network = LoraNetwork(NetworkTable(kind="locon", dim=16, alpha=8.0, conv_dim=8))
    adapter = load_adapter(family)
    network.inject("unet", adapter.iter_unet_targets(parts["unet"]), torch.device("cpu"))
    text_targets = adapter.iter_text_targets(text_encoders(parts))
    network.inject("text_encoder", text_targets, torch.device("cpu"))
    tensors = network.export(torch.float16)
    lines = sorted(f"{key} {list(tensor.shape)}" for key, tensor in tensors.items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert (digest, len(lines)) == KOHYA_CONV_KEYS[family]


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("kind", ["lora", "locon", "dora", "loha", "lokr", "oft"])
def test_trained_numbers_are_counted_without_a_model(family: str, kind: Kind) -> None:
    table = NetworkTable(kind=kind, dim=6, alpha=2.0, conv_dim=3)
    network = LoraNetwork(table)
    adapter = load_adapter(family)
    parts = build_random_base("tiny", seed=0, family=family)
    network.inject("unet", adapter.iter_unet_targets(parts["unet"]), torch.device("cpu"))
    layers = load_layers(FAMILIES[family].sizes["tiny"].configs)["unet"]
    counted = sum(count_parameters(table, placed) for placed in place_adapters(table, layers))
    assert counted == sum(weight.numel() for _, weight in network.iter_weights())


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("size", ["full", "tiny"])
def test_the_cards_figures_are_those_of_the_models(family: str, size: str) -> None:
    adapter, facts = load_adapter(family), FAMILIES[family].sizes[size]
    with torch.device("meta"):
        parts = build_random_base(size, seed=0, family=family)
    models = (parts["unet"], text_encoders(parts), parts["vae"])
    assert facts.num_parameters == tuple(
        sum(p.numel() for p in model.parameters()) for model in models
    )
    layers = load_layers(facts.configs)
    assert {part: list(each) for part, each in layers.items()} == list_layers(family, size)
    assert parts["unet"].config.cross_attention_dim == facts.context_dim
    assert parts["vae"].config.scaling_factor == adapter.card.latent_factor
    assert set(parts) == set(adapter.card.parts)


def test_the_family_is_recognised_in_both_layouts(tiny: TinyFamily) -> None:
    found = [(base.family, base.size, base.layout) for base in tiny.checkpoints]
    assert found == [(tiny.name, "tiny", "diffusers"), (tiny.name, "tiny", "single")]


def test_both_layouts_load_the_same_frozen_weights(tiny: TinyFamily) -> None:
    for load in LOADERS:
        folder, file = (load(tiny.adapter, base) for base in tiny.checkpoints)
        ours, theirs = folder.state_dict(), file.state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        assert not any(p.requires_grad for model in (folder, file) for p in model.parameters())
        assert not any(p.is_meta for model in (folder, file) for p in model.buffers())
        assert not folder.training


def test_both_layouts_predict_the_same(tiny: TinyFamily) -> None:
    folder, file = (predict(tiny.adapter, base) for base in tiny.checkpoints)
    assert torch.equal(folder, file)
    assert torch.equal(folder, predict(tiny.adapter, tiny.checkpoints[0]))


def test_every_prompt_changes_the_prediction(tiny: TinyFamily) -> None:
    base = tiny.checkpoints[0]
    text_encoder = tiny.adapter.load_text_encoder(base, torch.float32)
    with torch.no_grad():
        together = tiny.adapter.encode_prompts(text_encoder, ["a cat", "a dog"], Reading())
        alone = [
            tiny.adapter.encode_prompts(text_encoder, [p], Reading()) for p in ("a cat", "a dog")
        ]
    joined = TextConditioning.cat(alone)
    for ours, theirs in zip(
        joined.to_tensors().values(), together.to_tensors().values(), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-5)
        assert not torch.allclose(ours[0], ours[1], atol=1e-3)
    assert torch.equal(joined[1:].states_BTD, alone[1].states_BTD)
    assert TextConditioning.from_tensors(joined.to_tensors()) == joined


def test_a_file_overwritten_behind_the_loading_changes_nothing(
    tiny: TinyFamily, tmp_path: Path
) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(tiny.single_file.read_bytes())
    base = inspect_checkpoint(path)
    for load in LOADERS:
        model = load(tiny.adapter, base)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        with path.open("r+b") as file:
            file.seek(-path.stat().st_size // 2, 2)
            file.write(bytes(path.stat().st_size // 2))
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
        path.write_bytes(tiny.single_file.read_bytes())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_load_in_any_dtype(
    tiny: TinyFamily, tmp_path: Path, dtype: torch.dtype
) -> None:
    path = tmp_path / "half.safetensors"
    save_single_file(tiny.parts, path, dtype, tiny.name)
    base = inspect_checkpoint(path)
    exact = predict(tiny.adapter, tiny.checkpoints[1])
    assert torch.allclose(predict(tiny.adapter, base), exact, atol=0.05)
    assert torch.allclose(predict(tiny.adapter, base, torch.bfloat16).float(), exact, atol=0.1)
    assert all(p.dtype == torch.float32 for p in tiny.adapter.load_vae(base, None).parameters())


def test_a_folder_of_fp16_files_loads_and_the_exact_ones_are_preferred(
    tiny: TinyFamily, tmp_path: Path
) -> None:
    for part, model in tiny.parts.items():
        model.save_pretrained(tmp_path / part, safe_serialization=True)
        for file in list((tmp_path / part).glob("*.safetensors")):
            half = {key: value.half() for key, value in load_file(file).items()}
            save_file(half, file.with_suffix(".fp16.safetensors"))
    both = predict(tiny.adapter, inspect_checkpoint(tmp_path))
    for file in tmp_path.rglob("*.safetensors"):
        if ".fp16." not in file.name:
            file.unlink()
    halved = predict(tiny.adapter, inspect_checkpoint(tmp_path))
    exact = predict(tiny.adapter, tiny.checkpoints[0])
    assert torch.equal(both, exact)
    assert not torch.equal(halved, exact)
    assert torch.allclose(halved, exact, atol=0.05)


def test_a_folder_of_shards_loads(tiny: TinyFamily, tmp_path: Path) -> None:
    save_folder(tiny.parts, tmp_path)
    for file in list(tmp_path.rglob("*.safetensors")):
        tensors = list(load_file(file).items())
        for index, part in enumerate((tensors[::2], tensors[1::2]), start=1):
            name = f"{file.stem}-0000{index}-of-00002.safetensors"
            save_file(dict(part), file.with_name(name))
        file.unlink()
    exact = predict(tiny.adapter, tiny.checkpoints[0])
    assert torch.equal(predict(tiny.adapter, inspect_checkpoint(tmp_path)), exact)


def test_a_separate_vae_takes_the_place_of_the_bases_own(tiny: TinyFamily, tmp_path: Path) -> None:
    other = build_random_base("tiny", seed=5, family=tiny.name)["vae"]
    other.save_pretrained(tmp_path / "folder", safe_serialization=True)
    save_single_file({**tiny.parts, "vae": other}, tmp_path / "whole.safetensors", family=tiny.name)
    whole = load_file(tmp_path / "whole.safetensors")
    prefix = "first_stage_model."
    alone = {k.removeprefix(prefix): v for k, v in whole.items() if k.startswith(prefix)}
    save_file(alone, tmp_path / "alone.safetensors")
    save_file(other.state_dict(), tmp_path / "diffusers.safetensors")
    for name in ("folder", "whole.safetensors", "alone.safetensors", "diffusers.safetensors"):
        vae = tiny.adapter.load_vae(tiny.checkpoints[0], tmp_path / name)
        for key, value in other.state_dict().items():
            assert torch.equal(vae.state_dict()[key], value), (name, key)


def test_latents_come_back_as_pixels(tiny: TinyFamily) -> None:
    vae = tiny.adapter.load_vae(tiny.checkpoints[0], None)
    pixels = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.no_grad():
        moments = tiny.adapter.encode_pixels(vae, pixels)
        latents = tiny.adapter.scale_latents(moments, torch.zeros(1, 4, 8, 6))
        drawn = tiny.adapter.decode_latents(vae, latents)
        theirs = vae.decode(moments[:, :4]).sample  # type: ignore[operator]
    assert moments.shape == (1, 8, 8, 6)
    assert torch.allclose(latents, moments[:, :4] * vae.config.scaling_factor)  # type: ignore[operator, union-attr]
    assert drawn.shape == pixels.shape
    assert torch.allclose(drawn, (theirs / 2 + 0.5).clamp(0, 1), atol=1e-5)


@pytest.mark.parametrize("layout", ["folder", "single_file"])
def test_a_run_trains_saves_and_draws(tiny: TinyFamily, tmp_path: Path, layout: str) -> None:
    settings = {
        "base.family": tiny.name,
        "train.max_train_steps": "2",
        "train.save_precision": "float",
        "sample.prompts": '["a cat"]',
        "sample.at_first": "true",
        "sample.steps": "2",
    }
    run = make_run(tmp_path / "run", getattr(tiny, layout), settings, num_images=2)
    assert train(run) == 0, load_view(run).message
    saved = load_file(run.path / "lyq.safetensors")
    assert saved.keys() == _expected_keys(tiny)
    moved = [key for key, value in saved.items() if "lora_up" in key and value.abs().max() > 0]
    # one layer in the last block of an encoder whose penultimate state is read gets no gradient
    assert {key.split("_")[1] for key in moved} >= {"unet"}
    assert len(moved) > 0.8 * len(saved) / 3
    pictures = sorted(path.name for path in run.samples.iterdir())
    assert pictures == ["s000000-1.png", "s000002-1.png"]
    again = _load_into_fresh(tiny, saved)
    assert all(torch.equal(value, saved[key].reshape(value.shape)) for key, value in again.items())


def _expected_keys(tiny: TinyFamily) -> set[str]:
    keys = [target.key for target in iter_targets(tiny.adapter, tiny.parts)]
    assert len(keys) == len(set(keys))
    return {
        f"{key}.{end}" for key in keys for end in ("alpha", "lora_down.weight", "lora_up.weight")
    }


def _load_into_fresh(tiny: TinyFamily, saved: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file's matrices, once they have been put into a new network."""
    parts = build_random_base("tiny", seed=0, family=tiny.name)
    network = LoraNetwork(NetworkTable(dim=4, alpha=2.0))
    network.inject("unet", iter_targets(tiny.adapter, parts), torch.device("cpu"))
    network.load_weights(saved)
    return {name: weight.detach() for name, weight in network.iter_weights()}


def test_both_layouts_train_to_the_same_bits(tiny: TinyFamily, tmp_path: Path) -> None:
    hashes = set()
    for base in (tiny.folder, tiny.single_file):
        settings = {"base.family": tiny.name, "train.max_train_steps": "1"}
        run = make_run(tmp_path / base.name, base, settings, num_images=1)
        assert train(run) == 0, load_view(run).message
        hashes.add(model_hash(run.path / "lyq.safetensors"))
    assert len(hashes) == 1


@pytest.mark.parametrize("unet_only", ["true", "false"])
def test_a_run_in_bf16_with_checkpointing_from_cached_text(
    tiny: TinyFamily, tmp_path: Path, unet_only: str
) -> None:
    settings = {
        "base.family": tiny.name,
        "train.max_train_steps": "2",
        "train.mixed_precision": "bf16",
        "train.gradient_checkpointing": "true",
        "network.train_unet_only": unet_only,
        "dataset.batch_size": "2",
    }
    run = make_run(tmp_path / "run", tiny.single_file, settings, num_images=2)
    assert train(run) == 0, load_view(run).message
    saved = load_file(run.path / "lyq.safetensors")
    assert all(torch.isfinite(value).all() for value in saved.values())
    assert any("lora_up" in key and value.any() for key, value in saved.items())
    assert any(key.startswith("lora_te") for key in saved) == (unet_only == "false")


def test_checkpointing_changes_no_gradient(tiny: TinyFamily, tmp_path: Path) -> None:
    hashes = set()
    for switch in ("true", "false"):
        settings = {
            "base.family": tiny.name,
            "train.max_train_steps": "1",
            "train.gradient_checkpointing": switch,
        }
        run = make_run(tmp_path / switch, tiny.folder, settings, num_images=1)
        assert train(run) == 0, load_view(run).message
        hashes.add(model_hash(run.path / "lyq.safetensors"))
    assert len(hashes) == 1


def test_a_checkpoint_that_predicts_velocity_is_trained_so(
    tiny: TinyFamily, tmp_path: Path
) -> None:
    tensors = load_file(tiny.single_file) | {
        "v_pred": torch.tensor([]), "ztsnr": torch.tensor([])
    }  # fmt: skip
    save_file(tensors, tmp_path / "v.safetensors")
    settings = {"base.family": tiny.name, "train.max_train_steps": "1"}
    run = make_run(tmp_path / "run", tmp_path / "v.safetensors", settings, num_images=1)
    assert train(run) == 0, load_view(run).message
    with safe_open(run.path / "lyq.safetensors", framework="pt") as file:
        metadata = file.metadata()
    names = tiny.adapter.card.names["v_prediction"]
    assert metadata["modelspec.prediction_type"] == "v"
    assert metadata["modelspec.architecture"] == names.architecture
    assert metadata["ss_base_model_version"] == names.base_model_version
    assert metadata["ss_zero_terminal_snr"] == "True"
    assert metadata["ss_v2"] == str(tiny.name == "sd2")


@pytest.mark.parametrize(
    ("victim", "said"),
    [
        ("model.diffusion_model.middle_block.0.in_layers.2.weight", "its U-Net lacks 1 of"),
        ("first_stage_model.decoder.mid.block_1.conv1.bias", "its VAE lacks 1 of"),
    ],
)
def test_a_missing_tensor_is_a_sentence(
    tiny: TinyFamily, tmp_path: Path, victim: str, said: str
) -> None:
    tensors = load_file(tiny.single_file)
    del tensors[victim]
    with pytest.raises(ModelError, match=said):
        _load_all(tiny.adapter, _save(tensors, tmp_path))


def test_a_missing_tensor_of_a_text_encoder_is_a_sentence(tiny: TinyFamily, tmp_path: Path) -> None:
    tensors = load_file(tiny.single_file)
    marks = ("encoder.layers.0.mlp.fc1.bias", "resblocks.0.mlp.c_fc.bias")
    victims = [key for key in tensors if key.endswith(marks)]
    for victim in victims:
        rest = {key: value for key, value in tensors.items() if key != victim}
        with pytest.raises(ModelError, match="text encoder lacks 1 of"):
            _load_all(tiny.adapter, _save(rest, tmp_path))


def test_a_tensor_of_another_shape_is_a_sentence(tiny: TinyFamily, tmp_path: Path) -> None:
    tensors = load_file(tiny.single_file)
    tensors["model.diffusion_model.out.2.weight"] = torch.zeros(5, 32, 3, 3)
    with pytest.raises(ModelError, match=r"conv_out.weight has shape \[5, 32, 3, 3\], expected"):
        _load_all(tiny.adapter, _save(tensors, tmp_path))


def test_a_folder_that_lacks_tensors_is_a_sentence(tiny: TinyFamily, tmp_path: Path) -> None:
    save_folder(tiny.parts, tmp_path)
    file = next((tmp_path / "unet").glob("*.safetensors"))
    tensors = load_file(file)
    del tensors["conv_out.bias"]
    save_file(tensors, file)
    with pytest.raises(ModelError, match=r"its U-Net lacks 1 of .* such as conv_out\.bias"):
        _load_all(tiny.adapter, inspect_checkpoint(tmp_path))


def _save(tensors: dict[str, Tensor], folder: Path) -> Checkpoint:
    path = folder / "broken.safetensors"
    save_file(tensors, path)
    return inspect_checkpoint(path)


def _load_all(adapter: Adapter, base: Checkpoint) -> None:
    for load in LOADERS:
        load(adapter, base)


def test_another_familys_checkpoint_is_refused_with_the_right_name(
    tiny: TinyFamily, tmp_path: Path
) -> None:
    wrong = next(name for name in FAMILIES if name != tiny.name)
    run = make_run(tmp_path / "run", tiny.folder, {"base.family": wrong})
    assert train(run) == 2
    assert load_view(run).message == f"tiny is {tiny.name}, but base.family = '{wrong}'"
    assert load_view(run).hint == f"lorawiz set base.family {tiny.name}"


def test_noise_levels_are_those_of_diffusers(tiny: TinyFamily) -> None:
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    assert torch.equal(tiny.adapter.alphas_cumprod(), theirs.alphas_cumprod)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_random_base_is_a_function_of_its_seed(family: str) -> None:
    one, same, other = (
        build_random_base("tiny", seed, family)["unet"].conv_in.weight for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
