"""What a model file or folder is, told by its keys and configs without torch."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorawiz.errors import ModelError, visible_text
from lorawiz.families import FAMILIES
from lorawiz.families.card import FamilyCard, Prediction
from lorawiz.families.safetensors_header import SafetensorsHeader, read_header

Shapes = Mapping[str, tuple[int, ...]]

_UNET_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
_CONTEXT_TAIL = ".transformer_blocks.0.attn2.to_k.weight"
_TEXT_MARKS = {
    "sdxl": ("conditioner.embedders.1.model.ln_final.weight",),
    "sd2": ("cond_stage_model.model.ln_final.weight",),
    "sd15": (
        "cond_stage_model.transformer.text_model.final_layer_norm.weight",
        "cond_stage_model.transformer.final_layer_norm.weight",
    ),
}
"""The text encoder's last norm: it stands elsewhere in each family."""
_REFINER = "the refiner of Stable Diffusion XL"
_FOREIGN_KEYS = {
    "conditioner.embedders.0.model.ln_final.weight": _REFINER,
    "edm_mean": "Playground v2.5, which has noise levels of its own",
    "edm_vpred.sigma_max": "a model with noise levels of its own (EDM)",
}
_OTHER_FAMILIES = {
    "joint_blocks.0.": "Stable Diffusion 3",
    "double_blocks.0.": "Flux or one of its kin",
    "lora_unet_": "a LoRA",
    ".lora_": "a LoRA",
}
"""What a key may hold in a file that has no U-Net of the original layout."""
_INPUT_CHANNELS = {
    5: "a depth model (U-Net with 5 input channels)",
    7: "an upscaler (U-Net with 7 input channels)",
    8: "an InstructPix2Pix model (U-Net with 8 input channels)",
    9: "an inpainting model (U-Net with 9 input channels)",
}
_PREDICTIONS: dict[str, Prediction] = {
    "epsilon": "epsilon", "v_prediction": "v_prediction", "v": "v_prediction",
}  # fmt: skip
_HINT = "bases that can be trained on: " + ", ".join(card.title for card in FAMILIES.values())


@dataclass(frozen=True)
class Recognised:
    """What a base says about itself."""

    family: str
    size: str
    prediction: Prediction | None = None
    """None where it does not say."""
    zero_terminal_snr: bool = False


def recognise_file(path: Path) -> tuple[Recognised, int]:
    """A single file, and its bytes. Raises ModelError for what is not a base of a known family."""
    header = read_header(path)
    shown, shapes = visible_text(path.name), header.shapes
    for key, title in _FOREIGN_KEYS.items():
        if key in shapes:
            raise _unsupported(shown, title)
    if _UNET_INPUT not in shapes:
        raise ModelError(
            f"{shown}: {_name_other(shapes)}, not a base checkpoint",
            "base.checkpoint wants a whole model: U-Net, VAE and text encoder in one file. "
            + _HINT,
        )
    width, channels = shapes[_UNET_INPUT][:2]
    _check_channels(shown, channels)
    family = next((f for f, marks in _TEXT_MARKS.items() if any(m in shapes for m in marks)), None)
    if family is None:
        raise ModelError(
            f"{shown}: a U-Net without its text encoder",
            "use the full checkpoint, not a pruned part",
        )
    size = _match_size(shown, FAMILIES[family], width, _find_context(shapes))
    prediction, zero_terminal_snr = _read_marks(header)
    return Recognised(family, size, prediction, zero_terminal_snr), header.num_bytes


def recognise_folder(folder: Path) -> tuple[Recognised, int]:
    """A diffusers folder, and the bytes of its weights. Raises ModelError."""
    shown = visible_text(str(folder))
    unet = _read_unet_config(folder, shown)
    family = _recognise_unet(shown, unet)
    num_bytes = sum(_check_part(folder, part, shown) for part in FAMILIES[family].parts)
    size = _match_size(
        shown, FAMILIES[family], unet["block_out_channels"][0], unet["cross_attention_dim"]
    )
    prediction, zero_terminal_snr = _read_scheduler(folder, shown)
    return Recognised(family, size, prediction, zero_terminal_snr), num_bytes


def _find_context(shapes: Shapes) -> int:
    """Width of the text embeddings that the U-Net reads; 0 when it reads none."""
    found = (
        shape[-1]
        for key, shape in shapes.items()
        if key.startswith("model.diffusion_model.") and key.endswith(_CONTEXT_TAIL)
    )
    return next(found, 0)


