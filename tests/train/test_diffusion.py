"""Noise and loss against diffusers, and the draws as pure functions."""

import torch
from diffusers import DDPMScheduler

from lorawiz.dataset.batches import Item, epoch_batches
from lorawiz.dataset.records import ImageRecord
from lorawiz.families import load_adapter
from lorawiz.spec.document import build_spec
from lorawiz.train.diffusion import add_noise, draw_noise, noise_loss

SHAPE = (4, 8, 8)


def items(epoch: int = 1) -> list[Item]:
    records = [ImageRecord(f"images/{i}.jpg", "0" * 64, 64, 64) for i in range(4)]
    spec = build_spec({"schema": 1, "dataset": {"resolution": 64, "min_bucket_reso": 64}})
    found = [item for batch in epoch_batches(spec, records, epoch) for item in batch]
    return sorted(found, key=lambda item: item.record.image_path)


def test_noisy_latents_are_those_of_diffusers() -> None:
    theirs = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    latents, noise = torch.randn(3, *SHAPE), torch.randn(3, *SHAPE)
    timesteps = torch.tensor([0, 500, 999])
    ours = add_noise(latents, noise, timesteps, load_adapter("sd15").alphas_cumprod())
    assert torch.allclose(ours, theirs.add_noise(latents, noise, timesteps), atol=1e-6)


def test_an_images_noise_does_not_depend_on_its_batch() -> None:
    alone = draw_noise(42, items()[2:3], SHAPE, 1000)
    together = draw_noise(42, items(), SHAPE, 1000)
    assert torch.equal(alone.noise_BCHW[0], together.noise_BCHW[2])
    assert torch.equal(alone.vae_noise_BCHW[0], together.vae_noise_BCHW[2])
    assert alone.timesteps_B[0] == together.timesteps_B[2]


def test_draws_differ_by_image_epoch_and_seed_and_repeat_exactly() -> None:
    first = draw_noise(42, items(), SHAPE, 1000)
    assert torch.equal(first.noise_BCHW, draw_noise(42, items(), SHAPE, 1000).noise_BCHW)
    others = [draw_noise(42, items(epoch=2), SHAPE, 1000), draw_noise(7, items(), SHAPE, 1000)]
    assert not any(torch.equal(first.noise_BCHW, other.noise_BCHW) for other in others)
    assert not torch.equal(first.noise_BCHW[0], first.noise_BCHW[1])
    assert not torch.equal(first.noise_BCHW, first.vae_noise_BCHW)


def test_noise_is_normal_and_timesteps_are_uniform() -> None:
    draws = [draw_noise(42, items(epoch), SHAPE, 1000) for epoch in range(1, 200)]
    noise = torch.cat([draw.noise_BCHW for draw in draws])
    timesteps = torch.cat([draw.timesteps_B for draw in draws]).float()
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert 460 < timesteps.mean() < 540
    assert timesteps.min() >= 0
    assert timesteps.max() < 1000


def test_the_loss_is_the_mean_square_in_fp32() -> None:
    predicted, noise = torch.ones(2, *SHAPE, dtype=torch.float16), torch.zeros(2, *SHAPE)
    loss = noise_loss(predicted * 3, noise)
    assert loss == 9.0
    assert loss.dtype == torch.float32
