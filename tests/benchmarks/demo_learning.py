"""What the demo's LoRA learns, in figures: nearer to the person, other prompts as they were.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.demo_learning WORKDIR [--seeds 1 2 3]

Trains the demo's project through the real `lorawiz run`, twice for each seed: both runs must give
the same tensors. Prints for the first and the last step the distance of the trigger's sample to the
person's photos (pixels, and the features of the demo's VAE), and how far the other prompts moved.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorawiz.cli.class_images import bring_class_images
from lorawiz.cli.demo_job import NUM_CLASS_IMAGES, add_demo_base, make_demo_project
from lorawiz.cli.project import add_sources, find_sources
from lorawiz.demo import KNOWN_SUBJECTS, PORTRAITS
from lorawiz.paths import Project
from tests.support.learning import Distance, measure_distance, measure_drift
from tests.support.training import model_hash

TRIGGER_PROMPTS = ["a photo of zkw woman"] * 4
"""Each is drawn with a seed of its own."""


@dataclass(frozen=True)
class Outcome:
    """What one run drew, by step and prompt, and what it left."""

    samples: dict[tuple[int, int], Path]
    model_hash: str
    train_s: float
    job_s: float
    first_loss: float
    last_loss: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    os.environ["LORAWIZ_HOME"] = str(arguments.workdir / "home")
    project = build_project(arguments.workdir / "demo")
    is_exact = True
    for seed in arguments.seeds:
        runs = [train_once(project, seed) for _ in range(2)]
        is_exact &= runs[0].model_hash == runs[1].model_hash
        print_outcome(seed, runs[0])
    print(f"each seed twice: {'the same tensors' if is_exact else 'DIFFERENT TENSORS'}")
    sys.exit(0 if is_exact else 1)


def build_project(folder: Path) -> Project:
    """The demo's own project, with a sample of everything that the base knows."""
    project = make_demo_project(folder)
    add_sources(project.root, find_sources(list(PORTRAITS)), link=False)
    add_demo_base(project)
    bring_class_images(project, KNOWN_SUBJECTS, NUM_CLASS_IMAGES)
    return project


def train_once(project: Project, seed: int) -> Outcome:
    """One run through the launcher, with `seed`."""
    prompts = [*TRIGGER_PROMPTS, *KNOWN_SUBJECTS]
    began = time.perf_counter()
    subprocess.run(
        [
            sys.executable, "-m", "lorawiz", "run", "--plain",
            "--set", f"train.seed={seed}", "--set", f"sample.prompts={json.dumps(prompts)}",
            "--set", "sample.every_n_epochs=1000",
        ],
        cwd=project.root, check=True, capture_output=True,
    )  # fmt: skip
    job_s = time.perf_counter() - began
    run = max(project.runs.glob("demo-face-*"))
    events = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    return Outcome(
        samples={
            (e["step"], e["index"]): project.root / e["path"]
            for e in events
            if e["event"] == "sample"
        },
        model_hash=model_hash(run / "demo-face.safetensors"),
        train_s=sum(event["step_s"] for event in steps),
        job_s=job_s,
        first_loss=mean([event["loss"] for event in steps[:16]]),
        last_loss=mean([event["loss"] for event in steps[-16:]]),
    )


def print_outcome(seed: int, outcome: Outcome) -> None:
    steps = {step for step, _ in outcome.samples}
    first, last = min(steps), max(steps)
    print(
        f"seed {seed}: {last} steps, {outcome.train_s:.0f} s of training, {outcome.job_s:.0f} s in all; "
        f"loss {outcome.first_loss:.3f} → {outcome.last_loss:.3f}"
    )
    before, after = (measure_trigger(outcome, step) for step in (first, last))
    for name in ("pixels", "features"):
        was, now = (mean([getattr(each, name) for each in some]) for some in (before, after))
        print(f"  to the photos, {name:9} {was:.3f} → {now:.3f}   ×{now / was:.2f}")

    def drift(index: int) -> float:
        return measure_drift(outcome.samples[first, index], outcome.samples[last, index])

    own = mean([drift(index) for index in range(len(TRIGGER_PROMPTS))])
    print(f"  the trigger's samples moved {own:.3f}")
    others = []
    for index, prompt in enumerate(KNOWN_SUBJECTS, len(TRIGGER_PROMPTS)):
        others.append(drift(index))
        print(f"  {prompt:30} moved {others[-1]:.3f}   ×{others[-1] / own:.2f}")
    print(f"  without the trigger, on average ×{mean(others) / own:.2f}")


def measure_trigger(outcome: Outcome, step: int) -> list[Distance]:
    """The distance of each of the trigger's samples at `step` to the nearest photo."""
    indexes = range(len(TRIGGER_PROMPTS))
    return [measure_distance(outcome.samples[step, index], PORTRAITS) for index in indexes]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
