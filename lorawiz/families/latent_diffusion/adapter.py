"""The torch side that all Stable Diffusion families share: U-Net, VAE, noise levels.

The configs ship with lorawiz, so that one `.safetensors` file is enough and nothing is asked of
the network. Shape suffixes: see `lorawiz.families.adapter`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.utils.checkpoint import noop_context_fn

from lorawiz.errors import ModelError, visible_text
from lorawiz.families.adapter import Contexts, LoraTarget
from lorawiz.families.card import FamilyCard
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.families.clip.new_token import NewToken
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.families.latent_diffusion.checkpointing import checkpoint_blocks
from lorawiz.families.latent_diffusion.export import SD_FOLDER, BaseExport, FolderFormat
from lorawiz.families.latent_diffusion.exporting import UNET_PREFIX
from lorawiz.families.latent_diffusion.layer_names import unet_names
from lorawiz.families.latent_diffusion.loading import (
    OpenPart,
    build_empty_model,
    read_config,
    take_same,
)
from lorawiz.families.latent_diffusion.new_tokens import add_token
from lorawiz.families.latent_diffusion.targets import iter_text_targets, iter_unet_targets
from lorawiz.families.latent_diffusion.text import (
    TextEncoderPart,
    encode,
    open_text_part,
    read_normed_states,
)
from lorawiz.families.latent_diffusion.vae import open_own_vae, open_separate_vae
from lorawiz.families.latent_diffusion.weights import read_folder, read_single_file

_NUM_TIMESTEPS = 1000
_BETA_START, _BETA_END = 0.00085, 0.012


class LatentDiffusionAdapter:
    """See `lorawiz.families.adapter.Adapter`. As it is: one text encoder, U-Net keys of diffusers."""

    card: FamilyCard
    text_parts: tuple[TextEncoderPart, ...]
    folder: FolderFormat = SD_FOLDER

    def load_vae(self, checkpoint: Checkpoint, vae: Path | None) -> nn.Module:
        # always in fp32: fp16 overflows in it
        loaded: nn.Module = self._open_vae(checkpoint, vae).load(torch.float32)
        return loaded

    def load_text_encoder(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        [part] = self._load_text_parts(checkpoint, dtype)
        return part

    def load_unet(self, checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
        return self._open_unet(checkpoint).load(dtype)

    def build_vae(self, checkpoint: Checkpoint, vae: Path | None) -> nn.Module:
        built: nn.Module = self._open_vae(checkpoint, vae).build()
        return built

    def build_text_encoder(self, checkpoint: Checkpoint) -> nn.Module:
        [part] = self._build_text_parts(checkpoint)
        return part

    def build_unet(self, checkpoint: Checkpoint) -> Any:
        return self._open_unet(checkpoint).build()

    def open_export(
        self,
        checkpoint: Checkpoint,
        vae: Path | None,
        unet: nn.Module | None,
        text_encoder: nn.Module | None,
    ) -> BaseExport:
        parts = {"unet": self._open_unet(checkpoint), "vae": self._open_vae(checkpoint, vae)}
        for about in self.text_parts:
            parts[about.part] = self._open_text_part(about, checkpoint)
        trained = {} if unet is None else {"unet": unet}
        if text_encoder is not None:
            models = self._split_text_encoders(text_encoder)
            trained |= {a.part: m for a, m in zip(self.text_parts, models, strict=True)}
        return BaseExport(self.card, self.folder, checkpoint, parts, self.text_parts, trained)

    def _open_vae(self, checkpoint: Checkpoint, vae: Path | None) -> OpenPart:
        config = self._config(checkpoint, "vae")
        if vae is not None:
            return open_separate_vae(vae, config)
        return open_own_vae(checkpoint, config)

    def _open_unet(self, checkpoint: Checkpoint) -> OpenPart:
        if checkpoint.layout == "diffusers":
            config = read_config(checkpoint.path / "unet" / "config.json")
            unet = build_empty_model("unet", config)
            return OpenPart(unet, read_folder(checkpoint.path, "unet", "unet"), take_same)
        unet = build_empty_model("unet", self._config(checkpoint, "unet"))
        rename = unet_names(unet.config)
        source = read_single_file(checkpoint.path, "unet", UNET_PREFIX)

        def take_original(tensors: Mapping[str, Tensor], key: str) -> Tensor | None:
            return tensors.get(rename(key))

        return OpenPart(unet, source, take_original)

    def encode_pixels(self, vae: nn.Module, pixels_BCYX: Tensor) -> Tensor:
        moments_BMHW: Tensor = vae.encode(pixels_BCYX).latent_dist.parameters  # type: ignore[operator]
        return moments_BMHW

    def scale_latents(self, moments_BMHW: Tensor, noise_BCHW: Tensor) -> Tensor:
        mean_BCHW, log_variance_BCHW = moments_BMHW.chunk(2, dim=1)
        # the clamp is the VAE's own (Rombach et al. 2022, DiagonalGaussianDistribution)
        std_BCHW = torch.exp(0.5 * log_variance_BCHW.clamp(-30.0, 20.0))
        return (mean_BCHW + std_BCHW * noise_BCHW) * self.card.latent_factor

    def decode_latents(self, vae: nn.Module, latents_BCHW: Tensor) -> Tensor:
        unscaled_BCHW = latents_BCHW / self.card.latent_factor
        pixels_BCYX: Tensor = vae.decode(unscaled_BCHW).sample  # type: ignore[operator]
        return (pixels_BCYX / 2 + 0.5).clamp(0, 1)

    def encode_prompts(
        self, text_encoder: nn.Module, prompts: Sequence[str], reading: Reading
    ) -> TextConditioning:
        encoded = encode(text_encoder, self.text_parts[0], prompts, reading)
        states = read_normed_states(text_encoder, encoded.outputs, reading.clip_skip)
        return TextConditioning(encoded.join(states))

    def predict_noise(
        self,
        unet: nn.Module,
        noisy_BCHW: Tensor,
        timesteps_B: Tensor,
        text: TextConditioning,
        framings: Sequence[Framing],
    ) -> Tensor:
        predicted_BCHW: Tensor = unet(
            noisy_BCHW, timesteps_B, text.states_BTD, return_dict=False
        )[0]  # fmt: skip
        return predicted_BCHW

    def enable_gradient_checkpointing(
        self, model: nn.Module, is_offloaded: bool = False, contexts: Contexts = noop_context_fn
    ) -> None:
        is_unet = isinstance(model, UNet2DConditionModel)
        for each in [model] if is_unet else self._split_text_encoders(model):
            checkpoint_blocks(each, is_offloaded, contexts)
        model.train()

    def alphas_cumprod(self) -> Tensor:
        """`scaled_linear` betas (Rombach et al. 2022)."""
        roots = torch.linspace(_BETA_START**0.5, _BETA_END**0.5, _NUM_TIMESTEPS)
        return torch.cumprod(1.0 - roots**2, dim=0)

    def iter_unet_targets(self, unet: nn.Module) -> Iterator[LoraTarget]:
        """Every Linear and 1×1 convolution inside a Transformer2DModel: 192 at full size."""
        yield from iter_unet_targets(unet, lambda name: name)

    def iter_text_targets(self, text_encoder: nn.Module) -> Iterator[LoraTarget]:
        """q, k, v, out_proj, fc1 and fc2 of each layer."""
        models = self._split_text_encoders(text_encoder)
        for model, about in zip(models, self.text_parts, strict=True):
            yield from iter_text_targets(model, about.lora_prefix)

    def add_token(
        self, text_encoder: nn.Module, token: NewToken, init_word: str
    ) -> dict[str, nn.Parameter]:
        models = self._split_text_encoders(text_encoder)
        return {
            about.embedding_key: add_token(model, token, init_word)
            for model, about in zip(models, self.text_parts, strict=True)
        }

    def _split_text_encoders(self, text_encoder: nn.Module) -> Sequence[nn.Module]:
        return (text_encoder,)

    def _load_text_parts(self, checkpoint: Checkpoint, dtype: torch.dtype) -> list[nn.Module]:
        return [self._open_text_part(about, checkpoint).load(dtype) for about in self.text_parts]

    def _build_text_parts(self, checkpoint: Checkpoint) -> list[nn.Module]:
        return [self._open_text_part(about, checkpoint).build() for about in self.text_parts]

    def _open_text_part(self, about: TextEncoderPart, checkpoint: Checkpoint) -> OpenPart:
        return open_text_part(about, checkpoint, self._config(checkpoint, about.part))

    def _config(self, checkpoint: Checkpoint, part: str) -> dict[str, Any]:
        """lorawiz's own config of a part. Raises ModelError for a checkpoint of another family."""
        if checkpoint.family != self.card.name:
            raise ModelError(
                f"{visible_text(checkpoint.path.name)} is {checkpoint.family}, not {self.card.name}",
                f"lorawiz set base.family {checkpoint.family}",
            )
        return read_config(self.card.sizes[checkpoint.size].configs / f"{part}.json")
