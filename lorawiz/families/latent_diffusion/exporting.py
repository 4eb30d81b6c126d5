"""A base's parts as one file in the original layout: the inverse of loading one.

Names: CompVis' latent-diffusion, Stability AI's generative-models, OpenCLIP.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lorawiz.families.latent_diffusion.layer_names import openclip_name, unet_names, vae_names
from lorawiz.families.latent_diffusion.text import TextEncoderPart
from lorawiz.families.latent_diffusion.vae import PREFIX as VAE_PREFIX
from lorawiz.families.latent_diffusion.weights import TensorFiles
from lorawiz.families.stored import StoredTensor

UNET_PREFIX = "model.diffusion_model."
_LAYERS = "transformer.resblocks."
_PARTS = (UNET_PREFIX, VAE_PREFIX, "cond_stage_model.", "conditioner.", "model_ema.")
"""Beginnings of names of weights; `model_ema.` are averages that no longer fit."""

Tensors = Mapping[str, StoredTensor]
Named = Iterator[tuple[str, StoredTensor]]


def iter_original_unet(tensors: Tensors, config: Mapping[str, Any]) -> Named:
    """A U-Net's tensors under their original names."""
    rename = unet_names(config)
    for key, tensor in tensors.items():
        yield UNET_PREFIX + rename(key), tensor


def iter_original_vae(tensors: Tensors, config: Mapping[str, Any]) -> Named:
    """A VAE's tensors under their original names; its attention is 1×1 convolutions there."""
    rename = vae_names(config)
    for key, tensor in tensors.items():
        is_matrix = ".attentions." in key and len(tensor.shape) == 2
        shape = (*tensor.shape, 1, 1) if is_matrix else tensor.shape
        yield VAE_PREFIX + rename(key), StoredTensor(shape, tensor.read)


def iter_original_text(tensors: Tensors, about: TextEncoderPart) -> Named:
    """A text encoder's tensors as its family's files have them."""
    bare = {key.removeprefix("text_model."): tensor for key, tensor in tensors.items()}
    if about.naming == "clip":
        for key, tensor in bare.items():
            yield f"{about.prefix}text_model.{key}", tensor
        return
    for key, tensor in _iter_openclip(bare):
        yield about.prefix + key, tensor


def iter_text_extras(found: Tensors, files: Tensors, about: TextEncoderPart) -> Named:
    """What a text encoder's file has beside the weights that are read: the base's own where it
    is a single file.

    Programs expect the layer behind the last that the base reads. Where no file has it, it is a
    copy of the one before, as in sd-scripts, and the projection, which nobody reads either, is
    the identity.
    """
    for name in ("text_model.embeddings.position_ids", "logit_scale"):
        if about.prefix + name in files:
            yield about.prefix + name, files[about.prefix + name]
    if not about.lacks_last_layer:
        return
    layers = about.prefix + _LAYERS
    last = max(int(n[len(layers) :].split(".")[0]) for n in found if n.startswith(layers))
    before, behind = f"{layers}{last}.", f"{layers}{last + 1}."
    for name, tensor in found.items():
        if name.startswith(before):
            copied = behind + name.removeprefix(before)
            yield copied, files.get(copied, tensor)
    width = found[f"{about.prefix}ln_final.weight"].shape[0]
    projection = f"{about.prefix}text_projection"
    made_up = StoredTensor((width, width), lambda: torch.eye(width))
    yield projection, files.get(projection, made_up)


def list_file(files: TensorFiles) -> dict[str, StoredTensor]:
    """All tensors of a single file; numbers that count things keep their dtype."""
    return {
        name: StoredTensor(
            tuple(tensor.shape),
            partial(files.__getitem__, name),
            None if tensor.is_floating_point() else tensor.dtype,
        )
        for name, tensor in files.items()
    }


def iter_file_marks(files: Tensors) -> Named:
    """What a single file says beside its parts: what it predicts, its noise levels.

    They have at most one dimension; anything larger is another model's weights.
    """
    for name, tensor in files.items():
        if len(tensor.shape) <= 1 and not name.startswith(_PARTS):
            yield name, StoredTensor(tensor.shape, tensor.read, tensor.read().dtype)


def iter_marks(is_v_prediction: bool, zero_terminal_snr: bool) -> Named:
    """Empty tensors whose names tell other programs how a base was trained, as ComfyUI reads them."""
    names = ["v_pred"] * is_v_prediction + ["ztsnr"] * zero_terminal_snr
    for name in names:
        yield name, StoredTensor((0,), lambda: torch.zeros(0), torch.float32)


def _iter_openclip(bare: Tensors) -> Named:
    thirds: dict[str, dict[int, StoredTensor]] = {}
    for key, tensor in bare.items():
        if key == "text_projection.weight":
            # OpenCLIP multiplies from the right
            yield "text_projection", StoredTensor(tensor.shape[::-1], _transpose(tensor))
            continue
        name, third = openclip_name(key)
        if third is None:
            yield name, tensor
        else:
            thirds.setdefault(name, {})[third] = tensor
    for name, parts in thirds.items():
        three = [parts[index] for index in range(3)]
        shape = (3 * three[0].shape[0], *three[0].shape[1:])
        yield name, StoredTensor(shape, _concatenate(three))


def _transpose(tensor: StoredTensor) -> Any:
    return lambda: tensor.read().t()


def _concatenate(parts: list[StoredTensor]) -> Any:
    def read() -> Tensor:
        return torch.cat([part.read() for part in parts])

    return read
