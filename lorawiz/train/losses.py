"""How an error becomes a loss: its kind, and its weight at each noise level.

Weights and thresholds are tables over the timesteps, made once. Sources: min-SNR, Hang et al. 2023
(arXiv:2303.09556); debiased estimation, Yu et al. 2023 (arXiv:2310.08442); scheduled Huber loss,
Khrapov et al. 2024 (arXiv:2403.16728). Shape suffixes: B batch, N training timesteps.
"""

import math

import torch
from torch import Tensor

from lorawiz.spec.training import TrainTable
from lorawiz.train.diffusion import Diffusion

_MAX_SNR = 1000.0
"""Where the signal-to-noise ratio divides, a first timestep without noise would be infinite."""


class Loss:
    """The loss of one run's settings under one base's noise levels."""

    def __init__(self, train: TrainTable, diffusion: Diffusion) -> None:
        self._kind = train.loss_type
        self._weights_N = find_weights(train, diffusion).float()
        self._thresholds_N = find_thresholds(train, diffusion).float()
        self._is_plain = train.loss_type == "l2" and bool((self._weights_N == 1).all())

    def per_image(
        self,
        predicted: Tensor,
        target: Tensor,
        timesteps_B: Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """loss_B in fp32: the mean over each image's elements, times its noise level's weight.

        `predicted` and `target` are [B, …]; `timesteps_B` lies on the CPU; `weights` of the single
        errors, with a mean of 1 in each image, is broadcast to them.
        """
        error = self._measure(predicted.float() - target.float(), timesteps_B)
        if weights is not None:
            error = error * weights
        loss_B = error.flatten(1).mean(dim=1)
        return loss_B if self._is_plain else loss_B * self._at(self._weights_N, timesteps_B, loss_B)

    def _measure(self, difference: Tensor, timesteps_B: Tensor) -> Tensor:
        if self._kind == "l2":
            return difference**2
        if self._kind == "l1":
            return difference.abs()
        shape = (-1, *[1] * (difference.ndim - 1))
        limit = self._at(self._thresholds_N, timesteps_B, difference).view(shape)
        bent = 2 * (torch.sqrt(difference**2 + limit**2) - limit)
        return bent * limit if self._kind == "huber" else bent

    @staticmethod
    def _at(table_N: Tensor, timesteps_B: Tensor, like: Tensor) -> Tensor:
        return table_N[timesteps_B].to(like.device)


def find_weights(train: TrainTable, diffusion: Diffusion) -> Tensor:
    """weights_N of the loss at each timestep, fp64: the product of all that is set."""
    snr_N = diffusion.snr
    bounded_N = snr_N.clamp(max=_MAX_SNR)
    velocity = diffusion.prediction == "v_prediction"
    weights_N = torch.ones_like(snr_N)
    if train.min_snr_gamma is not None:
        capped_N = snr_N.clamp(max=train.min_snr_gamma)
        # at an SNR of zero the limit of min(snr, γ) / snr is 1
        over_snr_N = (train.min_snr_gamma / snr_N).clamp(max=1.0)
        weights_N = weights_N * (capped_N / (snr_N + 1) if velocity else over_snr_N)
    if train.scale_v_pred_loss_like_noise_pred:
        weights_N = weights_N * bounded_N / (bounded_N + 1)
    if train.v_pred_like_loss is not None:
        weights_N = weights_N * (1 + train.v_pred_like_loss * (bounded_N + 1) / bounded_N)
    if train.debiased_estimation_loss:
        weights_N = weights_N * (1 / (bounded_N + 1) if velocity else bounded_N.rsqrt())
    return weights_N


def find_thresholds(train: TrainTable, diffusion: Diffusion) -> Tensor:
    """thresholds_N: the error at each timestep from which huber and smooth_l1 bend, fp64."""
    num, least = diffusion.num_timesteps, train.huber_c
    if train.huber_schedule == "constant":
        return torch.full((num,), least * train.huber_scale, dtype=torch.float64)
    if train.huber_schedule == "exponential":
        progress_N = torch.arange(num, dtype=torch.float64) / num
        return torch.exp(math.log(least) * progress_N) * train.huber_scale
    sigmas_N = diffusion.snr.rsqrt()
    return (1 - least) / (1 + sigmas_N) ** 2 + least
