"""What work/ keeps of the images and prompts: how much it is, and what no run has used for long.

Everything here is made again when it is needed.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lorawiz.paths import Project

KINDS = {
    "latents": "what the VAE makes of images",
    "text": "what the text encoders make of prompts",
    "masks": "loss masks, as large as latents",
    "class-images": "class images that were drawn",
    "verify": "repetitions that did not give the same",
}
"""By folder of work/, in the user's words."""
_ENTRY = re.compile(r"[0-9a-f]{64}\.safetensors|class-\d+-[0-9a-f]{12}\.png")
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Entry:
    """One file of a cache."""

    path: Path
    num_bytes: int
    used_at: float
    """Seconds since 1970, when a run asked for it last."""


@dataclass(frozen=True)
class CacheSize:
    """One kind of cache."""

    kind: str
    num_entries: int
    num_bytes: int
    used_at: float | None


def measure_caches(project: Project) -> list[CacheSize]:
    """How much there is of each kind; kinds of which there is nothing are left out."""
    found = []
    for kind in KINDS:
        entries = list(_iter_entries(project, kind))
        if entries:
            num_bytes = sum(entry.num_bytes for entry in entries)
            used_at = max(entry.used_at for entry in entries)
            found.append(CacheSize(kind, len(entries), num_bytes, used_at))
    return found


def prune_caches(
    project: Project,
    unused_days: float,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[CacheSize]:
    """Delete what no run has asked for in `unused_days`, and files that are torn.

    Returns what went, by kind. Only files that lorawiz named are touched. The caller makes sure
    that no run is on.
    """
    oldest = time.time() - unused_days * _DAY_S
    entries = [(kind, entry) for kind in KINDS for entry in _iter_entries(project, kind)]
    gone: dict[str, list[Entry]] = {}
    for done, (kind, entry) in enumerate(entries):
        on_progress(done, len(entries))
        if entry.used_at < oldest or _is_torn(entry.path):
            entry.path.unlink(missing_ok=True)
            gone.setdefault(kind, []).append(entry)
    for kind in gone:
        _remove_empty_folders(project.work / kind)
    return [
        CacheSize(kind, len(each), sum(entry.num_bytes for entry in each), None)
        for kind, each in gone.items()
    ]


def _iter_entries(project: Project, kind: str) -> Iterator[Entry]:
    folder = project.work / kind
    for path in folder.rglob("*") if folder.is_dir() else ():
        # a repetition is a whole run: all of it is ours
        if path.is_file() and not path.is_symlink() and (kind == "verify" or _is_entry(path)):
            facts = path.stat()
            yield Entry(path, facts.st_size, facts.st_mtime)


def _is_entry(path: Path) -> bool:
    return _ENTRY.fullmatch(path.name) is not None


def _is_torn(path: Path) -> bool:
    """Whether a safetensors file is shorter, or longer, than its header says."""
    if path.suffix != ".safetensors":
        return False
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
        return path.stat().st_size != 8 + length + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
        return True


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
