"""SHA-256 of the images, remembered between checks as long as a file stays as it was.

The memory is for telling people quickly; the trainer hashes what it reads itself.
"""

import json
import os
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from lorawiz.dataset.parallel import map_in_order
from lorawiz.dataset.records import ImageRecord, find_image
from lorawiz.errors import DatasetError
from lorawiz.paths import Project, file_sha256, write_atomically

_SETTLED_AFTER_NS = 2_000_000_000
"""A file that changed a moment ago may change again within the same tick of its clock."""
_Memory = dict[str, tuple["Stamp", str]]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when somebody writes a file."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def hash_images(project: Project, records: Sequence[ImageRecord]) -> dict[str, str | None]:
    """SHA-256 of each record's file by image path; None where there is no readable file.

    Only files that changed since the last call are read.
    """
    known = _load(project)
    hashes: dict[str, str | None] = {record.image_path: None for record in records}
    stamps: dict[str, Stamp] = {}
    unknown: list[tuple[str, Path]] = []
    begin_ns = time.time_ns()
    for record in records:
        path, stamp = _look_up(project, record)
        remembered = known.get(record.image_path)
        if path is None or stamp is None:
            continue
        stamps[record.image_path] = stamp
        if remembered is not None and remembered[0] == stamp:
            hashes[record.image_path] = remembered[1]
        else:
            unknown.append((record.image_path, path))
    with closing(map_in_order(_hash, [path for _, path in unknown])) as answers:
        for (image_path, _), sha256 in zip(unknown, answers, strict=True):
            hashes[image_path] = sha256
    _remember(project, known, hashes, stamps, begin_ns - _SETTLED_AFTER_NS)
    return hashes


def _look_up(project: Project, record: ImageRecord) -> tuple[Path | None, Stamp | None]:
    try:
        path = find_image(project, record)
        return path, Stamp.of(path.stat()) if path.is_file() else None
    except (DatasetError, OSError):
        return None, None


def _hash(path: Path) -> str | None:
    try:
        return file_sha256(path)
    except OSError:
        return None


def _memory_path(project: Project) -> Path:
    return project.work / "hashes.json"


def _load(project: Project) -> _Memory:
    try:
        values = json.loads(_memory_path(project).read_bytes())
        return {
            str(path): (Stamp(int(size), int(mtime), int(ctime)), str(sha256))
            for path, (size, mtime, ctime, sha256) in values.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _remember(
    project: Project,
    known: _Memory,
    hashes: dict[str, str | None],
    stamps: dict[str, Stamp],
    settled_before_ns: int,
) -> None:
    memory = dict(known)
    for image_path, stamp in stamps.items():
        sha256 = hashes[image_path]
        if sha256 and max(stamp.mtime_ns, stamp.ctime_ns) < settled_before_ns:
            memory[image_path] = (stamp, sha256)
    if memory == known:
        return
    values = {
        path: (stamp.size_bytes, stamp.mtime_ns, stamp.ctime_ns, sha256)
        for path, (stamp, sha256) in memory.items()
    }
    with suppress(OSError):  # a full or read-only disk only makes the next check slow
        write_atomically(_memory_path(project), json.dumps(values))
