"""The one way to change dataset.jsonl: under a lock, journaled, with undo and redo.

An edit is durable once it is in the edit journal; dataset.jsonl is folded from it before a
command reads it. Where somebody changed a line in the meantime with an editor or git, theirs
stays and the edit gives way.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lorawiz.dataset.edit_journal import (
    Change,
    EditHeader,
    EditJournal,
    Kind,
    compare_records,
    find_redo,
    find_undo,
)
from lorawiz.dataset.records import (
    Dataset,
    ImageRecord,
    load_dataset,
    record_as_json,
    record_from_json,
    save_dataset,
)
from lorawiz.errors import DatasetError
from lorawiz.paths import Project, write_atomically

_LOCK_TIMEOUT_S = 60.0
_MAX_TRIES = 5


@dataclass(frozen=True, slots=True)
class Applied:
    """What an edit came to."""

    header: EditHeader | None
    """None when there was nothing to change."""
    num_changed: int
    gave_way: Sequence[str]
    """Images that were changed outside in the meantime; their lines are as they were found."""


def read_dataset(project: Project) -> Dataset:
    """The dataset with every edit in it. Raises DatasetError."""
    return fold_edits(project)[0]


def fold_edits(project: Project) -> tuple[Dataset, Sequence[str]]:
    """The dataset with every edit in it, and the images of which an edit gave way just now.

    Their lines were changed outside in the meantime, and are as they were found. Raises
    DatasetError.
    """
    if not _has_unfolded(project):
        return load_dataset(project.dataset), ()
    with dataset_lock(project):
        return _fold(project)


def change_dataset(
    project: Project, what: str, change: Callable[[Dataset], Iterable[ImageRecord]]
) -> Applied:
    """Change many images at once: `change` gets the dataset and gives the new records.

    It is kept whole or not at all: what a full disk or a crash stops after the journal has it
    is folded by the next command. Raises DatasetError and OSError.
    """
    with dataset_lock(project):
        dataset, _ = _fold(project)
        old = {record.image_path: record for record in dataset.records}
        new = [record for record in change(dataset) if old.get(record.image_path) != record]
        if not new:
            return Applied(None, 0, ())
        changes = (compare_records(old[record.image_path], record) for record in new)
        header = _journal(project).append(what, (each for each in changes if each is not None))
        del dataset, old  # a large dataset is not held twice
        _, gave_way = _fold(project)
    return Applied(header, len(new) - len(gave_way), gave_way)


def add_records(project: Project, records: Sequence[ImageRecord]) -> None:
    """Put new images into the dataset; there is no undo of that. Raises DatasetError, OSError."""
    with dataset_lock(project):
        _replace(project, lambda dataset: dataset.with_records(records))


def append_edit(
    project: Project, what: str, pairs: Sequence[tuple[ImageRecord, ImageRecord]]
) -> EditHeader | None:
    """Make an edit durable without reading the dataset: `pairs` are (before, after).

    Takes milliseconds however large the dataset is; `read_dataset` folds it in.
    """
    changes = [each for each in (compare_records(*pair) for pair in pairs) if each is not None]
    if not changes:
        return None
    with dataset_lock(project):
        return _journal(project).append(what, changes)


def undo(project: Project) -> Applied:
    """Take the last edit back. Raises DatasetError when there is none."""
    with dataset_lock(project):
        header = find_undo(_journal(project).list_headers())
        if header is None:
            raise DatasetError("nothing to undo", "edits are kept in .lorawiz/edits.jsonl")
        return _reverse(project, header, "undo")


def redo(project: Project) -> Applied:
    """Do the edit again that was undone last. Raises DatasetError when there is none."""
    with dataset_lock(project):
        header = find_redo(_journal(project).list_headers())
        if header is None:
            raise DatasetError("nothing to redo")
        return _reverse(project, header, "redo")


@contextmanager
def dataset_lock(project: Project) -> Iterator[None]:
    """Held while dataset.jsonl or its journal are written: for moments, not for a whole job."""
    project.private.mkdir(parents=True, exist_ok=True)
    lock = FileLock(project.private / "dataset.lock", timeout=_LOCK_TIMEOUT_S, is_singleton=True)
    try:
        with lock:
            yield
    except Timeout as error:
        raise DatasetError(
            "dataset.jsonl has been in use by another lorawiz for a minute", "wait for it to end"
        ) from error


def _reverse(project: Project, header: EditHeader, kind: Kind) -> Applied:
    num_changes = 0

    def reversed_changes() -> Iterator[Change]:
        nonlocal num_changes
        for change in _journal(project).iter_changes_of(header.number):
            num_changes += 1
            yield change.reversed()

    _fold(project)
    what = header.what.removeprefix("undo: ").removeprefix("redo: ")
    new = _journal(project).append(f"{kind}: {what}", reversed_changes(), kind)
    _, gave_way = _fold(project)
    return Applied(new, num_changes - len(gave_way), gave_way)


def _journal(project: Project) -> EditJournal:
    return EditJournal(project.private / "edits.jsonl")


def _has_unfolded(project: Project) -> bool:
    return _journal(project).end_bytes != _folded_bytes(project)


def _folded_bytes(project: Project) -> int:
    """Up to where the journal is in dataset.jsonl already."""
    path = project.private / "folded.json"
    try:
        folded = int(json.loads(path.read_text("utf-8"))["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        folded = 0
    # lost, or older than a shortened journal: folding again is harmless, as each change is
    # made only where it fits
    return folded if folded <= _journal(project).end_bytes else 0


def _note_folded(project: Project) -> None:
    journal = _journal(project)
    journal.shorten()
    note = json.dumps({"bytes": journal.end_bytes})
    write_atomically(project.private / "folded.json", note + "\n")


def _fold(project: Project) -> tuple[Dataset, list[str]]:
    """Put the journal's edits into dataset.jsonl. Returns it and the images that gave way."""
    if not _has_unfolded(project):
        return load_dataset(project.dataset), []
    gave_way: list[str] = []

    def fold(dataset: Dataset) -> Dataset:
        gave_way.clear()
        records = {record.image_path: record for record in dataset.records}
        for _, change in _journal(project).iter_changes(_folded_bytes(project)):
            record = records.get(change.image_path)
            changed = None if record is None else _apply(record, change)
            if changed is None:
                gave_way.append(change.image_path)
            else:
                records[change.image_path] = changed
        return Dataset(tuple(sorted(records.values(), key=lambda record: record.image_path)))

    folded = _replace(project, fold)
    _note_folded(project)
    return folded, gave_way


def _replace(project: Project, change: Callable[[Dataset], Dataset]) -> Dataset:
    """Load, change and save dataset.jsonl; starts over when an editor saves it in between."""
    for _ in range(_MAX_TRIES):
        seen = _signature(project.dataset)
        dataset = load_dataset(project.dataset)
        changed = change(dataset)
        if changed == dataset:
            return dataset
        if _signature(project.dataset) == seen:
            save_dataset(project.dataset, changed)
            return changed
    raise DatasetError("dataset.jsonl is being written by another program", "try again")


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _apply(record: ImageRecord, change: Change) -> ImageRecord | None:
    """The record with the change made, or None where it is neither as before nor as after."""
    values: dict[str, Any] = json.loads(json.dumps(record_as_json(record)))
    for key, after in change.after.items():
        present = values.get(key)
        if not _is_same(present, after) and not _is_same(present, change.before[key]):
            return None
        _put(values, key, after)
    return record_from_json(values, "edits.jsonl")


def _is_same(present: Any, expected: Any) -> bool:
    return bool(present == expected)


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
