"""The losses against their closed forms, and against figures that sd-scripts' functions gave."""

import math

import pytest
import torch
from torch.nn.functional import l1_loss, mse_loss

from lorawiz.families import load_adapter
from lorawiz.spec.training import TrainTable
from lorawiz.train.diffusion import Diffusion, Prediction, rescale_to_zero_terminal_snr
from lorawiz.train.losses import Loss, find_thresholds, find_weights

TIMESTEPS = torch.tensor([0, 1, 10, 250, 500, 750, 998, 999])
# custom_train_functions.py at these timesteps of SD's noise levels, for a loss of 1
KOHYA_WEIGHTS: list[tuple[dict[str, object], Prediction, list[float]]] = [
    (
        {"min_snr_gamma": 5.0}, "epsilon",
        [0.00425372, 0.00853443, 0.04830568, 1.0, 1.0, 1.0, 1.0, 1.0],
    ),
    (
        {"min_snr_gamma": 5.0}, "v_prediction",
        [0.00425011, 0.00851989, 0.04784346, 0.6737923, 0.27633247, 0.05616981, 0.0047167,
         0.00466009],
    ),
    (
        {"scale_v_pred_loss_like_noise_pred": True}, "v_prediction",
        [0.99900103, 0.99829602, 0.99043131, 0.6737923, 0.27633247, 0.05616981, 0.0047167,
         0.00466009],
    ),
    (
        {"v_pred_like_loss": 0.1}, "epsilon",
        [1.10010004, 1.10017073, 1.1009661, 1.14841366, 1.36188293, 2.78031588, 22.20128059,
         22.45879364],
    ),
    (
        {"debiased_estimation_loss": True}, "epsilon",
        [0.03162278, 0.04131448, 0.09829108, 0.69579941, 1.61827981, 4.09916592, 14.5262804,
         14.61464787],
    ),
    (
        {"debiased_estimation_loss": True}, "v_prediction",
        [0.000999, 0.00170398, 0.00956869, 0.32620767, 0.72366756, 0.94383019, 0.99528331,
         0.99533987],
    ),
]  # fmt: skip
KOHYA_THRESHOLDS = {
    "exponential": [1.0, 0.99770004, 0.97723722, 0.56234133, 0.31622776, 0.17782794, 0.10046156,
                    0.10023053],
    "snr": [0.94970924, 0.93000114, 0.84611821, 0.41296339, 0.23128358, 0.13461339, 0.10373343,
            0.10369129],
    "constant": [0.1] * 8,
}  # fmt: skip
KOHYA_ZERO_TERMINAL = [
    0.99914998, 0.9982335, 0.98979372, 0.6524567, 0.24101855, 0.03279909, 2e-07, 0.0,
]  # fmt: skip


def diffusion(prediction: Prediction = "epsilon", zero_terminal: bool = False) -> Diffusion:
    alphas = load_adapter("sd15").alphas_cumprod()
    return Diffusion(rescale_to_zero_terminal_snr(alphas) if zero_terminal else alphas, prediction)


@pytest.mark.parametrize(("settings", "prediction", "expected"), KOHYA_WEIGHTS)
def test_weights_are_those_of_sd_scripts(
    settings: dict[str, object], prediction: Prediction, expected: list[float]
) -> None:
    weights = find_weights(TrainTable.model_validate(settings), diffusion(prediction))[TIMESTEPS]
    assert weights.tolist() == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("schedule", sorted(KOHYA_THRESHOLDS))
def test_huber_thresholds_are_those_of_sd_scripts(schedule: str) -> None:
    table = TrainTable.model_validate({"loss_type": "huber", "huber_schedule": schedule})
    found = find_thresholds(table, diffusion())[TIMESTEPS]
    assert found.tolist() == pytest.approx(KOHYA_THRESHOLDS[schedule], rel=1e-5)


