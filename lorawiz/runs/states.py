"""The states a run can be resumed from, found and verified without torch.

state/step-00000123/ holds files and, written last, manifest.json with the size and SHA-256 of
each. A directory without a manifest that verifies is not a state.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
_STEP_DIGITS = 8


@dataclass(frozen=True)
class VerifiedState:
    """A whole state; `files` holds the bytes that were verified."""

    path: Path
    step: int
    files: dict[str, bytes]


def state_path(folder: Path, step: int) -> Path:
    """Where the state behind `step` lies."""
    return folder / f"step-{step:0{_STEP_DIGITS}d}"


def list_states(folder: Path) -> list[Path]:
    """All state directories, whole or not, oldest step first."""
    return sorted(folder.glob("step-" + "[0-9]" * _STEP_DIGITS))


def find_newest_state(folder: Path) -> tuple[VerifiedState | None, list[str]]:
    """The newest state that verifies, and a sentence for each newer one that does not."""
    damaged: list[str] = []
    for path in reversed(list_states(folder)):
        try:
            return _verify(path), damaged
        except (OSError, ValueError, KeyError, TypeError) as error:
            damaged.append(f"state {path.name} is damaged ({error}); the one before is used")
    return None, damaged


def _verify(path: Path) -> VerifiedState:
    listing = json.loads((path / MANIFEST).read_text("utf-8"))["files"]
    files = {name: (path / name).read_bytes() for name in listing}
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != listing[name]["sha256"]:
            raise ValueError(f"{name} is not as it was written")
    return VerifiedState(path, int(path.name.removeprefix("step-")), files)
