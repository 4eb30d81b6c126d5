"""A run without a trainer: its folder, a journal at chosen times, pictures of one colour."""

import platform
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import exp, sin
from pathlib import Path

from PIL import Image

from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import JournalWriter
from lorawiz.runs.processes import ProcessId, this_process

DEAD = ProcessId(2**22 + 1, 1.0, platform.node())
"""A process that no Linux can have: its number is above the highest."""


class FakeClock:
    """The time, as the test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 14, 21, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def now_text(self) -> str:
        return self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class FakeRun:
    """Writes what a trainer would; the clock goes on by half a second a step."""

    def __init__(
        self,
        root: Path,
        clock: FakeClock,
        process: ProcessId | None = None,
        run_id: str = "lyq-0001",
    ) -> None:
        self.root = root
        self.clock = clock
        self.process = process or this_process()
        self.folder = RunFolder(root / "runs" / run_id)
        for path in (self.folder.control, self.folder.samples):
            path.mkdir(parents=True)
        (root / "lorawiz.toml").write_text("schema = 1\n")
        self.folder.manifest.write_text("{}\n")
        self.folder.log.write_text("")
        self._journal = JournalWriter(self.folder.journal)

    @property
    def stop_request(self) -> Path:
        return self.folder.control / "stop"

    def requests(self) -> set[str]:
        """What is asked of the trainer now."""
        return {path.name for path in self.folder.control.iterdir()}

    def answer(self, event: str, **values: object) -> None:
        """Take all requests away, as a trainer does, and answer with an event."""
        for path in self.folder.control.iterdir():
            path.unlink()
        self.write(event, **values)

    def write(self, event: str, **values: object) -> None:
        self._journal.write(event, **values)

    def launch(self) -> None:
        self.write("launch", **self.process.as_event(), command=["accelerate"])

    def start(self, step: int = 0, total_steps: int = 1200) -> None:
        self.clock.advance(4)
        counts = {"total_steps": total_steps, "num_epochs": 20, "num_images": 42}
        self.write("start", **self.process.as_event(), step=step, **counts)
        self.write("device", name="NVIDIA GeForce RTX 4090")

    def train(self, first: int, last: int, loss: Callable[[int], float] | None = None) -> None:
        """Steps `first` to `last`, both included; 60 are an epoch."""
        for step in range(first, last + 1):
            self.clock.advance(0.5)
            self.write(
                "step", step=step, epoch=1 + (step - 1) // 60, loss=(loss or _falling)(step),
                lr=1e-4, grad_norm=0.31, step_s=0.543,
                memory_bytes=int(9.4 * 2**30), device_memory_bytes=24 * 2**30,
            )  # fmt: skip

    def save(self, step: int, name: str = "") -> None:
        epoch = step // 60
        path = f"runs/{self.folder.run_id}/{name or f'lyq-e{epoch:04d}.safetensors'}"
        self.write("save", step=step, epoch=epoch, path=path, num_bytes=37_900_000)
        self.write("state", step=step, path=f"step-{step}")

    def sample(
        self, step: int, prompt: str = "photo of lyq woman in a red coat", index: int = 0
    ) -> Path:
        path = self.folder.samples / f"s{step:06d}-{index}.png"
        Image.new("RGB", (64, 64), (200, 120, 80)).save(path)
        shown = path.relative_to(self.root).as_posix()
        self.write("sample", step=step, index=index, prompt=prompt, path=shown)
        return path

    def train_to_3(self) -> None:
        """A run that has just begun."""
        self.launch()
        self.start()
        self.train(1, 3)

    def train_to_412(self) -> None:
        """A run in full swing: three saves, three samples, one warning."""
        self.launch()
        self.start()
        done = 0
        for step in (120, 240, 360):
            self.train(done + 1, step)
            self.save(step)
            self.sample(step)
            done = step
        self.train(361, 412)
        self.write("warning", message="IMG_0031.jpg: loss 3× the mean of its last 5 visits")

    def end(self, outcome: str, message: str = "", hint: str = "") -> None:
        self.clock.advance(2)
        self.write("end", outcome=outcome, message=message, hint=hint)


def _falling(step: int) -> float:
    return 0.06 + 0.1 * exp(-step / 150) + 0.03 * abs(sin(step * 1.7)) + 0.02 * sin(step * 0.9)
