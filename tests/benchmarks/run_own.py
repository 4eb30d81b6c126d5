"""A run of lorawiz's own trainer, measured: the real loop on a fresh run.

    python -m tests.benchmarks.run_own OUT NUM_TIMED PROJECT

The run is frozen here, so that hashing the base counts as time to the first step. Timed as it is;
counted without the CPU's shortcuts, so that the counts are those of a GPU.
"""

import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.step_meter import Finished, StepMeter


def main() -> None:
    from lorawiz.paths import Project
    from lorawiz.runs.journal import JournalWriter
    from lorawiz.train import loop
    from lorawiz.train.__main__ import main as train
    from tests.support.training import freeze

    meter = StepMeter(Path(sys.argv[1]), int(sys.argv[2]), before_count=_take_no_shortcut)
    write, run_loop = JournalWriter.write, loop.run_loop

    def write_and_measure(self: JournalWriter, event: str, **values: Any) -> None:
        write(self, event, **values)
        if event == "step":
            meter.begin_step()

    def begin_and_run(trainer: Any) -> str:
        meter.begin_step()
        return run_loop(trainer)

    JournalWriter.write = write_and_measure  # type: ignore[method-assign]
    loop.run_loop = begin_and_run
    try:
        code = train([str(freeze(Project(Path(sys.argv[3]))).path)])
    except Finished:
        return
    raise SystemExit(f"the run ended before all was measured: exit code {code}")


def _is_never(x: Any) -> bool:
    return False


def _take_no_shortcut() -> None:
    from lorawiz.train import frozen

    frozen.is_plain_cpu = _is_never


if __name__ == "__main__":
    main()