def _name_other(shapes: Iterable[str]) -> str:
    keys = list(shapes)
    for part, title in _OTHER_FAMILIES.items():
        if any(part in key for key in keys):
            return title
    if any(key.startswith(("encoder.conv_in.", "first_stage_model.")) for key in keys):
        return "a VAE alone"
    if any(key.startswith("down_blocks.0.") for key in keys):
        return "a U-Net alone, in diffusers' layout"
    return "a file of other weights"


def _check_channels(shown: str, channels: object) -> None:
    if channels != 4:
        known = _INPUT_CHANNELS.get(channels) if isinstance(channels, int) else None
        raise _unsupported(shown, known or f"a U-Net with {channels} input channels")


def _match_size(shown: str, card: FamilyCard, unet_width: int, context_dim: int) -> str:
    for size, facts in card.sizes.items():
        if facts.unet_width == unet_width and facts.context_dim == context_dim:
            return size
    raise ModelError(
        f"{shown}: like {card.title}, but its U-Net has width {unet_width} and reads text of width "
        f"{context_dim}",
        _HINT,
    )


def _read_marks(header: SafetensorsHeader) -> tuple[Prediction | None, bool]:
    """What a single file says of its noise: marks that trainers leave among the tensors, or
    Stability AI's metadata."""
    said = _PREDICTIONS.get(header.metadata.get("modelspec.prediction_type", ""))
    if "v_pred" in header.shapes:
        said = "v_prediction"
    return said, "ztsnr" in header.shapes


def _read_unet_config(folder: Path, shown: str) -> dict[str, Any]:
    path = folder / "unet" / "config.json"
    if not path.is_file():
        index = _read_json(folder / "model_index.json")
        if (folder / "transformer").is_dir() or (folder / "prior").is_dir():
            raise _unsupported(
                shown, f"a folder of {visible_text(str(index.get('_class_name', 'another kind')))}"
            )
        raise _no_part(shown, "unet")
    unet = _read_json(path)
    widths, context = unet.get("block_out_channels"), unet.get("cross_attention_dim")
    if not (isinstance(widths, list) and widths and isinstance(context, int)):
        raise ModelError(f"{shown}/unet/config.json: not a U-Net's config", _HINT)
    return unet


def _recognise_unet(shown: str, unet: Mapping[str, Any]) -> str:
    _check_channels(shown, unet.get("in_channels", 4))
    context, embedding = unet["cross_attention_dim"], unet.get("addition_embed_type")
    if embedding == "text_time":
        if context == 1280:
            raise _unsupported(shown, _REFINER)
        return "sdxl"
    if embedding:
        raise _unsupported(shown, f"a U-Net with {visible_text(str(embedding))} conditions")
    for name in ("sd15", "sd2"):
        if any(size.context_dim == context for size in FAMILIES[name].sizes.values()):
            return name
    raise ModelError(f"{shown}: a U-Net that reads text of width {context}", _HINT)


def _check_part(folder: Path, part: str, shown: str) -> int:
    """The bytes of a part's weights; each file is whole."""
    if not (folder / part / "config.json").is_file():
        raise _no_part(shown, part)
    weights = list((folder / part).glob("*.safetensors"))
    if not weights:
        pickled = list((folder / part).glob("*.bin"))
        raise ModelError(
            f"{shown}: {part}/ holds {'only pickled weights (.bin)' if pickled else 'no weights'}",
            "download the .safetensors variant of the model",
        )
    return sum(read_header(file).num_bytes for file in weights)


def _read_scheduler(folder: Path, shown: str) -> tuple[Prediction | None, bool]:
    """What a folder says of its noise. Raises ModelError for noise levels of another kind."""
    values = _read_json(folder / "scheduler" / "scheduler_config.json")
    said = values.get("prediction_type")
    if "EDM" in str(values.get("_class_name")) or "FlowMatch" in str(values.get("_class_name")):
        raise _unsupported(shown, f"a base for {visible_text(str(values['_class_name']))}")
    if said is not None and said not in _PREDICTIONS:
        raise _unsupported(shown, f"a base that predicts {visible_text(str(said))}")
    prediction = None if said is None else _PREDICTIONS[said]
    return prediction, values.get("rescale_betas_zero_snr") is True


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none. Raises ModelError for anything else."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError, RecursionError) as error:
        raise ModelError(f"{visible_text(str(path))}: not readable as JSON") from error
    if not isinstance(values, dict):
        raise ModelError(f"{visible_text(str(path))}: not a config")
    return values


def _no_part(shown: str, part: str) -> ModelError:
    return ModelError(
        f"{shown}: no {part}/config.json, so not a whole diffusers folder",
        "point base.checkpoint at a .safetensors file or at a whole diffusers folder",
    )


def _unsupported(shown: str, title: str) -> ModelError:
    return ModelError(f"{shown}: {title}, which lorawiz does not train", _HINT)
