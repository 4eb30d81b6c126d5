"""Three finished runs of one project for the comparison, made from different settings."""

import json
import os
from math import exp, sin
from pathlib import Path
from typing import Any

from lorawiz.spec.document import build_spec, dump_spec
from tests.tui.fake_run import FakeClock, FakeRun

FASTER = {"train": {"learning_rate": 2e-4}, "network": {"dim": 8, "alpha": 4}}


def make_run(
    root: Path, clock: FakeClock, number: int, settings: dict[str, Any], num_steps: int = 300
) -> FakeRun:
    """A finished run; every number has other images, and is younger than the one before."""
    run = FakeRun(root, clock, run_id=f"lyq-{number:04d}")
    freeze(run, settings, number)
    run.launch()
    run.start(total_steps=num_steps)
    run.train(1, num_steps, loss=lambda step: _falling(step, number))
    return run


def freeze(run: FakeRun, settings: dict[str, Any], number: int) -> None:
    run.folder.spec.write_text(dump_spec(build_spec({"schema": 1, **settings})))
    manifest = {
        "images": {f"images/{index}.jpg": "ab" for index in range(40 + number)},
        "dataset_digest": str(number) * 64,
        "versions": {"torch": "2.10.0"},
        "models": {"base": {"name": "sd15", "sha256": "0123456789abcdef"}},
    }
    run.folder.manifest.write_text(json.dumps(manifest))
    os.utime(run.folder.manifest, (1.7e9 + 3600 * number,) * 2)


def _falling(step: int, number: int) -> float:
    return 0.06 + 0.02 * number + 0.1 * exp(-step / (80 * number)) + 0.02 * sin(step * 0.9)
