"""The draws as pure functions of seed, epoch and image, and what shapes the noise."""

import pytest
import torch

from lorawiz.dataset.batches import Item, epoch_batches
from lorawiz.dataset.records import ImageRecord
from lorawiz.spec.document import build_spec
from lorawiz.spec.training import TrainTable
from lorawiz.train.noise import NoiseDraw, draw_noise, shape_noise

SHAPE = (4, 8, 8)
EVERYTHING = TrainTable(
    noise_offset=0.1, noise_offset_random_strength=True, multires_noise_iterations=6,
    ip_noise_gamma=0.1, ip_noise_gamma_random_strength=True,
)  # fmt: skip


def items(epoch: int = 1) -> list[Item]:
    records = [ImageRecord(f"images/{i}.jpg", "0" * 64, 64, 64) for i in range(4)]
    spec = build_spec({"schema": 1, "dataset": {"resolution": 64, "min_bucket_reso": 64}})
    found = [item for batch in epoch_batches(spec, records, epoch) for item in batch]
    return sorted(found, key=lambda item: item.record.image_path)


def draw_many(train: TrainTable, num_epochs: int = 200) -> list[NoiseDraw]:
    return [draw_noise(train, items(epoch), SHAPE) for epoch in range(1, num_epochs)]


@pytest.mark.parametrize("train", [TrainTable(), EVERYTHING])
def test_an_images_numbers_do_not_depend_on_its_batch(train: TrainTable) -> None:
    alone, together = draw_noise(train, items()[2:3], SHAPE), draw_noise(train, items(), SHAPE)
    for name in NoiseDraw.__dataclass_fields__:
        one, all_of_them = getattr(alone, name), getattr(together, name)
        assert (one is None) == (all_of_them is None)
        assert one is None or torch.equal(one[0], all_of_them[2]), name


def test_draws_differ_by_image_epoch_and_seed_and_repeat_exactly() -> None:
    first = draw_noise(TrainTable(), items(), SHAPE)
    assert torch.equal(first.noise_BCHW, draw_noise(TrainTable(), items(), SHAPE).noise_BCHW)
    others = [
        draw_noise(TrainTable(), items(epoch=2), SHAPE),
        draw_noise(TrainTable(seed=7), items(), SHAPE),
    ]
    assert not any(torch.equal(first.noise_BCHW, other.noise_BCHW) for other in others)
    assert not torch.equal(first.noise_BCHW[0], first.noise_BCHW[1])
    assert not torch.equal(first.noise_BCHW, first.vae_noise_BCHW)


def test_a_setting_that_adds_noise_changes_no_other_number() -> None:
    plain = draw_noise(TrainTable(), items(), SHAPE)
    more = draw_noise(TrainTable(noise_offset=0.1, ip_noise_gamma=0.1), items(), SHAPE)
    assert torch.equal(plain.noise_BCHW, more.noise_BCHW)
    assert torch.equal(plain.vae_noise_BCHW, more.vae_noise_BCHW)
    assert torch.equal(plain.timesteps_B, more.timesteps_B)


def test_noise_is_normal_and_timesteps_are_uniform() -> None:
    draws = draw_many(TrainTable())
    noise = torch.cat([draw.noise_BCHW for draw in draws])
    timesteps = torch.cat([draw.timesteps_B for draw in draws]).float()
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert 460 < timesteps.mean() < 540
    assert timesteps.min() >= 0
    assert timesteps.max() < 1000


def test_timesteps_stay_in_their_range() -> None:
    draws = draw_many(TrainTable(min_timestep=200, max_timestep=210))
    assert {int(t) for draw in draws for t in draw.timesteps_B} == set(range(200, 210))


def test_the_offset_shifts_whole_channels_by_its_strength() -> None:
    train = TrainTable(noise_offset=0.5)
    draw = draw_noise(train, items(), SHAPE)
    shift = shape_noise(train, draw, torch.zeros(4, *SHAPE)) - draw.noise_BCHW
    assert torch.allclose(shift, shift[..., :1, :1].expand_as(shift), atol=1e-6)
    shifts = torch.cat(
        [
            (shape_noise(train, d, torch.zeros(4, *SHAPE)) - d.noise_BCHW)[..., 0, 0].flatten()
            for d in draw_many(train)
        ]
    )
    assert abs(shifts.std() - 0.5) < 0.03


def test_a_random_offset_is_at_most_the_setting_and_differs_by_image() -> None:
    draw = draw_noise(EVERYTHING, items(), SHAPE)
    assert draw.offset_strength_B is not None
    assert (draw.offset_strength_B <= 0.1).all()
    assert len(set(draw.offset_strength_B.tolist())) == 4


def test_an_adaptive_offset_follows_the_channels_mean_and_is_never_negative() -> None:
    train = TrainTable(noise_offset=0.1, adaptive_noise_scale=-0.2)
    draw = draw_noise(train, items(), SHAPE)
    assert draw.offset_BC11 is not None
    bright = torch.ones(4, *SHAPE)
    assert torch.equal(shape_noise(train, draw, bright), draw.noise_BCHW)  # 0.1 - 0.2 < 0
    faint = 0.25 * bright
    expected = draw.noise_BCHW + 0.05 * draw.offset_BC11
    assert torch.allclose(shape_noise(train, draw, faint), expected, atol=1e-6)


def test_multires_noise_has_unit_variance_and_more_of_it_coarse() -> None:
    shape = (4, 32, 32)
    plain = draw_noise(TrainTable(), items(), shape).noise_BCHW
    train = TrainTable(multires_noise_iterations=6, multires_noise_discount=0.5)
    coarse = draw_noise(train, items(), shape).noise_BCHW
    assert torch.allclose(coarse.flatten(1).std(dim=1), torch.ones(4), atol=1e-4)

    def blocks(noise: torch.Tensor) -> float:
        return float(torch.nn.functional.avg_pool2d(noise, 8).std())

    assert blocks(coarse) > 2 * blocks(plain)


def test_input_perturbation_is_seen_but_not_to_be_predicted() -> None:
    train = TrainTable(ip_noise_gamma=0.2)
    draws = draw_many(train)
    extra = torch.cat([draw.extra_BCHW for draw in draws if draw.extra_BCHW is not None])
    assert abs(extra.std() - 0.2) < 0.01
    assert torch.equal(shape_noise(train, draws[0], torch.zeros(4, *SHAPE)), draws[0].noise_BCHW)
