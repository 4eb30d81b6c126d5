"""The VAE in its files: in a base, or in a file of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lorawiz.errors import ModelError, visible_text
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.families.latent_diffusion.layer_names import vae_names
from lorawiz.families.latent_diffusion.loading import (
    OpenPart,
    build_empty_model,
    read_config,
)
from lorawiz.families.latent_diffusion.weights import Source, read_folder, read_single_file

PREFIX = "first_stage_model."
_OLD_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
"""Names that diffusers gave the VAE's attention before 0.18; published folders still have them."""


def open_own_vae(checkpoint: Checkpoint, config: Mapping[str, Any]) -> OpenPart:
    """The VAE inside a base. `config` is the family's. Raises ModelError."""
    if checkpoint.layout == "diffusers":
        return _open_folder(checkpoint.path, "vae", config)
    return _open(read_single_file(checkpoint.path, "vae", PREFIX), config)


def open_separate_vae(path: Path, config: Mapping[str, Any]) -> OpenPart:
    """A VAE of its own: a folder, a single file, or the one inside a whole checkpoint.

    Raises ModelError.
    """
    if path.is_dir():
        part = "vae" if (path / "vae" / "config.json").is_file() else "."
        return _open_folder(path, part, config)
    whole = read_single_file(path, "vae", PREFIX)
    return _open(whole if whole.tensors else read_single_file(path, "vae", ""), config)


def _open_folder(folder: Path, part: str, config: Mapping[str, Any]) -> OpenPart:
    own = read_config(folder / part / "config.json")
    factor, expected = own.get("scaling_factor"), config["scaling_factor"]
    if factor is not None and factor != expected:
        raise ModelError(
            f"{visible_text(str(folder))}: its VAE scales latents by {factor}, the base reads them "
            f"scaled by {expected}",
            "use a VAE of the base's own family",
        )
    return _open(read_folder(folder, part, "vae"), own)


def _open(source: Source, config: Mapping[str, Any]) -> OpenPart:
    vae = build_empty_model("vae", config)
    rename = vae_names(vae.config)

    def take(tensors: Mapping[str, Tensor], key: str) -> Tensor | None:
        for name in (key, rename(key), _old_name(key)):
            if name in tensors:
                return tensors[name]
        return None

    return OpenPart(vae, source, take)


def _old_name(key: str) -> str:
    if "mid_block.attentions.0." not in key:
        return key
    for new, old in _OLD_ATTENTION.items():
        key = key.replace(f".{new}.", f".{old}.")
    return key
