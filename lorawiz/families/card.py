"""What a base model family is, as plain data that every room may read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Prediction = Literal["epsilon", "v_prediction"]
"""What a base predicts: the noise, or the velocity."""
PENULTIMATE = 2
"""The last layer but one, counted as clip_skip counts."""


@dataclass(frozen=True)
class FamilySize:
    """One size of a family: its configs, how a file shows it, and what it weighs."""

    configs: Path
    """Folder with one .json a part (`FamilyCard.parts`), as diffusers and transformers write it, and
    layers.json: all that an adapter may reach (`lorawiz.loras.layout`)."""
    unet_width: int
    """Channels behind the U-Net's first convolution: tells the sizes apart."""
    context_dim: int
    """Width of the text embeddings: 768 in SD1, 1024 in SD2, 2048 in SDXL."""
    num_parameters: tuple[int, int, int]
    """(U-Net, text encoders, VAE)."""
    activation_bytes: float
    """What an fp32 step at batch 1 adds to weights and gradients, for each 256×256 pixels. From
    `lorawiz.train.forecast`, at 256 to 1024 px."""
    checkpointed_bytes: float
    """The same with gradient checkpointing, per 256×256 pixels."""
    vae_scale: int | None = None
    """Pixels per latent cell where this size's VAE differs from the family's."""


@dataclass(frozen=True)
class LoraNames:
    """How a family is called in a LoRA's metadata."""

    architecture: str
    """`modelspec.architecture` (Stability AI's model metadata standard)."""
    base_model_version: str
    """`ss_base_model_version`, as sd-scripts writes it."""
    implementation: str = "diffusers"
    """`modelspec.implementation`: whose layer names the file has."""


@dataclass(frozen=True)
class FamilyCard:
    """One family of base models. Sizes are in pixels."""

    name: str
    title: str
    parts: tuple[str, ...]
    """The models of a base, by their folders in a diffusers folder."""
    names: dict[Prediction, LoraNames]
    vae_scale: int
    """Pixels per latent cell, along a side."""
    latent_channels: int
    latent_factor: float
    """What the VAE's latents are multiplied by to have about unit variance."""
    prediction: Prediction
    """What a base of the family predicts where it does not say so itself."""
    resolution: int
    """Side of the square that its bases were trained at."""
    side_multiple: int
    """Sides of training pictures must be multiples of this: vae_scale × the U-Net's halvings."""
    sizes: dict[str, FamilySize]
    is_v2: bool = False
    """`ss_v2`, as sd-scripts writes it."""
    reads_clip_skip: bool = True
    """Whether base.clip_skip chooses a layer; else it is always the penultimate one."""

    def vae_scale_of(self, size: str) -> int:
        """Pixels per latent cell, along a side, of one size's VAE."""
        return self.sizes[size].vae_scale or self.vae_scale
