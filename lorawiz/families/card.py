"""What a base model family is, as plain data that every room may read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class FamilySize:
    """One size of a family: its configs, how a file shows it, and what it weighs."""

    configs: Path
    """Folder with unet.json, vae.json and text_encoder.json as diffusers and transformers write."""
    unet_width: int
    """Channels behind the U-Net's first convolution: tells the sizes apart."""
    context_dim: int
    """Width of the text embeddings: tells SD1 (768) from SD2 (1024)."""
    num_parameters: tuple[int, int, int]
    """(U-Net, text encoders, VAE)."""
    num_lora_modules: tuple[int, int]
    """Modules that a LoRA reaches at default targets: (U-Net, text encoders)."""
    lora_width_sum: tuple[int, int]
    """Sum over those modules of (inputs + outputs): rank × this = LoRA parameters."""
    activation_bytes: tuple[float, float]
    """(a, b): an fp32 step at batch 1 keeps a·x + b·x² bytes for its backward pass, x in units of
    256×256 pixels. From saved-tensor hooks on the meta device at 256 and 512 px."""
    checkpointed_bytes: float
    """The same with gradient checkpointing, per 256×256 pixels."""


@dataclass(frozen=True)
class FamilyCard:
    """One family of base models. Sizes are in pixels."""

    name: str
    title: str
    architecture: str
    """`modelspec.architecture` of a LoRA (Stability AI's model metadata standard)."""
    base_model_version: str
    """`ss_base_model_version`, as sd-scripts writes it."""
    vae_scale: int
    """Pixels per latent cell, along a side."""
    latent_channels: int
    prediction: Literal["epsilon", "v_prediction"]
    """What its bases usually predict; base.prediction_type says otherwise for a single one."""
    sizes: dict[str, FamilySize]