def test_zero_terminal_snr_is_that_of_sd_scripts() -> None:
    found = diffusion(zero_terminal=True).alphas_cumprod_N[TIMESTEPS]
    assert found.tolist() == pytest.approx(KOHYA_ZERO_TERMINAL, rel=1e-4, abs=1e-7)


def test_min_snr_uses_the_noise_levels_that_are_trained() -> None:
    """sd-scripts takes the ratios from before the zero-terminal fix."""
    levels = diffusion("v_prediction", zero_terminal=True)
    weights = find_weights(TrainTable(min_snr_gamma=5.0), levels)
    snr = levels.snr
    assert torch.allclose(weights, snr.clamp(max=5.0) / (snr + 1))
    assert weights[-1] == 0


@pytest.mark.parametrize("zero_terminal", [False, True])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_min_snr_weight_is_finite_everywhere(prediction: Prediction, zero_terminal: bool) -> None:
    weights = find_weights(TrainTable(min_snr_gamma=5.0), diffusion(prediction, zero_terminal))
    assert torch.isfinite(weights).all()
    assert weights.max() <= 1


def test_nothing_set_is_the_mean_square() -> None:
    predicted, target = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    loss = Loss(TrainTable(), diffusion()).per_image(predicted, target, torch.tensor([0, 5, 9]))
    for index in range(3):
        assert torch.isclose(loss[index], mse_loss(predicted[index], target[index]))


def test_the_kinds_of_loss_are_their_closed_forms() -> None:
    predicted, target = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    difference, times, limit = predicted - target, torch.tensor([3, 700]), 0.1
    bent = 2 * (torch.sqrt(difference**2 + limit**2) - limit)
    expected = {
        "l1": torch.stack([l1_loss(predicted[i], target[i]) for i in range(2)]),
        "huber": (bent * limit).flatten(1).mean(dim=1),
        "smooth_l1": bent.flatten(1).mean(dim=1),
    }
    for kind, values in expected.items():
        table = TrainTable.model_validate({"loss_type": kind, "huber_schedule": "constant"})
        found = Loss(table, diffusion()).per_image(predicted, target, times)
        assert torch.allclose(found, values, atol=1e-6), kind


def test_huber_is_square_for_small_errors_and_straight_for_large_ones() -> None:
    table = TrainTable(loss_type="huber", huber_schedule="constant", huber_c=0.5)
    loss, time = Loss(table, diffusion()), torch.tensor([0])
    small, large = torch.full((1, 1), 1e-3), torch.full((1, 1), 1e3)
    assert math.isclose(float(loss.per_image(small, torch.zeros(1, 1), time)), 1e-6, rel_tol=0.05)
    assert math.isclose(float(loss.per_image(large, torch.zeros(1, 1), time)), 999.5, rel_tol=1e-3)


def test_weights_meet_their_own_image() -> None:
    loss = Loss(TrainTable(min_snr_gamma=5.0), diffusion())
    ones, zeros = torch.ones(2, 4, 2, 2), torch.zeros(2, 4, 2, 2)
    found = loss.per_image(ones, zeros, torch.tensor([0, 500]))
    assert found.tolist() == pytest.approx([0.00425372, 1.0], rel=1e-4)


def test_the_loss_is_computed_in_fp32() -> None:
    half = torch.full((1, 4, 2, 2), 300.0, dtype=torch.float16)
    found = Loss(TrainTable(), diffusion()).per_image(half, -half, torch.tensor([0]))
    assert found.dtype == torch.float32
    assert found.item() == 360_000.0


def test_the_velocity_is_that_of_diffusers() -> None:
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        prediction_type="v_prediction",
    )  # fmt: skip
    latents, noise, times = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8), TIMESTEPS[[0, 4, 7]]
    ours = diffusion("v_prediction").find_target(latents, noise, times)
    expected = theirs.get_velocity(latents, noise, times)
    assert torch.allclose(ours, expected, atol=1e-6)
    assert torch.equal(diffusion().find_target(latents, noise, times), noise)
