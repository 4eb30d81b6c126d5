"""A caption's random words: true draws, owned by the image, whatever stands beside it."""

import math

import numpy as np
import pytest

from lorawiz.annotate.sampling import (
    NUCLEUS_REPETITION_PENALTY,
    SeededDraw,
    decoding_options,
    drawing_processors,
    gumbel_noise,
)
from lorawiz.spec.annotating import CaptionTable

LOGITS = [2.0, 1.0, 0.5, 0.0, -1.0, -math.inf, 3.0]
STORED_NOISE = [1.2769857, -0.5292248, -0.8921380]


def draw(seed: int, keys: list[str], place: int = 5) -> list[int]:
    """One word for each key, out of the softmax of LOGITS."""
    import torch

    ids = torch.zeros(len(keys), place, dtype=torch.long)
    scores = torch.tensor([LOGITS] * len(keys))
    chosen: list[int] = SeededDraw(seed, keys)(ids, scores).argmax(dim=1).tolist()
    return chosen


def keys(num: int) -> list[str]:
    return [f"{index:064x}" for index in range(num)]


def chi_square(counts: np.ndarray) -> float:
    """Of drawn words against the softmax of LOGITS, over the words that can be drawn."""
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum()
    possible = shares > 0
    expected = shares[possible] * counts.sum()
    return float(((counts[possible] - expected) ** 2 / expected).sum())


def test_draws_over_images_follow_the_softmax() -> None:
    counts = np.bincount(draw(42, keys(20_000)), minlength=len(LOGITS))
    assert counts[5] == 0
    # 5 degrees of freedom: a true sampler stays below 20.5 in 999 of 1000 seeds
    assert chi_square(counts) < 20.5


def test_draws_over_the_places_of_one_image_follow_the_softmax() -> None:
    drawn = [draw(42, ["ab" * 32], place)[0] for place in range(1, 5_001)]
    assert chi_square(np.bincount(drawn, minlength=len(LOGITS))) < 20.5


def test_neighbouring_places_and_seeds_are_drawn_apart() -> None:
    first, next_place, other_seed = (
        draw(1, keys(4_000)),
        draw(1, keys(4_000), 6),
        draw(2, keys(4_000)),
    )
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum()
    by_chance = float((shares**2).sum())
    for other in (next_place, other_seed):
        assert np.mean(np.equal(first, other)) == pytest.approx(by_chance, abs=0.04)


def test_a_row_is_drawn_the_same_beside_any_others() -> None:
    together = draw(42, keys(50))
    assert [draw(42, [key])[0] for key in keys(50)] == together
    assert draw(42, keys(50)[::-1]) == together[::-1]


def test_noise_is_standard_gumbel_and_finite() -> None:
    noise = gumbel_noise(0, "image", 1, 200_000)
    assert np.isfinite(noise).all()
    assert noise.mean() == pytest.approx(0.5772, abs=0.01)
    assert noise.var() == pytest.approx(math.pi**2 / 6, abs=0.02)


def test_noise_is_the_same_on_every_machine() -> None:
    assert gumbel_noise(42, "ab" * 32, 4, 3) == pytest.approx(STORED_NOISE, abs=1e-6)


def test_noise_of_a_larger_vocabulary_begins_the_same() -> None:
    assert np.array_equal(gumbel_noise(1, "k", 2, 10), gumbel_noise(1, "k", 2, 99)[:10])


def test_the_noise_keeps_half_precision_scores_in_their_type() -> None:
    import torch

    scores = torch.zeros(1, 9, dtype=torch.float16)
    noisy = SeededDraw(0, ["k"])(torch.zeros(1, 1, dtype=torch.long), scores)
    assert noisy.dtype == torch.float16


def test_sampling_is_penalised_for_repeating_and_beam_search_is_not() -> None:
    sampling = decoding_options(CaptionTable(), longest=512)
    assert sampling["repetition_penalty"] == NUCLEUS_REPETITION_PENALTY
    assert sampling["num_beams"] == 1
    searching = decoding_options(CaptionTable(beam_search=True, num_beams=4), longest=512)
    assert searching["repetition_penalty"] == 1.0
    assert searching["num_beams"] == 4
    assert drawing_processors(CaptionTable(beam_search=True), ["k"]) == []


def test_lengths_stay_within_the_model_and_each_other() -> None:
    options = decoding_options(CaptionTable(max_length=900, min_length=800), longest=64)
    assert (options["min_length"], options["max_length"]) == (64, 64)
