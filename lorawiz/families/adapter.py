"""What the trainer asks of a model family: a protocol of a dozen questions.

Shape suffixes: B batch, C latent channels (M is twice that: mean and log-variance), H W latent
rows and columns, Y X pixel rows and columns, T tokens, D width of the text embeddings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lorawiz.families.card import FamilyCard
from lorawiz.families.checkpoints import Checkpoint


@dataclass(frozen=True)
class LoraTarget:
    """One Linear or 1×1 convolution that a LoRA reaches."""

    key: str
    """kohya's name: `lora_unet_…` or `lora_te_…`."""
    parent: nn.Module
    attribute: str

    @property
    def module(self) -> nn.Module:
        found: nn.Module = getattr(self.parent, self.attribute)
        return found


class Adapter(Protocol):
    """The torch side of a family. Models are returned frozen, in eval mode, on the CPU."""

    card: FamilyCard

    def load_vae(self, checkpoint: Checkpoint, vae: Path | None) -> nn.Module:
        """The VAE in fp32: the checkpoint's own, or the one at `vae`."""

    def load_text_encoder(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module: ...

    def load_unet(self, checkpoint: Checkpoint, dtype: torch.dtype) -> Any: ...

    def encode_pixels(self, vae: nn.Module, pixels_BCYX: Tensor) -> Tensor:
        """moments_BMHW of pixels in -1…1: mean and log-variance, unscaled."""

    def scale_latents(self, moments_BMHW: Tensor, noise_BCHW: Tensor) -> Tensor:
        """latents_BCHW drawn from the moments with `noise`, scaled to about unit variance."""

    def decode_latents(self, vae: nn.Module, latents_BCHW: Tensor) -> Tensor:
        """pixels_BCYX in 0…1 of scaled latents."""

    def encode_prompts(
        self, text_encoder: nn.Module, prompts: Sequence[str], clip_skip: int
    ) -> Tensor:
        """text_BTD that the U-Net reads."""

    def predict_noise(
        self, unet: nn.Module, noisy_BCHW: Tensor, timesteps_B: Tensor, text_BTD: Tensor
    ) -> Tensor: ...

    def enable_gradient_checkpointing(self, model: nn.Module) -> None: ...

    def alphas_cumprod(self) -> Tensor:
        """The share of signal left at each of the training timesteps, [1000], fp32."""

    def iter_unet_targets(self, unet: nn.Module) -> Iterator[LoraTarget]: ...

    def iter_text_targets(self, text_encoder: nn.Module) -> Iterator[LoraTarget]: ...
