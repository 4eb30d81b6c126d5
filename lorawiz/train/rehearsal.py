"""A step of a spec without images: its models, random inputs of one bucket, the real loss's path.

On torch's meta device it has shapes and no memory (`lorawiz.train.forecast`); on a real one it is
measured (`lorawiz.train.probe`).
"""

import tomllib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import noop_context_fn

from lorawiz.dataset.buckets import Size
from lorawiz.families import load_adapter
from lorawiz.families.adapter import Contexts
from lorawiz.families.checkpoints import Checkpoint, find_checkpoint, inspect_checkpoint
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.families.resolution import resolve_base
from lorawiz.paths import Project
from lorawiz.spec import Spec
from lorawiz.spec.document import build_spec
from lorawiz.train.building import build_trained, prepare_models
from lorawiz.train.precision import compute_dtype, weights_dtype
from lorawiz.train.trained import Trained, TrainedTogether

META = torch.device("meta")


@dataclass(frozen=True)
class Scene:
    """A spec over a base, at one bucket (width, height) in pixels."""

    spec: Spec
    checkpoint: Checkpoint
    vae: Path | None
    bucket: Size
    ranks: Mapping[str, tuple[int, float]] | None = None

    @property
    def vae_scale(self) -> int:
        """Pixels per latent cell, along a side."""
        return load_adapter(self.spec.base.family).card.vae_scale_of(self.checkpoint.size)


def read_scene(question: dict[str, Any], project: Project) -> Scene:
    """A scene of `{"spec": TOML, "bucket": [width, height]}`. Raises LorawizError."""
    spec = build_spec(tomllib.loads(question["spec"]))
    checkpoint = inspect_checkpoint(find_checkpoint(spec.base.checkpoint, project))
    spec = spec.model_copy(update={"base": resolve_base(spec.base, checkpoint)})
    vae = find_checkpoint(spec.base.vae, project) if spec.base.vae else None
    width, height = question["bucket"]
    return Scene(spec, checkpoint, vae, (width, height))


class Rehearsal:
    """What is in memory while a run trains, and a step of it."""

    def __init__(
        self, scene: Scene, device: torch.device, contexts: Contexts = noop_context_fn
    ) -> None:
        """Loads the weights, but for the meta device. Raises LorawizError."""
        spec = scene.spec
        self.scene, self.device = scene, device
        self.adapter = load_adapter(spec.base.family)
        self.unet = self._make_unet()
        self.text_encoder = self._make_text_encoder() if spec.changes_text else None
        with META if device == META else nullcontext():
            parts: list[Trained] = list(
                build_trained(spec, scene.ranks, self.adapter, self.unet, self.text_encoder, device)
            )
            prepare_models(spec, self.adapter, self.unet, self.text_encoder, device, contexts)
        self.trained = TrainedTogether(parts)
        self.trained.set_training(True)

    @property
    def models(self) -> list[nn.Module]:
        """Those that stay in memory."""
        return [self.unet, *([self.text_encoder] if self.text_encoder is not None else [])]

    def accumulate_gradients(self) -> None:
        """Forward and backward of one batch."""
        width, height = self.scene.bucket
        scale, channels = self.scene.vae_scale, self.adapter.card.latent_channels
        batch = self.scene.spec.dataset.batch_size
        noisy = torch.randn(batch, channels, height // scale, width // scale, device=self.device)
        with self._autocast():
            predicted = self.predict(noisy, self.scene.bucket)
        # called as a function: a method would leave the modes that a forecast is made under
        torch.autograd.backward(predicted.float().square().mean())

    def predict(self, noisy_BCHW: Tensor, size: Size) -> Tensor:
        """predicted_BCHW for pictures of `size` pixels."""
        batch = len(noisy_BCHW)
        timesteps_B = torch.full((batch,), 500, device=self.device)
        return self.adapter.predict_noise(
            self.unet, noisy_BCHW, timesteps_B, self._read_text(batch),
            [Framing.whole(size)] * batch,
        )  # fmt: skip

    def _make_unet(self) -> Any:
        checkpoint, dtype = self.scene.checkpoint, weights_dtype(self.scene.spec, "unet")
        if self.device == META:
            return nn.Module.to(self.adapter.build_unet(checkpoint), dtype=dtype)
        return self.adapter.load_unet(checkpoint, dtype)

    def _make_text_encoder(self) -> nn.Module:
        checkpoint, dtype = self.scene.checkpoint, weights_dtype(self.scene.spec, "text_encoder")
        if self.device == META:
            return self.adapter.build_text_encoder(checkpoint).to(dtype)
        return self.adapter.load_text_encoder(checkpoint, dtype).to(self.device)

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = compute_dtype(self.scene.spec)
        if self.device == META or dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype)

    def _read_text(self, batch: int) -> TextConditioning:
        reading = Reading.of(self.scene.spec)
        if self.text_encoder is not None:
            return self.adapter.encode_prompts(self.text_encoder, [""] * batch, reading)
        config, dtype = self.unet.config, compute_dtype(self.scene.spec)
        num_tokens = reading.max_token_length + 2
        shape = (batch, num_tokens, config.cross_attention_dim)
        states_BTD = torch.randn(shape, device=self.device, dtype=dtype)
        if config.addition_embed_type != "text_time":
            return TextConditioning(states_BTD)
        width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        pooled_BD = torch.randn(batch, width, device=self.device, dtype=dtype)
        return TextConditioning(states_BTD, pooled_BD)
