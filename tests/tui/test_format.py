"""Numbers as people read them."""

import math

import pytest

from lorawiz import wording
from lorawiz.tui import format as fmt


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (41.2, "0:41"), (428, "7:08"), (59.6, "1:00"), (3730, "1:02:10"), (-3, "0:00")],
)
def test_durations(seconds: float, text: str) -> None:
    assert wording.show_duration(seconds) == text


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (37_900_000, "37.9 MB"),
        (999_960_000, "1.0 GB"),
        (4_270_000_000, "4.3 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes(num_bytes: int, text: str) -> None:
    assert wording.show_bytes(num_bytes) == text


def test_memory_with_and_without_a_whole() -> None:
    assert fmt.format_memory(int(9.4 * 2**30), 24 * 2**30) == "9.4 / 24 GB"
    assert fmt.format_memory(int(1.25 * 2**30), 0) == "1.2 GB"


def test_speed_is_said_in_the_unit_above_one() -> None:
    assert wording.show_speed(0.543) == "1.84 it/s"
    assert wording.show_speed(2.31) == "2.31 s/it"
    assert wording.show_speed(0) == "– it/s"


def test_rates_and_losses() -> None:
    assert [fmt.format_rate(rate) for rate in (1e-4, 2.5e-5, 1.0, 0.0, math.nan)] == [
        "1.0e-4", "2.5e-5", "1.0e0", "0", "nan",
    ]  # fmt: skip
    assert fmt.format_loss(0.09214) == "0.0921"
    assert fmt.format_loss(math.inf) == "inf"


def test_a_count_agrees_with_its_noun() -> None:
    assert (wording.show_count(1, "save"), wording.show_count(3, "save")) == ("1 save", "3 saves")
