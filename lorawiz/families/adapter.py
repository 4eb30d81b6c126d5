"""What the trainer asks of a model family: a protocol of a dozen questions.

Shape suffixes: B batch, C latent channels (M is twice that: mean and log-variance), H W latent
rows and columns, Y X pixel rows and columns.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import noop_context_fn

from lorawiz.families.card import FamilyCard
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.families.clip.new_token import NewToken
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.families.stored import StoredTensor
from lorawiz.spec.tables import BaseTable

Contexts = Callable[[], tuple[AbstractContextManager[Any], AbstractContextManager[Any]]]
"""What a checkpointed block is entered under, at first and when it is made again."""


@dataclass(frozen=True)
class LoraTarget:
    """One Linear or convolution that a LoRA may reach."""

    key: str
    """kohya's name: `lora_unet_…`, `lora_te_…`, or `lora_te1_…` and `lora_te2_…`."""
    parent: nn.Module
    attribute: str
    is_attention: bool = True
    """In a transformer: reached by default. Others only where convolutions are."""

    @property
    def module(self) -> nn.Module:
        found: nn.Module = getattr(self.parent, self.attribute)
        return found


class Export(Protocol):
    """A whole base to be saved: trained parts from memory, the others as they lie in their files.

    Tensors are read when they are written.
    """

    def name_originally(self, base: BaseTable) -> dict[str, StoredTensor]:
        """The tensors of a single file in the family's original layout."""

    def name_for_folder(self) -> dict[str, dict[str, StoredTensor]]:
        """The tensors of each weights file of a diffusers folder, by the file's path in it."""

    def write_configs(self, folder: Path, base: BaseTable) -> None:
        """All other files of a diffusers folder. Raises OSError."""


class Adapter(Protocol):
    """The torch side of a family. Models are returned frozen, in eval mode, on the CPU.

    Loading raises ModelError for weights that are missing, of other shapes, or not there.
    """

    card: FamilyCard

    def load_vae(self, checkpoint: Checkpoint, vae: Path | None) -> nn.Module:
        """The VAE in fp32: the checkpoint's own, or the one at `vae`."""

    def load_text_encoder(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        """All text encoders of the family as one module."""

    def load_unet(self, checkpoint: Checkpoint, dtype: torch.dtype) -> Any: ...

    def build_vae(self, checkpoint: Checkpoint, vae: Path | None) -> nn.Module:
        """What `load_vae` would return, without weights: on torch's meta device."""

    def build_text_encoder(self, checkpoint: Checkpoint) -> nn.Module:
        """What `load_text_encoder` would return, without weights."""

    def build_unet(self, checkpoint: Checkpoint) -> Any:
        """What `load_unet` would return, without weights."""

    def encode_pixels(self, vae: nn.Module, pixels_BCYX: Tensor) -> Tensor:
        """moments_BMHW of pixels in -1…1: mean and log-variance, unscaled."""

    def scale_latents(self, moments_BMHW: Tensor, noise_BCHW: Tensor) -> Tensor:
        """latents_BCHW drawn from the moments with `noise`, scaled to about unit variance."""

    def decode_latents(self, vae: nn.Module, latents_BCHW: Tensor) -> Tensor:
        """pixels_BCYX in 0…1 of scaled latents."""

    def encode_prompts(
        self, text_encoder: nn.Module, prompts: Sequence[str], reading: Reading
    ) -> TextConditioning:
        """What the U-Net reads of these prompts."""

    def predict_noise(
        self,
        unet: nn.Module,
        noisy_BCHW: Tensor,
        timesteps_B: Tensor,
        text: TextConditioning,
        framings: Sequence[Framing],
    ) -> Tensor:
        """predicted_BCHW: noise or velocity, whichever the base predicts."""

    def open_export(
        self,
        checkpoint: Checkpoint,
        vae: Path | None,
        unet: nn.Module | None,
        text_encoder: nn.Module | None,
    ) -> Export:
        """The base with the parts that are given in place of its own. Raises ModelError for what
        its files lack."""

    def enable_gradient_checkpointing(
        self, model: nn.Module, is_offloaded: bool = False, contexts: Contexts = noop_context_fn
    ) -> None:
        """Let each block keep its inputs alone, in the CPU's memory where they are offloaded.

        `contexts` gives what a block is entered under, at first and when it is made again.
        """

    def alphas_cumprod(self) -> Tensor:
        """The share of signal left at each of the training timesteps, [1000], fp32."""

    def iter_unet_targets(self, unet: nn.Module) -> Iterator[LoraTarget]: ...

    def add_token(
        self, text_encoder: nn.Module, token: NewToken, init_word: str
    ) -> dict[str, nn.Parameter]:
        """Let the text encoders read `token`. Returns its vectors [n, D] in fp32, on the encoders'
        device, by their keys in a file of embeddings.

        They begin as those of `init_word`, over and over where it has fewer tokens.
        """

    def iter_text_targets(self, text_encoder: nn.Module) -> Iterator[LoraTarget]: ...
