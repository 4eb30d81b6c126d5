"""The diffusion process: noise levels, noisy latents, what is predicted.

Ho et al. 2020 (arXiv:2006.11239); velocity: Salimans & Ho 2022 (arXiv:2202.00512); zero terminal
SNR: Lin et al. 2023 (arXiv:2305.08891). Shape suffixes: B batch, C channels, H W latent rows and
columns, N training timesteps.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Prediction = Literal["epsilon", "v_prediction"]


@dataclass(frozen=True)
class Diffusion:
    """The noise levels of a base model, and what it predicts."""

    alphas_cumprod_N: Tensor
    """The share of signal left at each timestep (ᾱ), fp32, falling."""
    prediction: Prediction = "epsilon"

    @property
    def num_timesteps(self) -> int:
        return len(self.alphas_cumprod_N)

    @property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio ᾱ / (1 − ᾱ) of each timestep, fp64; 0 where all is noise."""
        alphas_N = self.alphas_cumprod_N.double()
        return alphas_N / (1 - alphas_N)

    def add_noise(self, latents_BCHW: Tensor, noise_BCHW: Tensor, timesteps_B: Tensor) -> Tensor:
        """√ᾱ·latents + √(1−ᾱ)·noise (equation 4)."""
        signal_B111 = self._signal(timesteps_B)
        return signal_B111.sqrt() * latents_BCHW + (1 - signal_B111).sqrt() * noise_BCHW

    def find_target(self, latents_BCHW: Tensor, noise_BCHW: Tensor, timesteps_B: Tensor) -> Tensor:
        """What the model should predict: the noise, or √ᾱ·noise − √(1−ᾱ)·latents."""
        if self.prediction == "epsilon":
            return noise_BCHW
        signal_B111 = self._signal(timesteps_B)
        return signal_B111.sqrt() * noise_BCHW - (1 - signal_B111).sqrt() * latents_BCHW

    def _signal(self, timesteps_B: Tensor) -> Tensor:
        return self.alphas_cumprod_N[timesteps_B].view(-1, 1, 1, 1)


def rescale_to_zero_terminal_snr(alphas_cumprod_N: Tensor) -> Tensor:
    """The same first noise level, and no signal at the last one (Lin et al., algorithm 1)."""
    roots_N = alphas_cumprod_N.double().sqrt()
    first, last = roots_N[0], roots_N[-1]
    rescaled_N: Tensor = ((roots_N - last) * first / (first - last)) ** 2
    return rescaled_N.to(alphas_cumprod_N.dtype)
