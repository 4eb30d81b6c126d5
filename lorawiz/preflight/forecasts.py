"""Forecasts of a run's memory: asked of a child process, which may import torch, and remembered.

The child is `lorawiz.train.forecast`. It reads

    {"project": FOLDER, "is_cuda": BOOL, "questions": [{"spec": TOML, "bucket": [W, H]}, …]}

and answers each question by a line `{"phases": [{"name": …, "peak_bytes": …}, …]}`, or by
`{"message": …, "hint": …}`. `lorawiz.train.probe` answers one question by `{"peak_bytes": …,
"step_s": …}`, from real steps.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lorawiz.dataset.buckets import Size, count_buckets
from lorawiz.errors import LorawizError, RunError
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.paths import Project, write_atomically
from lorawiz.preflight.inspection import Inspection
from lorawiz.spec import Spec
from lorawiz.spec.document import dump_spec
from lorawiz.spec.memory_settings import (
    Settings,
    apply_settings,
    iter_memory_settings,
    show_settings,
)

_PROCESS_BYTES = 0.6e9
"""Python with torch, diffusers and transformers, on a CPU; on a GPU about CUDA's own context."""
_MOST_KEPT = 50
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Forecast:
    """What a run will need of the memory that it trains in."""

    phases: tuple[tuple[str, int], ...]
    """(name, peak in bytes) of each phase."""

    @property
    def peak_bytes(self) -> int:
        """Of the largest phase, the process or the GPU's own needs included."""
        return int(max(num_bytes for _, num_bytes in self.phases) + _PROCESS_BYTES)

    @property
    def peak_phase(self) -> str:
        """The phase that needs most: its name is said behind `while`."""
        return max(self.phases, key=lambda phase: phase[1])[0]


@dataclass(frozen=True)
class Measured:
    """What real steps needed."""

    peak_bytes: int
    step_s: float


@dataclass(frozen=True)
class Saving:
    """Settings that save memory, and what a run would then need."""

    settings: Settings
    forecast: Forecast
    measured: Measured | None = None

    @property
    def words(self) -> str:
        """`train.gradient_checkpointing = true`."""
        return show_settings(self.settings)


def can_forecast(at: Inspection) -> bool:
    """Whether there is a base to forecast with, and torch."""
    has_torch = not at.machine.missing_packages
    return has_torch and isinstance(at.base, Checkpoint) and bool(at.split.trained)


def find_forecast(at: Inspection) -> Forecast | None:
    """What was forecast of this spec before."""
    if not (isinstance(at.base, Checkpoint) and at.split.trained and _file(at.project).exists()):
        return None
    phases = _load(at.project).get(_key(at, at.spec))
    return None if phases is None else Forecast(tuple((str(n), int(b)) for n, b in phases))


def make_forecast(at: Inspection) -> Forecast:
    """The forecast of the spec as it is; takes seconds. Raises RunError."""
    [found] = _ask(at, [at.spec], lambda done, total: None)
    return found


def forecast_savings(at: Inspection, on_progress: Progress) -> list[Saving]:
    """The memory settings that this spec does not have, each alone, best first. Raises RunError."""
    rungs = _list_rungs(at)
    specs = [at.spec, *(apply_settings(at.spec, rung) for rung in rungs)]
    now, *then = _ask(at, specs, on_progress)
    savings = [Saving(rung, found) for rung, found in zip(rungs, then, strict=True)]
    useful = [each for each in savings if each.forecast.peak_bytes < now.peak_bytes]
    return sorted(useful, key=lambda saving: saving.forecast.peak_bytes)


def probe(at: Inspection, settings: Settings) -> Measured:
    """Real steps of the spec with other settings, at its largest bucket. Raises RunError."""
    spec = apply_settings(at.spec, settings)
    answer = next(_run_child("lorawiz.train.probe", at, [spec]))
    return Measured(int(answer["peak_bytes"]), float(answer["step_s"]))


def largest_bucket(at: Inspection, spec: Spec) -> Size:
    """(width, height) of the bucket with most pixels that a run of `spec` would train at."""
    buckets = count_buckets((r.content_size for r in at.split.trained), spec.dataset)
    return max(buckets, key=lambda size: size[0] * size[1])


def _list_rungs(at: Inspection) -> list[Settings]:
    has_bf16 = at.machine.torch is not None and at.machine.torch.bf16
    return list(iter_memory_settings(at.spec, _is_cuda(at), has_bf16))


def _is_cuda(at: Inspection) -> bool:
    return at.machine.torch is not None and at.machine.torch.device == "cuda"


def _ask(at: Inspection, specs: list[Spec], on_progress: Progress) -> list[Forecast]:
    known = _load(at.project)
    missing = [spec for spec in specs if _key(at, spec) not in known]
    answers = _run_child("lorawiz.train.forecast", at, missing) if missing else iter(())
    for done, (spec, answer) in enumerate(zip(missing, answers, strict=True)):
        on_progress(done, len(missing))
        known[_key(at, spec)] = [[each["name"], each["peak_bytes"]] for each in answer["phases"]]
        _keep(at.project, known)
    found = [known[_key(at, spec)] for spec in specs]
    return [Forecast(tuple((str(n), int(b)) for n, b in phases)) for phases in found]


def _run_child(module: str, at: Inspection, specs: list[Spec]) -> Iterator[dict[str, Any]]:
    """Its answers as they come. Raises RunError."""
    questions = [
        {"spec": dump_spec(spec), "bucket": list(largest_bucket(at, spec))} for spec in specs
    ]
    asked = {"project": str(at.project.root), "is_cuda": _is_cuda(at), "questions": questions}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        try:
            assert child.stdin is not None and child.stdout is not None
            with suppress(BrokenPipeError):
                child.stdin.write(json.dumps(asked))
                child.stdin.close()
            count = 0
            for line in child.stdout:
                with suppress(ValueError):
                    answer: dict[str, Any] = json.loads(line)
                    if "message" in answer:
                        raise RunError(answer["message"], answer["hint"])
                    count += 1
                    yield answer
            if count < len(specs):
                raise RunError(f"memory cannot be foretold: {_last_line(child)}", "lorawiz doctor")
        finally:
            child.kill()


def _last_line(child: subprocess.Popen[str]) -> str:
    said = (child.stderr.read() if child.stderr else "").strip().splitlines()
    code = child.wait()
    return said[-1] if said else f"the child ended with exit code {code}"


def _file(project: Project) -> Path:
    return project.work / "forecasts.json"


def _load(project: Project) -> dict[str, list[Any]]:
    try:
        known = json.loads(_file(project).read_text("utf-8"))
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError):
        return {}


def _keep(project: Project, known: dict[str, list[Any]]) -> None:
    newest = dict(list(known.items())[-_MOST_KEPT:])
    with suppress(OSError, LorawizError):  # a project on a read-only disk can be checked too
        write_atomically(_file(project), json.dumps(newest) + "\n")


def _key(at: Inspection, spec: Spec) -> str:
    """Of all that a forecast depends on."""
    assert isinstance(at.base, Checkpoint)
    tables = {
        name: getattr(spec, name).model_dump(mode="json")
        for name in ("base", "network", "textual_inversion", "train")
    }
    inputs = {
        **tables, "bucket": largest_bucket(at, spec), "batch_size": spec.dataset.batch_size,
        "tokens": spec.prompt.max_token_length, "is_cuda": _is_cuda(at),
        "drawn": spec.sample_size if spec.sample.prompts else None,
        "checkpoint": {key: str(value) for key, value in asdict(at.base).items()},
        "versions": [_version("lorawiz"), _version("torch")],
    }  # fmt: skip
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:24]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
