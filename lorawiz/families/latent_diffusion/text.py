"""CLIP text encoders of the Stable Diffusion families: loading, and the states that are read.

Shape suffixes: B batch, T tokens, D width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lorawiz.families.checkpoints import Checkpoint
from lorawiz.families.clip import CHUNK_TOKENS, frame_ids
from lorawiz.families.clip.reading import Reading
from lorawiz.families.clip.tokens import read_tokens
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


@dataclass(frozen=True)
class Encoded:
    """What a text encoder makes of B prompts, each in C passes of 77 tokens."""

    outputs: Any
    """Of the model, for B·C passes: those of a prompt stand together."""
    num_chunks: int
    weights_BT: Tensor | None
    """Of the prompts' tokens, as `join` has them; None where all are 1."""

    def join(self, states_NTD: Tensor) -> Tensor:
        """states_BTD of some layer's states of the passes: one start, the tokens of all, one end.

        Each token's vector is multiplied by its weight, as in sd-scripts.
        """
        if self.num_chunks > 1:
            passes = states_NTD.unflatten(0, (-1, self.num_chunks))  # type: ignore[no-untyped-call]
            tokens = passes[:, :, 1:-1].flatten(1, 2)
            states_NTD = torch.cat([passes[:, 0, :1], tokens, passes[:, -1, -1:]], dim=1)
        if self.weights_BT is None:
            return states_NTD
        return states_NTD * self.weights_BT[..., None].to(states_NTD.dtype)

    def first(self, vectors_ND: Tensor) -> Tensor:
        """vectors_BD: those of each prompt's first pass."""
        return vectors_ND[:: self.num_chunks]


def encode(
    model: nn.Module, about: TextEncoderPart, prompts: Sequence[str], reading: Reading
) -> Encoded:
    """What the model makes of the prompts."""
    device = next(model.parameters()).device
    new_token = find_new_token(model)
    ids, weights = [], []
    for prompt in prompts:
        tokens = read_tokens(prompt, new_token, reading.is_weighted)[: reading.max_token_length]
        for chunk in range(reading.num_chunks):
            part = tokens[chunk * CHUNK_TOKENS : (chunk + 1) * CHUNK_TOKENS]
            ids.append(frame_ids([token.id for token in part], about.padding_id))
        padding = [1.0] * (reading.max_token_length + 1 - len(tokens))
        weights.append([1.0, *(token.weight for token in tokens), *padding])
    outputs = model(input_ids=torch.tensor(ids, device=device), output_hidden_states=True)
    are_same = all(weight == 1.0 for row in weights for weight in row)
    weights_BT = None if are_same else torch.tensor(weights, device=device)
    return Encoded(outputs, reading.num_chunks, weights_BT)


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
