"""Models out of files: built from a config without memory, then filled tensor by tensor.

What is missing or of another shape is a sentence. Weights are copied out of their file, so that
a file replaced while a run is on changes nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from lorawiz.errors import ModelError, visible_text
from lorawiz.families.latent_diffusion.weights import TITLES, Source
from lorawiz.families.stored import StoredTensor

Read = TypeVar("Read")

_DIFFUSERS_CLASSES: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}
_TEXT_CLASSES: dict[str, Any] = {
    "text_encoder": CLIPTextModel,
    "text_encoder_2": CLIPTextModelWithProjection,
}


Take = Callable[[Mapping[str, Tensor], str], Tensor | None]
"""Finds the tensor of a model's key among a source's; None when it is not there."""


@dataclass(frozen=True)
class OpenPart:
    """A part in its files: what it will be, and where its weights are."""

    model: Any
    """On the meta device; `load` fills it."""
    source: Source
    take: Take

    def load(self, dtype: torch.dtype) -> Any:
        """The model with its weights, frozen, in eval mode. Raises ModelError."""
        return fill(self.model, self.source, dtype, self.take)

    def build(self) -> Any:
        """The model without weights, frozen, in eval mode."""
        return self.model.eval().requires_grad_(False)

    def list_tensors(self) -> dict[str, StoredTensor]:
        """The weights under the model's names, left in their files. Raises ModelError."""
        _read_weights(self.model, self.source, self.take, lambda tensor: None)
        return {
            key: StoredTensor(tuple(wanted.shape), partial(self._read, key))
            for key, wanted in self.model.state_dict().items()
        }

    def _read(self, key: str) -> Tensor:
        found = self.take(self.source.tensors, key)
        assert found is not None
        return found


def take_same(tensors: Mapping[str, Tensor], key: str) -> Tensor | None:
    """The source has the model's own names."""
    return tensors.get(key)


def read_config(path: Path) -> dict[str, Any]:
    """A part's config. Raises ModelError."""
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{visible_text(str(path))}: no readable config") from error
    return values


def build_empty_model(part: str, config: Mapping[str, Any]) -> Any:
    """A part on the meta device: shapes, and no memory. Raises ModelError for a foreign config."""
    try:
        with torch.device("meta"):
            return make_model(part, config)
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(
            f"the config of a {TITLES[part]} makes no model: {visible_text(str(error)[:200])}"
        ) from error


def make_model(part: str, config: Mapping[str, Any]) -> Any:
    """A part of random weights, drawn from torch's global generator."""
    if part in _DIFFUSERS_CLASSES:
        return _DIFFUSERS_CLASSES[part].from_config(dict(config))
    return _TEXT_CLASSES[part](CLIPTextConfig(**config))


def fill(model: nn.Module, source: Source, dtype: torch.dtype, take: Take) -> nn.Module:
    """`model` with its weights from `source`, frozen, in eval mode. Raises ModelError."""
    weights = _read_weights(
        model, source, take,
        lambda tensor: tensor.to(dtype, copy=True, memory_format=torch.contiguous_format),
    )  # fmt: skip
    model.load_state_dict(weights, assign=True)
    _restore_positions(model)
    return model.eval().requires_grad_(False)


def _read_weights(
    model: nn.Module, source: Source, take: Take, read: Callable[[Tensor], Read]
) -> dict[str, Read]:
    """What `read` makes of each tensor that the model wants. Raises ModelError."""
    weights: dict[str, Read] = {}
    missing: list[str] = []
    for key, wanted in model.state_dict().items():
        found = take(source.tensors, key)
        if found is None:
            missing.append(key)
        else:
            weights[key] = read(_fit(found, wanted.shape, f"{source.title}: {key}"))
    if missing:
        raise ModelError(
            f"{source.title} lacks {len(missing)} of {len(missing) + len(weights)} tensors, "
            f"such as {visible_text(missing[0])}",
            "use the complete model: not a pruned, distilled or quantised one",
        )
    return weights


def _fit(found: Tensor, shape: torch.Size, title: str) -> Tensor:
    """The tensor in the model's shape: a 1×1 convolution and a matrix are the same numbers."""
    if found.shape == shape:
        return found
    if [side for side in found.shape if side != 1] == [side for side in shape if side != 1]:
        return found.reshape(shape)
    raise ModelError(
        f"{title} has shape {list(found.shape)}, expected {list(shape)}",
        "it is another model than its other parts say: use the original file",
    )


def _restore_positions(model: nn.Module) -> None:
    """CLIP's position numbers are in no file, so they are still without memory."""
    for module in model.modules():
        positions = getattr(module, "position_ids", None)
        if isinstance(positions, Tensor):
            module.position_ids = torch.arange(positions.shape[-1])[None]
