"""What a base model family is, as plain data that every room may read."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FamilySize:
    """One size of a family: where its component configs lie, and how a file shows it."""

    configs: Path
    """Folder with unet.json, vae.json and text_encoder.json as diffusers and transformers write."""
    unet_width: int
    """Channels behind the U-Net's first convolution: tells the sizes apart."""


@dataclass(frozen=True)
class FamilyCard:
    """One family of base models. Counts are of parameters, sizes in pixels."""

    name: str
    title: str
    architecture: str
    """`modelspec.architecture` of a LoRA (Stability AI's model metadata standard)."""
    base_model_version: str
    """`ss_base_model_version`, as sd-scripts writes it."""
    sizes: dict[str, FamilySize]
    context_dim: dict[str, int]
    """Width of the text embeddings by size: tells SD1 (768) from SD2 (1024)."""
    native_resolution: int
    vae_scale: int
    """Pixels per latent cell, along a side."""
    latent_channels: int
    num_lora_modules: tuple[int, int]
    """Modules that a LoRA reaches at default targets: (U-Net, text encoders)."""
    lora_width_sum: tuple[int, int]
    """Sum over those modules of (inputs + outputs), full size: rank × this = LoRA parameters."""
    num_parameters: tuple[int, int, int]
    """(U-Net, text encoders, VAE), full size."""
    activation_bytes: tuple[float, float]
    """(a, b): a full-size fp32 step at batch 1 keeps a·x + b·x² bytes for its backward pass, x
    in units of 256×256 pixels. From 0.66 GB at 256 px and 4.8 GB at 512 px, measured by
    saved-tensor hooks on the meta device."""
    checkpointed_bytes: float
    """The same with gradient checkpointing, per 256×256 pixels."""
