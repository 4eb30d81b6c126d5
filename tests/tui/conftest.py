"""What the screen tests share: a run, a clock that stands, goldens."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tui.fake_run import FakeClock, FakeRun

GOLDEN = Path(__file__).parent / "golden"
CompareGolden = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def same_terminal_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No pictures, 24-bit colour, UTC, and no theme of the user's."""
    for name, value in {
        "LORAWIZ_IMAGES": "off",
        "COLORTERM": "truecolor",
        "TZ": "UTC",
        "LORAWIZ_LANG": "en",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "TEXTUAL_THEME", "LORAWIZ_THEME"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures as half-cells, which need no particular terminal."""
    monkeypatch.setenv("LORAWIZ_IMAGES", "half")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr("lorawiz.runs.journal._now", clock.now_text)
    return clock


@pytest.fixture
def run(tmp_path: Path, clock: FakeClock) -> FakeRun:
    return FakeRun(tmp_path, clock)


@pytest.fixture
def compare_golden(request: pytest.FixtureRequest) -> CompareGolden:
    """Compares a text with golden/NAME.txt; --update-golden writes it instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name}: pytest --update-golden"

    return compare
