"""evidence/: what models said about images, apart from what is used of it.

One JSON Lines file a model: a first line about the model, then one line an image, sorted by
path. Work in progress is appended to journals under .lorawiz/evidence/, one a process, and
merged into the file at the end: a kill loses nothing that was written.
"""

import json
import os
import platform
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from lorawiz.dataset.records import ImageRecord, dump_json_line
from lorawiz.errors import DatasetError
from lorawiz.paths import Project, append_durably, write_parts_atomically

Kind = Literal["tags", "captions", "faces", "masks"]
FaceBox = tuple[float, float, float, float, float]
"""(left, top, right, bottom, score): places as shares of the picture's width and height."""

_SCHEMA = 1
_COMMANDS = {"tags": "tag", "captions": "caption", "faces": "crop", "masks": "cutout"}


@dataclass(frozen=True, slots=True)
class Model:
    """Whose evidence it is."""

    kind: Kind
    name: str
    """As the spec calls it."""
    revision: str
    """SHA-256 of its weights."""
    threshold: float | None = field(default=None, compare=False)
    """The score from which it says something."""

    @property
    def slug(self) -> str:
        return f"{_slug(self.name)}@{self.revision[:8]}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a model said about one image."""

    image_path: str
    image: str
    """SHA-256 of the image that was looked at."""
    view: str
    """What of it was shown to the model: `content_key` of dataset/content.py."""
    finding: Mapping[str, Any]
    """Scores, a caption or faces, as JSON."""
    time: str = ""
    """When, in UTC."""

    def is_about(self, record: ImageRecord) -> bool:
        """Whether it was the record's present file that was looked at."""
        return self.image == record.sha256


def evidence_path(project: Project, model: Model) -> Path:
    return _folder(project, model.kind) / f"{model.slug}.jsonl"


def find_evidence(project: Project, kind: Kind, name: str) -> Path | None:
    """The newest evidence file of the model called `name`, of whatever revision."""
    folder = _folder(project, kind)
    found = [
        path
        for path in folder.glob("*.jsonl")
        if path.name.rpartition("@")[0] == _slug(name) and read_model(path).name == name
    ]
    return max(found, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)


def read_model(path: Path) -> Model:
    """The model of an evidence file: its first line. Raises DatasetError."""
    with path.open("rb") as file:
        values = _parse(file.readline(), path, 1)
    try:
        return Model(values["kind"], values["model"], values["revision"])
    except KeyError as error:
        raise _damaged(path, 1) from error


def iter_evidence(path: Path) -> Iterator[Evidence]:
    """The images' lines of an evidence file. Raises DatasetError that names a damaged line."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number == 1 or not raw.strip():
                continue
            values = _parse(raw, path, number)
            try:
                yield _evidence(values)
            except KeyError as error:
                raise _damaged(path, number) from error


def load_newest(project: Project, kind: Kind, name: str) -> Iterator[Evidence]:
    """Evidence of the model called `name`; nothing where it has not looked yet."""
    path = find_evidence(project, kind, name)
    if path is not None:
        yield from iter_evidence(path)


def load_faces(project: Project, detector: str = "blazeface") -> dict[str, list[FaceBox]] | None:
    """Faces by image path, surest first; None when nobody has looked for any."""
    path = find_evidence(project, "faces", detector)
    if path is None:
        return None
    return {each.image_path: faces_of(each) for each in iter_evidence(path)}


def faces_of(evidence: Evidence) -> list[FaceBox]:
    """The faces that a line of faces evidence tells of."""
    return [_face_box(face) for face in evidence.finding["faces"]]


class Journal:
    """Where one process appends what a model says, until it is merged.

    It is held by a lock for as long as the process lives, so that nobody merges it too early.
    """

    def __init__(self, project: Project, model: Model) -> None:
        folder = _journal_folder(project, model)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self.path = folder / name
        self._lock = FileLock(f"{self.path}.lock")
        self._lock.acquire()
        self._end_bytes = 0

    def append(self, batch: Sequence[Evidence]) -> None:
        """Write a batch's lines; they are on the disk when this returns. Raises OSError."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [dump_json_line(_as_json(each, each.time or now)) for each in batch]
        self._end_bytes = append_durably(self.path, self._end_bytes, lines)

    def close(self) -> None:
        """Let go: whoever merges next takes what is in it."""
        self._lock.release()


