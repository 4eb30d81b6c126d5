"""lorawiz beside sd-scripts and diffusers: time, memory and counts of a step, as ratios.

    python -m tests.benchmarks.beside_peers WORKDIR --sd-scripts FOLDER --sd-scripts-python PYTHON

SD1.5 of full size and random weights, 256 px, batch 1, a U-Net LoRA of dim 16, fp32, AdamW.
Each trainer is a process of its own, one at a time, in turn for each of `--rounds`: the machine
may be shared, so medians over rounds and their ratios are what counts. With one thread: two that
share a core with others wait for each other. A peer that is not given is left out; nothing of it
is in this repository.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.full_size_step import build_checkpoint, build_project, measure_floor
from tests.benchmarks.kohya_inputs import build_photo_folder, build_tokenizer_folder

Figures = dict[str, Any]
SD_SCRIPTS_SETTINGS = {
    "resolution": "256,256",
    "train_batch_size": "1",
    "max_train_steps": "64",
    "network_module": "networks.lora",
    "network_dim": "16",
    "network_alpha": "16",
    "caption_extension": ".caption",
    "mixed_precision": "no",
    "optimizer_type": "AdamW",
    "learning_rate": "1e-4",
    "seed": "1",
    "max_data_loader_n_workers": "0",
    "save_model_as": "safetensors",
}
SD_SCRIPTS_FLAGS = ("--network_train_unet_only", "--cache_latents", "--sdpa")


@dataclass(frozen=True)
class Row:
    """One figure and what the issue asks of it."""

    title: str
    key: str
    unit: str
    targets: dict[str, float]
    """The largest ratio to each trainer."""


ROWS = (
    Row("step", "step_s", "s", {"sd-scripts": 0.60, "diffusers": 0.55}),
    Row("first step after", "first_step_s", "s", {"sd-scripts": 0.25}),
    Row("peak memory", "peak_bytes", "GB", {"sd-scripts": 0.6}),
    Row("kernels of a step", "num_kernels", "", {"sd-scripts": 0.7, "diffusers": 0.7}),
    Row("kept for backward", "kept_bytes", "GB", {"sd-scripts": 0.7, "diffusers": 0.7}),
    Row("waits for the host", "num_syncs", "", {"sd-scripts": 0.7, "diffusers": 0.7}),
    Row("read in a step", "read_bytes", "GB", {"sd-scripts": 0.7}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--sd-scripts", type=Path, help="a folder with its train_network.py")
    parser.add_argument("--sd-scripts-python", type=Path, help="the Python it is installed for")
    parser.add_argument("--no-diffusers", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    given = parser.parse_args()
    workdir: Path = given.workdir.absolute()
    os.environ.update(
        LORAWIZ_HOME=str(workdir / "home"),
        OMP_NUM_THREADS=str(given.threads),
        PYTHONPATH=str(Path(__file__).parents[2]),
        HF_HUB_OFFLINE="1",
    )
    measured: dict[str, list[Figures]] = {}
    commands = build_commands(given, workdir)
    for index in range(given.rounds):
        for name, (command, folder) in commands.items():
            print(f"round {index + 1}: {name}", file=sys.stderr)
            figures = run_child(command, folder, workdir / f"{name}.json", given.steps)
            measured.setdefault(name, []).append(figures)
    floor = measure_floor(given.threads)
    (workdir / "measured.json").write_text(json.dumps({**measured, "floor": floor}))
    print("\n".join(describe(measured, floor["floor_s"])))


def build_commands(given: argparse.Namespace, workdir: Path) -> dict[str, tuple[list[str], Path]]:
    """For each trainer, what to run and where; OUT and NUM_TIMED come behind the module."""
    checkpoint = build_checkpoint(workdir)
    project = build_project(workdir, checkpoint, given.threads, steps=64)
    own = [sys.executable, "-m", "tests.benchmarks.run_own", str(project)]
    commands = {"lorawiz": (own, workdir)}
    if given.sd_scripts:
        values = {
            **SD_SCRIPTS_SETTINGS,
            "pretrained_model_name_or_path": str(checkpoint),
            "train_data_dir": str(build_photo_folder(workdir)),
            "tokenizer_cache_dir": str(build_tokenizer_folder(workdir)),
            "output_dir": str(workdir / "sd-scripts"),
            "output_name": "lyq",
        }
        python = str(given.sd_scripts_python.absolute())
        flags = [part for key, value in values.items() for part in (f"--{key}", value)]
        command = [python, "-m", "tests.benchmarks.run_sd_scripts", *flags, *SD_SCRIPTS_FLAGS]
        commands["sd-scripts"] = (command, given.sd_scripts)
    if not given.no_diffusers:
        module = "tests.benchmarks.run_diffusers"
        command = [sys.executable, "-m", module, str(checkpoint), "sd15", "256"]
        commands["diffusers"] = (command, workdir)
    return commands


def run_child(command: list[str], folder: Path, out: Path, num_steps: int) -> Figures:
    """The figures of one process. Its output goes to a log beside them."""
    out.unlink(missing_ok=True)
    python, dash, module, *rest = command
    with out.with_suffix(".log").open("w") as log:
        subprocess.run(
            [python, dash, module, str(out), str(num_steps), *rest],
            cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=True,
        )  # fmt: skip
    figures: Figures = json.loads(out.read_text())
    figures["step_s"] = median(figures["step_s"])
    return figures


def describe(measured: dict[str, list[Figures]], floor_s: float) -> list[str]:
    """The table, a line for each figure and peer: ours, theirs, the ratio, the target."""
    ours = measured["lorawiz"]
    lines = []
    for row in ROWS:
        own = _middle(ours, row.key)
        lines.append(f"{row.title:20} {_show(own, row.unit)}")
        for peer, target in row.targets.items():
            if peer not in measured:
                continue
            other = _middle(measured[peer], row.key)
            ratio = own / other if other else float("inf")
            verdict = "" if ratio <= target else "  NOT MET"
            lines.append(
                f"  {peer:18} {_show(other, row.unit)}  ratio {ratio:5.2f} of {target:.2f}{verdict}"
            )
    ratio = _middle(ours, "step_s") / floor_s
    verdict = "" if ratio <= 1.7 else "  NOT MET"
    lines.append(f"{'matrix product':20} {floor_s:9.2f} s   ratio {ratio:5.2f} of 1.70{verdict}")
    cold, *warm = [figures["first_step_s"] for figures in ours]
    lines.append(
        f"first run {cold:.1f} s, later runs {', '.join(f'{s:.1f}' for s in warm)} s to step 1"
    )
    return lines


def _middle(rounds: list[Figures], key: str) -> float:
    return float(median(figures[key] for figures in rounds))


def _show(value: float, unit: str) -> str:
    return f"{value / 1e9:9.3f} GB" if unit == "GB" else f"{value:9.2f} {unit:2}"


if __name__ == "__main__":
    main()
