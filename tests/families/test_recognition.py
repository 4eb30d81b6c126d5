"""What a file is, by its keys; what a folder is, by its configs; and what both say of noise."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lorawiz.errors import ModelError
from lorawiz.families.checkpoints import Checkpoint, inspect_checkpoint
from lorawiz.families.resolution import resolve_base
from lorawiz.spec.tables import BaseTable
from tests.families.conftest import TinyFamily
from tests.families.test_checkpoints import write_safetensors

UNET = "model.diffusion_model.input_blocks.0.0.weight"
FIRST_TEXT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
XL_TEXT = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
SD15_NORM = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
SD2_NORM = "cond_stage_model.model.ln_final.weight"
XL_NORM = "conditioner.embedders.1.model.ln_final.weight"
REFINER_NORM = "conditioner.embedders.0.model.ln_final.weight"
FULL = [320, 4, 3, 3]


@pytest.mark.parametrize(
    ("family", "shapes"),
    [
        ("sd15", {UNET: FULL, FIRST_TEXT: [320, 768], SD15_NORM: [768]}),
        ("sd15", {UNET: FULL, FIRST_TEXT: [320, 768], SD15_NORM.replace("text_model.", ""): [8]}),
        ("sd2", {UNET: FULL, FIRST_TEXT: [320, 1024], SD2_NORM: [1024]}),
        ("sdxl", {UNET: FULL, XL_TEXT: [640, 2048], XL_NORM: [1280]}),
    ],
)
def test_a_single_file_is_recognised_by_its_text_encoder(
    tmp_path: Path, family: str, shapes: dict[str, list[int]]
) -> None:
    found = inspect_checkpoint(write_safetensors(tmp_path / "m.safetensors", shapes))
    assert (found.family, found.size, found.layout) == (family, "full", "single")
    assert (found.prediction, found.zero_terminal_snr) == (None, False)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({UNET: [384, 4, 3, 3], REFINER_NORM: [1280]}, "the refiner of Stable Diffusion XL"),
        ({UNET: [320, 9, 3, 3], SD15_NORM: [768]}, "an inpainting model"),
        ({UNET: [320, 9, 3, 3], XL_NORM: [768]}, "an inpainting model"),
        ({UNET: [320, 8, 3, 3], SD15_NORM: [768]}, "an InstructPix2Pix model"),
        ({UNET: [320, 7, 3, 3], SD2_NORM: [768]}, "an upscaler"),
        ({UNET: [320, 5, 3, 3], SD2_NORM: [768]}, "a depth model"),
        ({UNET: [320, 6, 3, 3], SD2_NORM: [768]}, "a U-Net with 6 input channels"),
        ({UNET: FULL, XL_TEXT: [640, 2048], XL_NORM: [8], "edm_mean": [1]}, "Playground v2.5"),
        ({UNET: FULL}, "a U-Net without its text encoder"),
        ({UNET: [64, 4, 3, 3], FIRST_TEXT: [1, 768], SD15_NORM: [1]}, "width 64 and reads text"),
        ({"model.diffusion_model.joint_blocks.0.x": [1]}, "Stable Diffusion 3, not a base"),
        ({"double_blocks.0.img_attn.qkv.weight": [1]}, "Flux or one of its kin, not a base"),
        ({"model.diffusion_model.double_blocks.0.img": [1]}, "Flux or one of its kin"),
        ({"unet.x.lora_A.weight": [1]}, "a LoRA, not a base"),
        ({"first_stage_model.encoder.conv_in.bias": [1]}, "a VAE alone"),
        ({"encoder.conv_in.weight": [1]}, "a VAE alone"),
        ({"down_blocks.0.resnets.0.conv1.weight": [1]}, "a U-Net alone, in diffusers' layout"),
        ({"x": [1]}, "a file of other weights"),
    ],
)
def test_what_cannot_be_trained_on_is_named(
    tmp_path: Path, shapes: dict[str, list[int]], said: str
) -> None:
    path = write_safetensors(tmp_path / "m.safetensors", shapes)
    with pytest.raises(ModelError, match=said) as caught:
        inspect_checkpoint(path)
    assert caught.value.message.startswith("m.safetensors: ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("unet", "said"),
    [
        ({"in_channels": 9}, "an inpainting model"),
        ({"cross_attention_dim": 1280, "addition_embed_type": "text_time"}, "the refiner of"),
        ({"addition_embed_type": "image"}, "a U-Net with image conditions"),
        ({"cross_attention_dim": 4096}, "reads text of width 4096"),
        ({"block_out_channels": [7]}, "like Stable Diffusion 1.x, but its U-Net has width 7"),
        ({"block_out_channels": "x"}, "not a U-Net's config"),
        ({"cross_attention_dim": None}, "not a U-Net's config"),
    ],
)
def test_a_folder_that_cannot_be_trained_on_is_named(
    tiny_base: Path, tmp_path: Path, unet: dict[str, Any], said: str
) -> None:
    folder = shutil.copytree(tiny_base, tmp_path / "base")
    change_json(folder / "unet" / "config.json", unet)
    with pytest.raises(ModelError, match=said) as caught:
        inspect_checkpoint(folder)
    assert caught.value.hint


def test_a_folder_without_a_unet_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "transformer").mkdir()
    change_json(tmp_path / "model_index.json", {"_class_name": "StableDiffusion3Pipeline"})
    with pytest.raises(ModelError, match="a folder of StableDiffusion3Pipeline, which lorawiz"):
        inspect_checkpoint(tmp_path)


def test_sdxl_wants_both_text_encoders(tiny_sdxl: TinyFamily, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_sdxl.folder, tmp_path / "base")
    shutil.rmtree(folder / "text_encoder_2")
    with pytest.raises(ModelError, match=r"no text_encoder_2/config.json"):
        inspect_checkpoint(folder)


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ({}, (None, False)),
        ({"prediction_type": "epsilon"}, ("epsilon", False)),
        (
            {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
            ("v_prediction", True),
        ),
    ],
)
def test_a_folders_scheduler_says_what_it_predicts(
    tiny_base: Path, tmp_path: Path, scheduler: dict[str, Any], expected: tuple[str | None, bool]
) -> None:
    folder = shutil.copytree(tiny_base, tmp_path / "base")
    (folder / "scheduler").mkdir()
    change_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    found = inspect_checkpoint(folder)
    assert (found.prediction, found.zero_terminal_snr) == expected


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ({"prediction_type": "sample"}, "a base that predicts sample"),
        ({"_class_name": "EDMDPMSolverMultistepScheduler"}, "a base for EDMDPMSolver"),
    ],
)
def test_noise_of_another_kind_is_refused(
    tiny_base: Path, tmp_path: Path, scheduler: dict[str, Any], said: str
) -> None:
    folder = shutil.copytree(tiny_base, tmp_path / "base")
    (folder / "scheduler").mkdir()
    change_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    with pytest.raises(ModelError, match=said):
        inspect_checkpoint(folder)


@pytest.mark.parametrize(
    ("marks", "metadata", "expected"),
    [
        ((), {}, (None, False)),
        (("v_pred",), {}, ("v_prediction", False)),
        (("v_pred", "ztsnr"), {}, ("v_prediction", True)),
        ((), {"modelspec.prediction_type": "v"}, ("v_prediction", False)),
        ((), {"modelspec.prediction_type": "epsilon"}, ("epsilon", False)),
        (("v_pred",), {"modelspec.prediction_type": "epsilon"}, ("v_prediction", False)),
    ],
)
def test_a_single_files_marks_say_what_it_predicts(
    tiny: TinyFamily,
    tmp_path: Path,
    marks: tuple[str, ...],
    metadata: dict[str, str],
    expected: tuple[str | None, bool],
) -> None:
    tensors = load_file(tiny.single_file) | {mark: torch.tensor([]) for mark in marks}
    save_file(tensors, tmp_path / "m.safetensors", metadata)
    base = inspect_checkpoint(tmp_path / "m.safetensors")
    assert (base.prediction, base.zero_terminal_snr) == expected
    tiny.adapter.load_unet(base, torch.float32)


@pytest.mark.parametrize(
    ("table", "said", "expected"),
    [
        ({}, (None, False), ("epsilon", False)),
        ({"family": "sd2"}, (None, False), ("v_prediction", False)),
        ({"family": "sd2"}, ("epsilon", False), ("epsilon", False)),
        ({"family": "sdxl"}, (None, False), ("epsilon", False)),
        ({"family": "sdxl"}, ("v_prediction", True), ("v_prediction", True)),
        ({"prediction_type": "epsilon"}, ("v_prediction", True), ("epsilon", True)),
        (
            {"prediction_type": "v_prediction", "zero_terminal_snr": False},
            ("epsilon", True),
            ("v_prediction", False),
        ),
        ({"zero_terminal_snr": True}, ("v_prediction", False), ("v_prediction", True)),
    ],
)
def test_the_spec_wins_then_the_checkpoint_then_the_family(
    table: dict[str, Any], said: tuple[Any, bool], expected: tuple[str, bool]
) -> None:
    base = BaseTable.model_validate(table)
    checkpoint = Checkpoint(Path("m.safetensors"), "single", base.family, "full", 0, *said)
    resolved = resolve_base(base, checkpoint)
    assert (resolved.prediction_type, resolved.zero_terminal_snr) == expected


def test_another_family_is_a_sentence_with_the_right_one() -> None:
    checkpoint = Checkpoint(Path("m.safetensors"), "single", "sdxl", "full", 0)
    with pytest.raises(ModelError, match=r"is sdxl, but base.family = 'sd15'") as caught:
        resolve_base(BaseTable(), checkpoint)
    assert caught.value.hint == "lorawiz set base.family sdxl"


def change_json(path: Path, values: dict[str, Any]) -> None:
    """Put `values` over what the file holds."""
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**old, **values}))