def iter_journals(project: Project, model: Model) -> Iterator[Evidence]:
    """What lies in journals, living ones too; a line that is not finished is left out."""
    for path in sorted(_journal_folder(project, model).glob("*.jsonl")):
        yield from _iter_whole_lines(path)


def merge_journals(project: Project, model: Model) -> Path | None:
    """Put every journal that no living process holds into the evidence file.

    Returns the file, or None where there is no evidence at all. Any process may do so at any
    time: the last one to end merges what is left.
    """
    folder = _journal_folder(project, model)
    target = evidence_path(project, model)
    if not folder.is_dir():
        return target if target.exists() else None
    with FileLock(folder / "merge.lock"):
        free = [path for path in sorted(folder.glob("*.jsonl")) if _is_free(path)]
        lines: dict[str, bytes] = {}
        if target.exists():
            lines = {each.image_path: _line(each) for each in iter_evidence(target)}
        for path in free:
            lines.update({each.image_path: _line(each) for each in _iter_whole_lines(path)})
        if lines and free:
            header = {
                "schema": _SCHEMA,
                "kind": model.kind,
                "model": model.name,
                "revision": model.revision,
                **({} if model.threshold is None else {"threshold": model.threshold}),
            }
            ordered = (lines[image_path] for image_path in sorted(lines))
            write_parts_atomically(target, _chain(dump_json_line(header), ordered))
        for path in free:
            path.unlink(missing_ok=True)
            Path(f"{path}.lock").unlink(missing_ok=True)
    return target if target.exists() else None


def _folder(project: Project, kind: Kind) -> Path:
    # masks are files of their own; what is said of them is as easily made again
    return project.work / kind if kind == "masks" else project.evidence / kind


def _journal_folder(project: Project, model: Model) -> Path:
    return project.private / "evidence" / model.kind / model.slug


def _is_free(journal: Path) -> bool:
    lock = FileLock(f"{journal}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    lock.release()
    return True


def _iter_whole_lines(path: Path) -> Iterator[Evidence]:
    try:
        file = path.open("rb")
    except FileNotFoundError:  # merged by another process in the meantime
        return
    with file:
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            try:
                yield _evidence(json.loads(raw))
            except (ValueError, KeyError, TypeError):
                continue  # the disk was full in the middle of a line, and then no more


def _as_json(evidence: Evidence, time: str) -> dict[str, Any]:
    return {
        "image_path": evidence.image_path,
        **evidence.finding,
        "image": evidence.image,
        "view": evidence.view,
        "time": time,
    }


def _line(evidence: Evidence) -> bytes:
    return dump_json_line(_as_json(evidence, evidence.time))


def _evidence(values: dict[str, Any]) -> Evidence:
    finding = {k: v for k, v in values.items() if k not in ("image_path", "image", "view", "time")}
    return Evidence(values["image_path"], values["image"], values["view"], finding, values["time"])


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _parse(raw: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        values = json.loads(raw)
    except ValueError as error:
        raise _damaged(path, number) from error
    if not isinstance(values, dict):
        raise _damaged(path, number)
    return values


def _damaged(path: Path, number: int) -> DatasetError:
    where = f"{path.parent.parent.name}/{path.parent.name}/{path.name}:{number}"
    command = _COMMANDS.get(path.parent.name, "tag")
    return DatasetError(
        f"{where}: not a line of evidence",
        f"delete the file and run lorawiz {command} again, or take it back from git",
    )


def _face_box(face: Mapping[str, Any]) -> FaceBox:
    left, top, right, bottom = map(float, face["box"])
    return left, top, right, bottom, float(face["score"])


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "--", name).strip("-.")[:120] or "model"
