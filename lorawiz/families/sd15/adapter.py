"""Stable Diffusion 1.x in torch: loading, encoding, predicting, LoRA targets.

Weights come through diffusers and transformers; the configs ship with lorawiz, so that one
`.safetensors` file is enough and nothing is asked of the network.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import safe_open
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from lorawiz.errors import ModelError, visible_text
from lorawiz.families.adapter import LoraTarget
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.families.clip import encode_prompt
from lorawiz.families.sd15.card import CARD

_LDM_PREFIXES = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "cond_stage_model.transformer.",
}
_NUM_TIMESTEPS = 1000
_BETA_START, _BETA_END = 0.00085, 0.012


class Sd15Adapter:
    """See `lorawiz.families.adapter.Adapter`."""

    card = CARD

    def load_vae(self, checkpoint: Checkpoint, vae: Path | None) -> nn.Module:
        if vae is not None:
            return _frozen(_load_separate_vae(vae, self._config(checkpoint, "vae")))
        if checkpoint.layout == "diffusers":
            return _frozen(_from_folder(AutoencoderKL, checkpoint.path, "vae", torch.float32))
        weights = _read_part(checkpoint.path, _LDM_PREFIXES["vae"])
        return _frozen(
            AutoencoderKL.from_single_file(
                weights, config=self._config(checkpoint, "vae"), local_files_only=True
            )
        )

    def load_text_encoder(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        if checkpoint.layout == "diffusers":
            return _frozen(_from_folder(CLIPTextModel, checkpoint.path, "text_encoder", dtype))
        config = CLIPTextConfig(**_read_json(Path(self._config(checkpoint, "text_encoder"))))
        with torch.device("meta"):
            model = CLIPTextModel(config)
        weights = _read_part(checkpoint.path, _LDM_PREFIXES["text_encoder"], strip=True)
        weights.pop("text_model.embeddings.position_ids", None)
        if not hasattr(model, "text_model"):  # flattened since transformers 5.6
            weights = {key.removeprefix("text_model."): value for key, value in weights.items()}
        _assign(model, weights, dtype, checkpoint.path)
        _text_model(model).embeddings.position_ids = torch.arange(77)[None]
        return _frozen(model)

    def load_unet(self, checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
        if checkpoint.layout == "diffusers":
            return _frozen(_from_folder(UNet2DConditionModel, checkpoint.path, "unet", dtype))
        weights = _read_part(checkpoint.path, _LDM_PREFIXES["unet"])
        return _frozen(
            UNet2DConditionModel.from_single_file(
                weights,
                config=self._config(checkpoint, "unet"),
                local_files_only=True,
                torch_dtype=dtype,
            )
        )

    def encode_pixels(self, vae: nn.Module, pixels_BCYX: Tensor) -> Tensor:
        moments_BMHW: Tensor = vae.encode(pixels_BCYX).latent_dist.parameters  # type: ignore[operator]
        return moments_BMHW

    def scale_latents(self, moments_BMHW: Tensor, noise_BCHW: Tensor) -> Tensor:
        mean_BCHW, log_variance_BCHW = moments_BMHW.chunk(2, dim=1)
        # the clamp is the VAE's own (Rombach et al. 2022, DiagonalGaussianDistribution)
        std_BCHW = torch.exp(0.5 * log_variance_BCHW.clamp(-30.0, 20.0))
        return (mean_BCHW + std_BCHW * noise_BCHW) * _VAE_SCALE

    def decode_latents(self, vae: nn.Module, latents_BCHW: Tensor) -> Tensor:
        pixels_BCYX: Tensor = vae.decode(latents_BCHW / _VAE_SCALE).sample  # type: ignore[operator]
        return (pixels_BCYX / 2 + 0.5).clamp(0, 1)

    def encode_prompts(
        self, text_encoder: nn.Module, prompts: Sequence[str], clip_skip: int
    ) -> Tensor:
        device = next(text_encoder.parameters()).device
        ids_BT = torch.tensor([encode_prompt(prompt) for prompt in prompts], device=device)
        output = text_encoder(input_ids=ids_BT, output_hidden_states=clip_skip > 1)
        if clip_skip == 1:
            text_BTD: Tensor = output.last_hidden_state
            return text_BTD
        normed_BTD: Tensor = _text_model(text_encoder).final_layer_norm(
            output.hidden_states[-clip_skip]
        )
        return normed_BTD

    def predict_noise(
        self, unet: nn.Module, noisy_BCHW: Tensor, timesteps_B: Tensor, text_BTD: Tensor
    ) -> Tensor:
        predicted_BCHW: Tensor = unet(noisy_BCHW, timesteps_B, text_BTD, return_dict=False)[0]
        return predicted_BCHW

    def enable_gradient_checkpointing(self, model: nn.Module) -> None:
        if isinstance(model, UNet2DConditionModel):
            model.enable_gradient_checkpointing()
        else:
            model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        # both libraries checkpoint only in training mode; neither has dropout of its own here
        model.train()

    def alphas_cumprod(self) -> Tensor:
        """`scaled_linear` betas (Rombach et al. 2022)."""
        roots = torch.linspace(_BETA_START**0.5, _BETA_END**0.5, _NUM_TIMESTEPS)
        return torch.cumprod(1.0 - roots**2, dim=0)

    def iter_unet_targets(self, unet: nn.Module) -> Iterator[LoraTarget]:
        """Every Linear and 1×1 convolution inside a Transformer2DModel: 192."""
        yield from _iter_targets(unet, "lora_unet", {"Transformer2DModel"})

    def iter_text_targets(self, text_encoder: nn.Module) -> Iterator[LoraTarget]:
        """q, k, v, out_proj, fc1 and fc2 of each layer: 72 at full size."""
        prefix = "lora_te" if hasattr(text_encoder, "text_model") else "lora_te_text_model"
        yield from _iter_targets(text_encoder, prefix, {"CLIPAttention", "CLIPMLP"})

    def _config(self, checkpoint: Checkpoint, part: str) -> str:
        return str(CARD.sizes[checkpoint.size].configs / f"{part}.json")


ADAPTER = Sd15Adapter()
_VAE_SCALE = 0.18215


def _iter_targets(model: nn.Module, prefix: str, containers: set[str]) -> Iterator[LoraTarget]:
    for name, container in model.named_modules():
        if type(container).__name__ not in containers:
            continue
        for child_name, child in container.named_modules():
            if not _is_target(child):
                continue
            key = f"{prefix}_{name}.{child_name}".replace(".", "_")
            path, _, attribute = child_name.rpartition(".")
            yield LoraTarget(key, container.get_submodule(path), attribute)


def _is_target(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1)
    return isinstance(module, nn.Linear)


def _frozen(model: Any) -> nn.Module:
    frozen: nn.Module = model.eval().requires_grad_(False)
    return frozen


def _text_model(text_encoder: nn.Module) -> Any:
    return getattr(text_encoder, "text_model", text_encoder)


def _read_json(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return values


def _read_part(path: Path, prefix: str, strip: bool = False) -> dict[str, Tensor]:
    """The tensors under `prefix`. They stay mapped to the file: nothing is read before its use."""
    with safe_open(path, framework="pt") as file:
        return {
            key.removeprefix(prefix) if strip else key: file.get_tensor(key)
            for key in file.keys()  # noqa: SIM118 - a safetensors handle, not a dict
            if key.startswith(prefix)
        }


def _assign(model: nn.Module, weights: dict[str, Tensor], dtype: torch.dtype, path: Path) -> None:
    try:
        model.load_state_dict({k: v.to(dtype) for k, v in weights.items()}, assign=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()[:200]
        raise ModelError(
            f"{visible_text(path.name)}: its text encoder is not SD1.x's: {visible_text(first)}"
        ) from error


def _from_folder(model_class: Any, folder: Path, part: str, dtype: torch.dtype) -> Any:
    files = sorted(file.name for file in (folder / part).glob("*.safetensors"))
    # a folder that holds only the fp16 files is named so in diffusers
    variant = "fp16" if files and all(".fp16." in name for name in files) else None
    return model_class.from_pretrained(
        folder, subfolder=part, torch_dtype=dtype, variant=variant, local_files_only=True,
        use_safetensors=True,
    )  # fmt: skip


def _load_separate_vae(path: Path, config: str) -> Any:
    if path.is_dir():
        part = "vae" if (path / "vae" / "config.json").is_file() else "."
        return AutoencoderKL.from_pretrained(
            path / part, local_files_only=True, use_safetensors=True
        )
    return AutoencoderKL.from_single_file(str(path), config=config, local_files_only=True)
