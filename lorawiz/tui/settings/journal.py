""".lorawiz/settings.jsonl: every change made on the settings screen, for undo and redo."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lorawiz.errors import SpecError
from lorawiz.paths import append_durably, write_parts_atomically
from lorawiz.spec.document import (
    build_spec,
    edit_text,
    find_value,
    list_texts,
    parse_spec,
)

Kind = Literal["do", "undo", "redo", "forget"]
"""forget: the change that undo or redo was about has been overtaken, and is passed over."""
_KEPT_BYTES = 1 << 20
_KEPT_CHANGES = 200


class OvertakenError(SpecError):
    """A setting has been changed elsewhere since, so that a change cannot be reversed."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True)
class SpecChange:
    """What one change did to the file: by key, and to the text as a whole."""

    keys: Mapping[str, tuple[str | None, str | None]]
    """TOML before and after; None where the key was not in the file."""
    start: int
    """Where the texts differ, in characters."""
    old: str
    new: str
    old_sha256: str
    """Of the whole text before."""
    new_sha256: str

    @property
    def what(self) -> str:
        return ", ".join(self.keys)

    def reversed(self) -> "SpecChange":
        keys = {key: (after, before) for key, (before, after) in self.keys.items()}
        return SpecChange(keys, self.start, self.new, self.old, self.new_sha256, self.old_sha256)

    def apply(self, text: str, file_name: str) -> str:
        """`text` with this change made in it.

        A file that nothing else changed gets its very bytes back; in another one only the keys
        change. Raises OvertakenError when one of them holds something else by now.
        """
        if _sha256(text) == self.old_sha256:
            edited = text[: self.start] + self.new + text[self.start + len(self.old) :]
            build_spec(parse_spec(edited, file_name), edited, file_name)
            return edited
        values = parse_spec(text, file_name)
        for key, (before, _) in self.keys.items():
            if not _is_same(find_value(values, key), before):
                raise OvertakenError(key)
        return edit_text(text, {key: after for key, (_, after) in self.keys.items()}, file_name)


def compare_texts(keys: Sequence[str], before: str, after: str) -> SpecChange:
    """The change of `keys` that made `after` of `before`."""
    old, new = list_texts(before), list_texts(after)
    limit = min(len(before), len(after))
    start = next((at for at in range(limit) if before[at] != after[at]), limit)
    end = next(
        (at for at in range(limit - start) if before[-1 - at] != after[-1 - at]), limit - start
    )
    return SpecChange(
        {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)},
        start,
        before[start : len(before) - end],
        after[start : len(after) - end],
        _sha256(before),
        _sha256(after),
    )


class SettingsJournal:
    """The journal of one project. Whoever writes holds the lock of the settings."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, kind: Kind, change: SpecChange | None = None) -> None:
        """Write a line; it is on the disk when this returns. Raises OSError.

        A `do` and a `forget` say which change they are about; an `undo` or `redo` is about the
        one that is due.
        """
        line = {"kind": kind, **(asdict(change) if change is not None else {})}
        end_bytes = append_durably(self._path, len(self._read()), [_dump(line)])
        if end_bytes > _KEPT_BYTES and kind == "do":
            self._shorten()

    def load_stacks(self) -> tuple[list[SpecChange], list[SpecChange]]:
        """(what undo would reverse, what redo would make again), each with the next one last.

        Raises SpecError for a file that is no journal.
        """
        undoable: list[SpecChange] = []
        redoable: list[SpecChange] = []
        for number, raw in enumerate(self._read().splitlines(), 1):
            try:
                _replay(json.loads(raw), undoable, redoable)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise SpecError(
                    f"{self._path.name}:{number}: not a line of the journal of changes",
                    "delete the file: only undo is lost by that",
                ) from error
        return undoable, redoable

    def _read(self) -> bytes:
        """Every whole line; what a crash cut off never happened."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return b""
        return raw[: raw.rfind(b"\n") + 1]

    def _shorten(self) -> None:
        """Forget the oldest changes. What was undone is forgotten by a new change anyway."""
        kept = self.load_stacks()[0][-_KEPT_CHANGES:]
        write_parts_atomically(
            self._path, (_dump({"kind": "do", **asdict(change)}) for change in kept)
        )


def _replay(line: Any, undoable: list[SpecChange], redoable: list[SpecChange]) -> None:
    match line["kind"]:
        case "do":
            redoable.clear()
            undoable.append(_read_change(line))
        case "undo" if undoable:
            redoable.append(undoable.pop())
        case "redo" if redoable:
            undoable.append(redoable.pop())
        case "forget":
            change = _read_change(line)
            for stack in (undoable, redoable):
                if stack and stack[-1] == change:
                    stack.pop()
                    break


def _dump(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n"


def _read_change(line: Mapping[str, Any]) -> SpecChange:
    keys = {key: (before, after) for key, (before, after) in line["keys"].items()}
    rest = {name: line[name] for name in ("start", "old", "new", "old_sha256", "new_sha256")}
    return SpecChange(keys, **rest)


def _is_same(value: Any, written: str | None) -> bool:
    """Whether a value of the file is the one that is written so."""
    if written is None:
        return value is None
    other = parse_spec(f"value = {written}")["value"]
    return type(value) is type(other) and bool(value == other)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
