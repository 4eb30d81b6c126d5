"""Trains the demo's U-Net and text encoder together, from nothing, on the VAE's latents.

The family's own adapter says the noise levels and reads the prompts, so that what is trained
here is what a LoRA meets. Shape suffixes: B batch, N pictures, C channels, H W latent rows and
columns, T tokens, D text width.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from lorawiz.demo.making.autoencoder import Tell, warmup_cosine
from lorawiz.demo.making.photos import SIDE_PX
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import Framing
from lorawiz.families.sd15.adapter import ADAPTER

_BATCH_SIZE = 16
_PEAK_LR = 1e-3
_TOKEN_STD = 0.1
"""Wider than CLIP's own 0.02: a word that was never trained is still told from another."""
_EMPTY_FRACTION = 0.1
"""How often the caption is left out, for classifier-free guidance (Ho & Salimans 2022)."""
_SNR_CAP = 5.0
"""Min-SNR weighting (Hang et al. 2023): shapes are learned before grain."""
_EMA_DECAY = 0.995
_LATENT_SCALE = 0.18215


@dataclass(frozen=True)
class CaptionedLatents:
    """The cuts of one view, encoded: unscaled means [N, 4, 16, 16], and what they may be called."""

    means_NCHW: Tensor
    captions: tuple[str, ...]
    share: float


class Averages:
    """An exponential moving average of a model's weights: a calmer model than the last step's."""

    def __init__(self, *models: nn.Module) -> None:
        self._weights = [weight for model in models for weight in model.parameters()]
        self._means = [weight.detach().clone() for weight in self._weights]
        self._num_steps = 0

    def update(self) -> None:
        self._num_steps += 1
        decay = min(_EMA_DECAY, (1 + self._num_steps) / (10 + self._num_steps))
        torch._foreach_lerp_(self._means, [w.detach() for w in self._weights], 1 - decay)

    def swap(self) -> None:
        """Put the averages into the models, and the models' own weights here."""
        for weight, mean in zip(self._weights, self._means, strict=True):
            kept = weight.detach().clone()
            weight.data.copy_(mean)
            mean.copy_(kept)


def train_denoiser(
    configs: dict[str, dict[str, object]],
    views: Sequence[CaptionedLatents],
    num_steps: int,
    seed: int,
    tell: Tell,
) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """The U-Net and the text encoder, averaged over the last steps. Draws from `seed` alone."""
    torch.manual_seed(seed)
    unet, text_encoder = _build(configs)
    weights = [*unet.parameters(), *text_encoder.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=_PEAK_LR, betas=(0.9, 0.98), weight_decay=1e-3)
    averages = Averages(unet, text_encoder)
    shares = torch.tensor([view.share for view in views])
    began, recent = time.perf_counter(), 0.0
    for step in range(num_steps):
        for group in optimizer.param_groups:
            group["lr"] = _PEAK_LR * warmup_cosine(step, num_steps)
        means_BCHW, captions = _draw_batch(views, shares)
        loss = _weighted_loss(unet, text_encoder, means_BCHW * _LATENT_SCALE, captions)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        averages.update()
        recent = loss.item() if step == 0 else 0.98 * recent + 0.02 * loss.item()
        if step % 50 == 0 or step == num_steps - 1:
            took = time.perf_counter() - began
            tell(f"unet {step + 1}/{num_steps}  loss {recent:.4f}  {took:.0f} s")
    averages.swap()
    return unet.eval().requires_grad_(False), text_encoder.eval().requires_grad_(False)


def _build(configs: dict[str, dict[str, object]]) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    unet = UNet2DConditionModel.from_config(configs["unet"])
    text_encoder = CLIPTextModel(CLIPTextConfig(**configs["text_encoder"]))
    nn.init.normal_(text_encoder.get_input_embeddings().weight, std=_TOKEN_STD)
    return unet.train(), text_encoder.train()


def _draw_batch(views: Sequence[CaptionedLatents], shares: Tensor) -> tuple[Tensor, list[str]]:
    chosen = torch.multinomial(shares, _BATCH_SIZE, replacement=True).tolist()
    latents, captions = [], []
    for index in chosen:
        view = views[index]
        latents.append(view.means_NCHW[int(torch.randint(len(view.means_NCHW), ()))])
        caption = view.captions[int(torch.randint(len(view.captions), ()))]
        captions.append("" if float(torch.rand(())) < _EMPTY_FRACTION else caption)
    return torch.stack(latents), captions


def _weighted_loss(
    unet: nn.Module, text_encoder: nn.Module, latents_BCHW: Tensor, captions: list[str]
) -> Tensor:
    alphas = ADAPTER.alphas_cumprod()
    timesteps_B = torch.randint(len(alphas), (len(captions),))
    noise_BCHW = torch.randn_like(latents_BCHW)
    signal_B111 = alphas[timesteps_B].view(-1, 1, 1, 1)
    noisy_BCHW = signal_B111.sqrt() * latents_BCHW + (1 - signal_B111).sqrt() * noise_BCHW
    text = ADAPTER.encode_prompts(text_encoder, captions, Reading())
    framings = [Framing.whole((SIDE_PX, SIDE_PX))] * len(captions)
    predicted_BCHW = ADAPTER.predict_noise(unet, noisy_BCHW, timesteps_B, text, framings)
    snr_B = (signal_B111 / (1 - signal_B111)).flatten()
    weight_B = snr_B.clamp(max=_SNR_CAP) / snr_B
    loss_B = (predicted_BCHW - noise_BCHW).square().mean(dim=(1, 2, 3))
    return (weight_B * loss_B).sum() / weight_B.sum()
