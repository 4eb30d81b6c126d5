"""Starting a trainer: accelerate, in a session of its own, that outlives the terminal."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
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
_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class Launch:
    """How a trainer is started."""

    run: RunFolder
    spec: Spec
    resume: bool = False
    machine_rank: int = 0
    """Which of `num_machines` this is."""
    num_processes: int | None = None
    """Processes on this single machine, in place of the spec's; the steps stay the same."""

    @property
    def processes_here(self) -> int:
        return self.num_processes or self.spec.launch.processes_here

    @property
    def command(self) -> list[str]:
        """What is executed. Every flag is given, so that no accelerate config has a say."""
        command = [
            sys.executable, "-m", "accelerate.commands.launch",
            *self._list_process_flags(),
            "--mixed_precision", self.spec.train.mixed_precision,
            "--dynamo_backend", "no",
            "--num_cpu_threads_per_process", str(self._num_threads),
            "-m", "lorawiz.train", str(self.run.path),
        ]  # fmt: skip
        return [*command, "--resume"] if self.resume else command

    @property
    def log(self) -> Path:
        """Where its output goes: each machine has a file of its own."""
        name = f"train-{self.machine_rank}.log"
        return self.run.path / name if self.machine_rank else self.run.log

    @property
    def environment(self) -> dict[str, str]:
        own = {**_math_environment(), **os.environ, "PYTHONUNBUFFERED": "1"}
        for name in _RANK_VARIABLES:  # of a job that this one was started in
            own.pop(name, None)
        if self._is_alone and sys.platform == "linux":
            # else it asks for the host's name, which many a rented box does not know
            own.setdefault("GLOO_SOCKET_IFNAME", "lo")
        return own

    @property
    def _is_alone(self) -> bool:
        """Whether all processes are on this machine."""
        return self.num_processes is not None or self.spec.launch.num_machines == 1

    def _list_process_flags(self) -> list[str]:
        table = self.spec.launch
        if self._is_alone:
            here = ["--num_processes", str(self.processes_here), "--num_machines", "1"]
            if self.processes_here == 1:
                return here
            return ["--multi_gpu", *here, "--gpu_ids", "all", "--main_process_port", "0"]
        return [
            "--multi_gpu",
            "--num_processes", str(table.num_processes),
            "--num_machines", str(table.num_machines),
            "--machine_rank", str(self.machine_rank),
            "--gpu_ids", "all",
            "--main_process_ip", table.main_process_ip,
            "--main_process_port", str(table.main_process_port),
        ]  # fmt: skip

    @property
    def _num_threads(self) -> int:
        if self.spec.launch.num_cpu_threads_per_process is not None:
            return self.spec.launch.num_cpu_threads_per_process
        given = os.environ.get("OMP_NUM_THREADS", "")
        if given.isdigit() and int(given) > 0:
            return int(given)
        return max((os.cpu_count() or 1) // self.processes_here, 1)


def launch(how: Launch) -> subprocess.Popen[bytes]:
    """Start a trainer; that of the first machine is noted in the journal."""
    if how.machine_rank:
        return start_detached(how.command, how.log, how.environment)
    clear_requests(how.run)
    process = start_detached(how.command, how.log, how.environment)
    journal = JournalWriter(how.run.journal)
    journal.write("launch", **describe_process(process.pid).as_event(), command=how.command)
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
                    f"the trainer of {run.run_id} died while starting: {last_log_line(run.log)}",
                    f"lorawiz logs {run.run_id}",
                )
            return
        time.sleep(0.05)


def last_log_line(log: Path) -> str:
    """The last line of a trainer's log that says something, cut after some hundred characters."""
    try:
        with log.open("rb") as file:
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
