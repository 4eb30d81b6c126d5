""".lorawiz/edits.jsonl: every change of dataset.jsonl, appended and fsynced, for undo and redo.

An edit is a line that opens it, a line a changed image, and a line that ends it. One without
its end was cut off by a crash and never happened.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from lorawiz.dataset.records import ImageRecord, dump_json_line, record_as_json
from lorawiz.paths import append_durably, write_parts_atomically

Kind = Literal["do", "undo", "redo"]
_KEPT_BYTES = 512 << 20
"""A dozen edits of every one of 100,000 images, or a lifetime of small ones."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit changed of one image: JSON values by key, None where there was none."""

    image_path: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def reversed(self) -> "Change":
        return Change(self.image_path, self.after, self.before)


@dataclass(frozen=True, slots=True)
class EditHeader:
    """An edit without its changes."""

    number: int
    what: str
    """In words for the user: `clean`, `remove smile from 17 images`."""
    kind: Kind
    time: str


def compare_records(before: ImageRecord, after: ImageRecord) -> Change | None:
    """The change from one to the other, or None when they are the same."""
    if before == after:
        return None
    old, new = record_as_json(before), record_as_json(after)
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return Change(before.image_path, _plain(old, keys), _plain(new, keys))


class EditJournal:
    """The journal of one project. Whoever writes holds the dataset's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def size_bytes(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    @property
    def end_bytes(self) -> int:
        """Where the last whole edit ends and the next one will begin."""
        return self._find_last_end()[1]

    def append(self, what: str, changes: Iterable[Change], kind: Kind = "do") -> EditHeader:
        """Write an edit; it is on the disk when this returns. Raises OSError."""
        last, start = self._find_last_end()
        number = last + 1
        time = datetime.now(UTC).isoformat(timespec="seconds")
        header = EditHeader(number, what, kind, time)
        opening = {"edit": number, "what": what, "kind": kind, "time": time}
        lines = (dump_json_line([each.image_path, each.before, each.after]) for each in changes)
        parts = chain([dump_json_line(opening)], lines, [dump_json_line({"end": number})])
        append_durably(self._path, start, parts)
        return header

    def iter_changes(self, start_bytes: int = 0) -> Iterator[tuple[EditHeader, Change]]:
        """Every change of every whole edit from `start_bytes` on, oldest first."""
        header: EditHeader | None = None
        # what a crash cut off lies behind the last whole edit
        for raw in self._iter_raw(start_bytes, self.end_bytes):
            value = json.loads(raw)
            if isinstance(value, list):
                assert header is not None
                yield header, Change(*value)
            elif "edit" in value:
                header = _header(value)

    def list_headers(self) -> list[EditHeader]:
        """Every whole edit without its changes, oldest first."""
        found: list[EditHeader] = []
        header: EditHeader | None = None
        for raw in self._iter_raw(0):
            if raw.startswith(b"["):  # a change: the bulk of the file is not parsed
                continue
            value = json.loads(raw)
            if "edit" in value:
                header = _header(value)
            elif header is not None and value.get("end") == header.number:
                found.append(header)
        return found

    def iter_changes_of(self, number: int) -> Iterator[Change]:
        """The changes of one edit; none when it is not there any more."""
        return (change for header, change in self.iter_changes() if header.number == number)

    def shorten(self) -> int:
        """Forget the oldest edits of a journal that has grown large. Returns bytes dropped.

        Only what is in dataset.jsonl already may be forgotten: call it right after folding.
        """
        size = self.size_bytes
        if size <= _KEPT_BYTES:
            return 0
        cut = self._first_edit_after(size - _KEPT_BYTES // 2)
        write_parts_atomically(self._path, self._iter_raw(cut))
        return cut

    def _first_edit_after(self, offset: int) -> int:
        position = 0
        last_start = 0
        for raw in self._iter_raw(0):
            if raw.startswith(b'{"edit"'):
                last_start = position
                if position >= offset:
                    return position
            position += len(raw)
        return last_start

    def _find_last_end(self) -> tuple[int, int]:
        """(number, end in bytes) of the last whole edit; (0, 0) where there is none."""
        size, window = self.size_bytes, 4096
        while size:
            start = max(0, size - window)
            with self._path.open("rb") as file:
                file.seek(start)
                tail = file.read(size - start)
            # a change's line begins with [, and JSON text holds no bare quote
            position = (b"\n" + tail).rfind(b'\n{"end": ')
            end = tail.find(b"\n", max(position, 0))
            if position >= 0 and end >= 0:
                return int(tail[position + 8 : end].rstrip(b"}")), start + end + 1
            if position > 0:  # the end line itself is cut off: look before it
                size = start + position
                continue
            if start == 0:
                return 0, 0
            window *= 8
        return 0, 0

    def _iter_raw(self, start_bytes: int, end_bytes: int | None = None) -> Iterator[bytes]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(start_bytes)
            position = start_bytes
            for raw in file:
                position += len(raw)
                if not raw.endswith(b"\n") or (end_bytes is not None and position > end_bytes):
                    return
                yield raw


def find_undo(headers: Sequence[EditHeader]) -> EditHeader | None:
    """The edit whose changes an undo would reverse: one that was done, or done again."""
    undoable, _ = _stacks(headers)
    return undoable[-1] if undoable else None


def find_redo(headers: Sequence[EditHeader]) -> EditHeader | None:
    """The undo whose changes a redo would reverse."""
    _, redoable = _stacks(headers)
    return redoable[-1] if redoable else None


def _stacks(headers: Sequence[EditHeader]) -> tuple[list[EditHeader], list[EditHeader]]:
    undoable: list[EditHeader] = []
    redoable: list[EditHeader] = []
    for header in headers:
        if header.kind == "do":
            redoable.clear()
            undoable.append(header)
        else:
            source, target = (undoable, redoable)[:: 1 if header.kind == "undo" else -1]
            if source:  # what it reversed may be forgotten: the journal was shortened
                source.pop()
            target.append(header)
    return undoable, redoable


def _plain(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Some keys' values with lists for tuples, as they are read back; None for one not there."""
    return {key: _as_read(values.get(key)) for key in keys}


def _as_read(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return {k: _as_read(v) for k, v in value.items()} if isinstance(value, dict) else value


def _header(value: Mapping[str, Any]) -> EditHeader:
    return EditHeader(value["edit"], value["what"], value["kind"], value["time"])
