"""CLIP text encoders of the Stable Diffusion families: loading, and the states that are read.

Shape suffixes: B batch, T tokens, D width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lorawiz.families.checkpoints import Checkpoint
from lorawiz.families.clip import frame_ids
from lorawiz.families.clip.new_token import read_ids
from lorawiz.families.latent_diffusion.layer_names import openclip_name
from lorawiz.families.latent_diffusion.loading import (
    OpenPart,
    build_empty_model,
    read_config,
)
from lorawiz.families.latent_diffusion.new_tokens import find_new_token
from lorawiz.families.latent_diffusion.weights import read_folder, read_single_file


@dataclass(frozen=True)
class TextEncoderPart:
    """One text encoder of a family."""

    part: str
    """Its folder in a diffusers folder."""
    prefix: str
    """Of its tensors in a single file."""
    naming: Literal["clip", "openclip"]
    """Whose names the single file has: OpenAI's (which transformers keeps), or OpenCLIP's."""
    padding_id: int
    """The token behind the end of a short prompt."""
    lora_prefix: str
    embedding_key: str
    """Of the vectors of a new token in its file, as the web UIs read it."""
    lacks_last_layer: bool = False
    """Whether the single file has one layer more, which no base reads."""


def open_text_part(
    about: TextEncoderPart, checkpoint: Checkpoint, config: Mapping[str, Any]
) -> OpenPart:
    """The text encoder in its file. `config` is for a single file. Raises ModelError."""
    if checkpoint.layout == "diffusers":
        model = build_empty_model(
            about.part, read_config(checkpoint.path / about.part / "config.json")
        )
        return OpenPart(model, read_folder(checkpoint.path, about.part, about.part), _take_clip)
    model = build_empty_model(about.part, config)
    source = read_single_file(checkpoint.path, about.part, about.prefix)
    return OpenPart(model, source, _take_openclip if about.naming == "openclip" else _take_clip)


def encode(model: nn.Module, about: TextEncoderPart, prompts: Sequence[str]) -> tuple[Tensor, Any]:
    """ids_BT that the model reads of the prompts, and all its outputs."""
    device = next(model.parameters()).device
    new_token = find_new_token(model)
    ids = [frame_ids(read_ids(prompt, new_token), about.padding_id) for prompt in prompts]
    ids_BT = torch.tensor(ids, device=device)
    return ids_BT, model(input_ids=ids_BT, output_hidden_states=True)


def read_normed_states(model: nn.Module, outputs: Any, clip_skip: int) -> Tensor:
    """states_BTD of the `clip_skip`-th layer from the end, through the final norm (SD1, SD2)."""
    if clip_skip == 1:
        last_BTD: Tensor = outputs.last_hidden_state
        return last_BTD
    text_model: Any = getattr(model, "text_model", model)
    normed_BTD: Tensor = text_model.final_layer_norm(outputs.hidden_states[-clip_skip])
    return normed_BTD


def _take_clip(tensors: Mapping[str, Tensor], key: str) -> Tensor | None:
    """With or without `text_model.`, which transformers has dropped in some classes."""
    bare = key.removeprefix("text_model.")
    found = tensors.get(f"text_model.{bare}")
    return tensors.get(bare) if found is None else found


def _take_openclip(tensors: Mapping[str, Tensor], key: str) -> Tensor | None:
    if key == "text_projection.weight":
        # OpenCLIP multiplies from the right, and has it without `.weight`
        raw = tensors.get("text_projection")
        return tensors.get(key) if raw is None else raw.t()
    name, third = openclip_name(key.removeprefix("text_model."))
    found = tensors.get(name)
    if found is None or third is None:
        return found
    return found.chunk(3)[third]
