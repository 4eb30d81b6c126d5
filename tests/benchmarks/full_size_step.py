"""The cost of a full-size SD1.5 LoRA run on a CPU, beside its floor and any other trainer.

    python -m tests.benchmarks.full_size_step WORKDIR [--threads 2] [--steps 4] [--other 'CMD …']

Builds a checkpoint of random weights (U-Net 859.5 M parameters, CLIP-L, VAE: 4.3 GB, kept in
WORKDIR) and 8 JPEGs, then trains through the real `lorawiz run`: 256 px, batch 1, dim 16, U-Net
only, fp32. `{checkpoint}` and `{images}` in CMD are filled in; its wall time and the peak memory
of its largest process are printed as ratios. Ratios within one call are what counts: absolute
times change with the machine's load.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

SETTINGS = {
    "dataset.resolution": "256",
    "network.dim": "16",
    "network.alpha": "16",
    "network.train_unet_only": "true",
    "train.mixed_precision": "no",
    "train.save_precision": "float",
}


@dataclass(frozen=True)
class JobCost:
    wall_s: float
    peak_bytes: int
    """Peak resident memory of the largest process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--other", default="", metavar="CMD")
    arguments = parser.parse_args()
    os.environ["LORAWIZ_HOME"] = str(arguments.workdir / "home")
    checkpoint = build_checkpoint(arguments.workdir)
    project = build_project(arguments.workdir, checkpoint, arguments.threads, arguments.steps)
    cost = measure([sys.executable, "-m", "lorawiz", "run", "--plain"], project)
    ours = read_run(project)
    floor = measure_floor(arguments.threads)
    print(f"step            {ours['step_s']:8.2f} s   median of {arguments.steps}")
    print(f"first step from {ours['first_step_s']:8.2f} s   after `lorawiz run` began")
    print(f"job             {cost.wall_s:8.2f} s")
    print(f"peak memory     {cost.peak_bytes / 1e9:8.2f} GB")
    print(f"step FLOPs      {floor['tflop']:8.3f} TFLOP (FlopCounterMode)")
    print(f"GEMM peak       {floor['gflops']:8.0f} GFLOP/s")
    print(
        f"floor           {floor['floor_s']:8.2f} s   step / floor = {ours['step_s'] / floor['floor_s']:.2f}"
    )
    if arguments.other:
        command = arguments.other.format(checkpoint=checkpoint, images=arguments.workdir / "photos")
        other = measure(shlex.split(command), arguments.workdir)
        print(
            f"other job       {other.wall_s:8.2f} s   ours / other = {cost.wall_s / other.wall_s:.2f}"
        )
        print(
            f"other memory    {other.peak_bytes / 1e9:8.2f} GB  ours / other = {cost.peak_bytes / other.peak_bytes:.2f}"
        )


def build_checkpoint(workdir: Path) -> Path:
    """The single-file checkpoint, built once, in a process of its own."""
    path = (workdir / "full.safetensors").absolute()
    if not path.exists():
        workdir.mkdir(parents=True, exist_ok=True)
        code = (
            "from pathlib import Path\n"
            "from lorawiz.families.random_base import build_random_base\n"
            "from tests.support.ldm import save_single_file\n"
            f"save_single_file(build_random_base('full', seed=0), Path({str(path)!r}))\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
    return path


def build_project(workdir: Path, checkpoint: Path, threads: int, steps: int) -> Path:
    """A fresh project, so that nothing is cached."""
    import shutil

    from tests.support.projects import save_photo

    for index in range(8):
        save_photo(workdir / "photos" / f"{index}.jpg", (512, 512), seed=index)
        (workdir / "photos" / f"{index}.caption").write_text(f"lyq, photo {index}\n")
    project = workdir / "project"
    shutil.rmtree(project, ignore_errors=True)
    settings = {
        **SETTINGS,
        "train.max_train_steps": str(steps),
        "launch.num_cpu_threads_per_process": str(threads),
    }
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    template = workdir / "bench.toml"
    template.write_text("[template]\ndescription = 'benchmark'\n[project]\ntrigger = 'lyq'\n")
    subprocess.run(
        [
            sys.executable, "-m", "lorawiz", "new", str(template), str(project),
            "--images", str(workdir / "photos"), "--base", str(checkpoint), *flags,
        ],
        check=True,
    )  # fmt: skip
    return project


def measure(command: list[str], folder: Path) -> JobCost:
    """Run a command; watch every process that appears for the peak of its memory."""
    before = {process.pid for process in psutil.process_iter()}
    begin, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, cwd=folder)
    while process.poll() is None:
        for each in psutil.process_iter():
            if each.pid not in before:
                peak = max(peak, _peak_rss_bytes(each.pid))
        time.sleep(1.0)  # seldom: the watcher must not take the cores from what it watches
    if process.returncode:
        raise SystemExit(f"{command[0]} … exited with {process.returncode}")
    return JobCost(time.perf_counter() - begin, peak)


def _peak_rss_bytes(pid: int) -> int:
    """VmHWM of a process; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def read_run(project: Path) -> dict[str, float]:
    """Figures that the run's own journal tells."""
    from datetime import datetime

    journal = next((project / "runs").glob("*/journal.jsonl"))
    events: list[dict[str, Any]] = [json.loads(line) for line in journal.read_text().splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    launched, first = (datetime.fromisoformat(e["time"]) for e in (events[0], steps[0]))
    return {
        "step_s": median(event["step_s"] for event in steps),
        "first_step_s": (first - launched).total_seconds() - steps[0]["step_s"],
    }


def measure_floor(threads: int) -> dict[str, float]:
    """The step's FLOPs, this machine's matrix product, and how long the one takes on the other."""
    code = (
        "import json, time, torch\n"
        "from torch.utils.flop_counter import FlopCounterMode\n"
        "from lorawiz.families import load_adapter\n"
        "from lorawiz.families.conditioning import Framing, TextConditioning\n"
        "from lorawiz.families.random_base import build_random_base\n"
        f"torch.set_num_threads({threads})\n"
        "with torch.device('meta'):\n"
        "    unet = build_random_base('full', 0)['unet'].requires_grad_(False)\n"
        "    latents = torch.randn(1, 4, 32, 32, requires_grad=True)\n"
        "    text, step = TextConditioning(torch.randn(1, 77, 768)), torch.zeros(1)\n"
        "    with FlopCounterMode(display=False) as counter:\n"
        "        predicted = load_adapter('sd15').predict_noise(\n"
        "            unet, latents, step, text, [Framing.whole((256, 256))])\n"
        "        predicted.sum().backward()\n"
        "flop = counter.get_total_flops()\n"
        "a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)\n"
        "times = []\n"
        "for _ in range(12):\n"
        "    begin = time.perf_counter(); a @ b; times.append(time.perf_counter() - begin)\n"
        "speed = 2 * 2048**3 / min(times)\n"
        "print(json.dumps({'tflop': flop / 1e12, 'gflops': speed / 1e9, 'floor_s': flop / speed}))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    values: dict[str, float] = json.loads(answer.stdout.strip().splitlines()[-1])
    return values


if __name__ == "__main__":
    main()
