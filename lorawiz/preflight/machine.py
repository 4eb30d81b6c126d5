"""What this machine has, without importing torch: the GPU is asked in a child process."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from lorawiz.paths import Project
from lorawiz.runs.locks import find_active_run

_TRAIN_PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "huggingface_hub")


@dataclass(frozen=True)
class TorchFacts:
    """What torch says of this machine."""

    version: str
    device: str
    """cuda, mps or cpu."""
    device_name: str
    device_bytes: int
    """The GPU's memory in all; 0 without one."""
    bf16: bool
    num_devices: int = 1
    """GPUs that it finds."""


@dataclass(frozen=True)
class MachineFacts:
    """This machine as far as a run depends on it."""

    missing_packages: tuple[str, ...]
    """What of the extra `train` is not installed."""
    torch: TorchFacts | None
    """None when it was not asked: no torch, or it would not answer."""
    memory_bytes: int
    free_disk_bytes: int
    active_run: str | None


def look_at_machine(project: Project) -> MachineFacts:
    """Ask the machine. Takes seconds only where there is a GPU driver to ask."""
    missing = missing_packages()
    return MachineFacts(
        missing_packages=missing,
        torch=None if "torch" in missing else _torch_facts(),
        memory_bytes=psutil.virtual_memory().total,
        free_disk_bytes=shutil.disk_usage(project.root).free,
        active_run=find_active_run(project),
    )


def missing_packages() -> tuple[str, ...]:
    """What of the extra `train` is not installed."""
    return tuple(name for name in _TRAIN_PACKAGES if find_spec(name) is None)


def has_gpu_driver() -> bool:
    """Whether an NVIDIA driver or Apple's GPU can be there at all."""
    return (
        sys.platform == "darwin"
        or Path("/proc/driver/nvidia").exists()
        or Path("/dev/nvidiactl").exists()
        or shutil.which("nvidia-smi") is not None
    )


def _torch_facts() -> TorchFacts | None:
    if not has_gpu_driver():
        # torch cannot find what has no driver: no need to spend its seconds of import
        from importlib.metadata import version

        return TorchFacts(version("torch"), "cpu", "CPU", 0, bf16=True)
    return ask_torch()


@cache
def ask_torch() -> TorchFacts | None:
    """Import torch in a child process and let it tell; None when it cannot be imported."""
    answer = subprocess.run(
        [sys.executable, "-m", "lorawiz.preflight.probe"],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ},
    )  # fmt: skip
    try:
        values: dict[str, Any] = json.loads(answer.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return TorchFacts(**values)
