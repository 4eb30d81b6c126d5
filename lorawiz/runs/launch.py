"""Starting a trainer: accelerate, in a session of its own, that outlives the terminal."""

import os
import subprocess
import sys
import time
from pathlib import Path

from lorawiz.errors import RunError, visible_text
from lorawiz.runs.control import clear_requests
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import JournalWriter
from lorawiz.runs.processes import describe_process, start_detached
from lorawiz.runs.view import load_view
from lorawiz.spec.tables import Spec

_LOG_TAIL_BYTES = 16 << 10
_LOG_LINE_CHARACTERS = 500


def launch_command(run: RunFolder, spec: Spec, resume: bool) -> list[str]:
    """What is executed. Every flag is given, so that no accelerate config has a say."""
    command = [
        sys.executable, "-m", "accelerate.commands.launch",
        "--num_processes", "1",
        "--num_machines", "1",
        "--mixed_precision", spec.train.mixed_precision,
        "--dynamo_backend", "no",
        "--num_cpu_threads_per_process", str(_num_threads(spec)),
        "-m", "lorawiz.train", str(run.path),
    ]  # fmt: skip
    return [*command, "--resume"] if resume else command


def launch(run: RunFolder, spec: Spec, resume: bool = False) -> subprocess.Popen[bytes]:
    """Start the trainer of `run` and note it in the journal."""
    clear_requests(run)
    environment = {**_math_environment(), **os.environ, "PYTHONUNBUFFERED": "1"}
    command = launch_command(run, spec, resume)
    process = start_detached(command, run.log, environment)
    journal = JournalWriter(run.journal)
    journal.write("launch", **describe_process(process.pid).as_event(), command=command)
    journal.close()
    return process


def wait_for_trainer(
    run: RunFolder, process: subprocess.Popen[bytes], timeout_s: float = 300.0
) -> None:
    """Return once the trainer has taken the run lock, or has ended.

    Raises RunError with the end of its log when it died without a word.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        view = load_view(run)
        if view.outcome is not None or view.is_trainer_up:
            return
        if process.poll() is not None:
            time.sleep(0.2)  # its last line may still be on the way
            if load_view(run).outcome is None:
                raise RunError(
                    f"the trainer of {run.run_id} died while starting: {last_log_line(run)}",
                    f"lorawiz logs {run.run_id}",
                )
            return
        time.sleep(0.05)


def last_log_line(run: RunFolder) -> str:
    """The last line of train.log that says something, cut after some hundred characters."""
    try:
        with run.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _LOG_TAIL_BYTES, 0))
            tail = file.read(_LOG_TAIL_BYTES)
    except OSError:
        return ""
    said = [line.strip() for line in tail.decode("utf-8", "replace").splitlines() if line.strip()]
    return visible_text(said[-1][:_LOG_LINE_CHARACTERS]) if said else ""


def _math_environment() -> dict[str, str]:
    """What makes CPU training faster; the user's own values win."""
    environment = {"THP_MEM_ALLOC_ENABLE": "1"}  # torch: huge pages for large tensors
    try:
        processor = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return environment
    if "AuthenticAMD" in processor and " avx2 " in processor:
        # left alone, MKL takes its slowest kernels on AMD
        environment["MKL_CBWR"] = "AVX2"
    return environment


def _num_threads(spec: Spec) -> int:
    if spec.launch.num_cpu_threads_per_process is not None:
        return spec.launch.num_cpu_threads_per_process
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else os.cpu_count() or 1
