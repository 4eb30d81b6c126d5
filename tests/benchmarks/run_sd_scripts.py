"""A run of sd-scripts' own trainer, measured: run by sd-scripts' Python from its folder.

    python -m tests.benchmarks.run_sd_scripts OUT NUM_TIMED ARGUMENTS…

ARGUMENTS are those of its train_network.py. Nothing of it is changed: a subclass hears of each
step through the hook that its loop calls.
"""

import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.step_meter import Finished, StepMeter


def main() -> None:
    sys.path.insert(0, "")  # its folder is the working directory
    import train_network  # type: ignore[import-not-found]

    meter = StepMeter(Path(sys.argv[1]), int(sys.argv[2]), before_count=lambda: None)

    class MeasuredTrainer(train_network.NetworkTrainer):  # type: ignore[misc]
        def on_step_start(self, *args: Any, **kwargs: Any) -> None:
            meter.begin_step()
            super().on_step_start(*args, **kwargs)

    parser = train_network.setup_parser()
    arguments = parser.parse_args(sys.argv[3:])
    try:
        MeasuredTrainer().train(arguments)
    except Finished:
        return
    raise SystemExit("the run ended before all was measured")


if __name__ == "__main__":
    main()
