"""Base checkpoints on the disk: found by name, recognised by content, never unpickled."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lorawiz.errors import ModelError, visible_text
from lorawiz.families import FAMILIES
from lorawiz.families.safetensors_header import SafetensorsHeader, read_header
from lorawiz.hub import HubFiles, find_in_hub_cache, is_hub_id
from lorawiz.paths import (
    Project,
    TellBytes,
    iter_model_candidates,
    model_folders,
    model_sha256,
)

_LDM_UNET_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
_LDM_CONTEXT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
_LDM_SDXL = "conditioner.embedders.1.model.ln_final.weight"
_LDM_SD2 = "cond_stage_model.model.ln_final.weight"
_LDM_SD15 = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
_FAMILY_HINT = "bases that can be trained on: " + ", ".join(c.title for c in FAMILIES.values())
FOLDER_PARTS = ("unet", "vae", "text_encoder")
HUB_FILES = HubFiles(
    patterns=(
        *(f"{part}/config.json" for part in FOLDER_PARTS),
        *(f"{part}/*.safetensors" for part in FOLDER_PARTS),
        "model_index.json",
    ),
    weights=("unet/*.safetensors",),
    advice="unet/, vae/ and text_encoder/ (config.json and *.safetensors each)",
    command="lorawiz run",
)
"""The files of a hub repository that training reads."""


@dataclass(frozen=True)
class Checkpoint:
    """A base model that is there and has been recognised."""

    path: Path
    layout: Literal["single", "diffusers"]
    """One file in the original (LDM) key layout, or a diffusers folder."""
    family: str
    size: str
    num_bytes: int


def find_checkpoint(name: str, project: Project | None) -> Path:
    """Where the checkpoint or VAE `name` lies. Raises ModelError that lists the folders searched."""
    for candidate in iter_model_candidates(name, project):
        if candidate.exists():
            return candidate
    if is_hub_id(name):
        return find_in_hub_cache(name, HUB_FILES)
    folders = ", ".join(visible_text(str(folder)) for folder in model_folders(project))
    raise ModelError(
        f"{visible_text(name)}: no such model in {folders}",
        "put the file into one of these folders, or: lorawiz set base.checkpoint NAME",
    )


def adopt_checkpoint(name: str, project: Project, tell: TellBytes | None = None) -> tuple[str, str]:
    """Make a checkpoint the project's own. Returns its name for the spec and its SHA-256.

    A path is linked into models/ under its own name; a name is looked up; a hub id that is not
    on this machine yet is taken as it is, without a hash. Raises ModelError for what is not a
    base checkpoint.
    """
    path = Path(name).expanduser()
    if not path.exists():
        if is_hub_id(name) and not any(c.exists() for c in iter_model_candidates(name, project)):
            return name, ""
        found = find_checkpoint(name, project)
        inspect_checkpoint(found)
        return name, model_sha256(found, tell)
    inspect_checkpoint(path)
    if path.resolve().parent != project.models.resolve():
        _link_into(project.models, path)
    return path.name, model_sha256(path, tell)


def _link_into(folder: Path, path: Path) -> None:
    link = folder / path.name
    if os.path.lexists(link):
        if link.resolve() == path.resolve():
            return
        raise ModelError(
            f"{visible_text(str(link))} is there already and is another file",
            "rename one of the two",
        )
    folder.mkdir(parents=True, exist_ok=True)
    link.symlink_to(path.resolve())


def inspect_checkpoint(path: Path) -> Checkpoint:
    """Recognise the checkpoint at `path` from its keys or configs.

    Raises ModelError: pickled, torn, or of a family that lorawiz does not know.
    """
    if path.is_dir():
        return _inspect_folder(path)
    header = read_header(path)
    family, size = _recognise_single_file(path, header)
    return Checkpoint(path, "single", family, size, header.num_bytes)


def _recognise_single_file(path: Path, header: SafetensorsHeader) -> tuple[str, str]:
    shown = visible_text(path.name)
    shapes = header.shapes
    if _LDM_UNET_INPUT not in shapes:
        kind = (
            "a LoRA"
            if any(".lora_" in key or "lora_unet" in key for key in shapes)
            else ("a file of other weights")
        )
        raise ModelError(
            f"{shown}: {kind}, not a base checkpoint",
            "base.checkpoint wants a whole model: U-Net, VAE and text encoder in one file",
        )
    for mark, title in ((_LDM_SDXL, "SDXL"), (_LDM_SD2, "Stable Diffusion 2.x")):
        if mark in shapes:
            raise ModelError(f"{shown}: a checkpoint of {title}", _FAMILY_HINT)
    if _LDM_SD15 not in shapes:
        raise ModelError(
            f"{shown}: a U-Net without its text encoder",
            "use the full checkpoint, not a pruned part",
        )
    return _match_size(shown, shapes[_LDM_UNET_INPUT][0], shapes[_LDM_CONTEXT][1])


def _inspect_folder(path: Path) -> Checkpoint:
    shown = visible_text(str(path))
    for part in FOLDER_PARTS:
        if not (path / part / "config.json").is_file():
            raise ModelError(
                f"{shown}: no {part}/config.json, so not a diffusers folder",
                "point base.checkpoint at a .safetensors file or at a whole diffusers folder",
            )
        weights = list((path / part).glob("*.safetensors"))
        if not weights:
            pickled = list((path / part).glob("*.bin"))
            raise ModelError(
                f"{shown}: {part}/ holds {'only pickled weights (.bin)' if pickled else 'no weights'}",
                "download the .safetensors variant of the model",
            )
        for file in weights:
            read_header(file)
    try:
        unet = json.loads((path / "unet" / "config.json").read_text("utf-8"))
        width, context = unet["block_out_channels"][0], unet["cross_attention_dim"]
    except (ValueError, KeyError, IndexError, TypeError, OSError) as error:
        raise ModelError(f"{shown}/unet/config.json: not a U-Net's config") from error
    if unet.get("addition_embed_type"):
        raise ModelError(f"{shown}: an SDXL folder", _FAMILY_HINT)
    family, size = _match_size(shown, width, context)
    num_bytes = sum(
        f.stat().st_size for p in FOLDER_PARTS for f in (path / p).glob("*.safetensors")
    )
    return Checkpoint(path, "diffusers", family, size, num_bytes)


def _match_size(shown: str, unet_width: int, context_dim: int) -> tuple[str, str]:
    for card in FAMILIES.values():
        for size, facts in card.sizes.items():
            if facts.unet_width == unet_width and facts.context_dim == context_dim:
                return card.name, size
    raise ModelError(
        f"{shown}: a U-Net of width {unet_width} that reads text of width {context_dim}",
        _FAMILY_HINT,
    )
