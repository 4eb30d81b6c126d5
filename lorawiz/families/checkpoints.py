"""Base checkpoints on the disk: found by name, recognised by content, never unpickled."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lorawiz.errors import ModelError, visible_text
from lorawiz.families import FAMILIES
from lorawiz.families.card import Prediction
from lorawiz.families.recognition import recognise_file, recognise_folder
from lorawiz.hub import HubFiles, find_in_hub_cache, is_hub_id
from lorawiz.paths import (
    Project,
    TellBytes,
    iter_model_candidates,
    model_folders,
    model_sha256,
)

FOLDER_PARTS = tuple(dict.fromkeys(part for card in FAMILIES.values() for part in card.parts))
"""Every folder of a base, over all families."""
HUB_FILES = HubFiles(
    patterns=(
        *(f"{part}/config.json" for part in FOLDER_PARTS),
        *(f"{part}/*.safetensors" for part in FOLDER_PARTS),
        "model_index.json",
        "scheduler/scheduler_config.json",
    ),
    weights=("unet/*.safetensors",),
    advice="unet/, vae/, text_encoder/ and, for SDXL, text_encoder_2/ (config.json and "
    "*.safetensors each)",
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
    prediction: Prediction | None = None
    """What it says that it predicts; None where it does not say."""
    zero_terminal_snr: bool = False
    """Whether it says that its noise levels end in pure noise."""


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
    layout: Literal["single", "diffusers"] = "diffusers" if path.is_dir() else "single"
    found, num_bytes = recognise_folder(path) if path.is_dir() else recognise_file(path)
    return Checkpoint(
        path, layout, found.family, found.size, num_bytes, found.prediction, found.zero_terminal_snr
    )
