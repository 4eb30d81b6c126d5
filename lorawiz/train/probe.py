"""Real steps of a spec at its largest bucket: what they take of memory and time here.

    python -m lorawiz.train.probe < QUESTION

Weights are the base's, pictures and text random, the optimizer the spec's; nothing is written.
QUESTION and the answer are described in `lorawiz.preflight.forecasts`.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch

from lorawiz.errors import LorawizError
from lorawiz.paths import Project
from lorawiz.train.averaging import MovingAverage
from lorawiz.train.optimizers import build_optimizer
from lorawiz.train.out_of_memory import is_out_of_memory
from lorawiz.train.rehearsal import Rehearsal, Scene, read_scene

_NUM_STEPS = 3
"""The first allocates; the median of the others is what a step takes."""


def probe(scene: Scene, device: torch.device) -> dict[str, Any]:
    """The peak in bytes, the GPU's where there is one, and the seconds of a step."""
    rehearsal = Rehearsal(scene, device)
    optimizer = build_optimizer(scene.spec, rehearsal.trained)
    decay = scene.spec.train.ema_decay
    average = None if decay is None else MovingAverage(rehearsal.trained, decay)
    times = []
    for step in range(1, _NUM_STEPS + 1):
        begin = time.perf_counter()
        rehearsal.accumulate_gradients()
        optimizer.step()
        if average is not None:
            average.update(step)
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - begin)
    return {"peak_bytes": _read_peak(device), "step_s": median(times[1:])}


def _read_peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    status = Path("/proc/self/status")
    if not status.exists():  # not Linux: what is in use now is the next best
        return int(psutil.Process().memory_info().rss)
    [line] = [each for each in status.read_text().splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def main() -> None:
    asked = json.load(sys.stdin)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    [question] = asked["questions"]
    try:
        answer = probe(read_scene(question, Project(Path(asked["project"]))), device)
    except LorawizError as error:
        answer = {"message": error.message, "hint": error.hint}
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        answer = {"message": "a step does not fit here", "hint": "lorawiz check --memory"}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
