"""What `lorawiz check --memory` and `--probe` say: phases, and what saves how much."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from lorawiz.cli.output import progress
from lorawiz.errors import RunError
from lorawiz.preflight.forecasts import (
    Forecast,
    Measured,
    Saving,
    can_forecast,
    forecast_savings,
    make_forecast,
    probe,
)
from lorawiz.preflight.inspection import Inspection
from lorawiz.wording import show_bytes


@dataclass(frozen=True)
class MemoryReport:
    """The forecast, the settings that save memory, and what real steps took of both."""

    forecast: Forecast
    measured: Measured | None
    savings: tuple[Saving, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "peak_bytes": self.forecast.peak_bytes,
            "phases": [{"name": n, "peak_bytes": b} for n, b in self.forecast.phases],
            "measured": None if self.measured is None else asdict(self.measured),
            "savings": [
                {
                    "settings": dict(each.settings),
                    "peak_bytes": each.forecast.peak_bytes,
                    "measured": None if each.measured is None else asdict(each.measured),
                }
                for each in self.savings
            ],
        }

    def lines(self) -> Iterator[str]:
        """The report as it is printed."""
        yield ""
        yield f"memory   {show_bytes(self.forecast.peak_bytes):>9}  forecast, the process included"
        for name, num_bytes in self.forecast.phases:
            mark = "  most" if name == self.forecast.peak_phase else ""
            yield f"         {show_bytes(num_bytes):>9}  while {name}{mark}"
        if self.measured is not None:
            yield (
                f"         {show_bytes(self.measured.peak_bytes):>9}  measured while making steps of "
                f"{self.measured.step_s:.2f} s"
            )
        yield "what saves memory, each alone:" if self.savings else "no setting would save memory"
        for each in self.savings:
            yield f"         {show_bytes(each.forecast.peak_bytes):>9}  {each.words}{self._tell(each)}"

    def _tell(self, saving: Saving) -> str:
        if saving.measured is None or self.measured is None:
            return ""
        slower = saving.measured.step_s / self.measured.step_s
        return f"  ({show_bytes(saving.measured.peak_bytes)} measured, × {slower:.2f} time a step)"


def build_memory_report(at: Inspection, is_measured: bool) -> MemoryReport:
    """Forecast what is not known yet, and measure where that is asked. Raises RunError."""
    if not can_forecast(at):
        raise RunError(
            "memory can be foretold where torch, a base and images are there",
            "lorawiz check says what is missing",
        )
    with progress("foretelling memory") as on_progress:
        found = make_forecast(at)
        savings = forecast_savings(at, on_progress)
    if not is_measured:
        return MemoryReport(found, None, tuple(savings))
    with progress("measuring steps") as on_progress:
        on_progress(0, len(savings) + 1)
        measured = probe(at, {})
        for done, saving in enumerate(savings, 1):
            on_progress(done, len(savings) + 1)
            savings[done - 1] = replace(saving, measured=probe(at, saving.settings))
    return MemoryReport(found, measured, tuple(savings))
