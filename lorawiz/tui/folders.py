"""Folders as the file dialog shows them: read once, sorted, counted, matched. Knows no screen."""

import os
import re
import stat
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from lorawiz.errors import visible_text
from lorawiz.tui.language import tr

Kind = Literal["folder", "file", "other", "broken"]
"""other: what is neither, such as a pipe; broken: a link to what is not there."""
MOST_COUNTED = 10_000
HERE, UP = ".", ".."


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder."""

    name: str
    """As the system gives it: bytes that are no text are in it as lone surrogates."""
    kind: Kind
    num_bytes: int = 0

    @property
    def is_hidden(self) -> bool:
        return self.name.startswith(".") and self.name not in (HERE, UP)


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What is in a folder, or why that cannot be said."""

    folder: Path
    entries: Sequence[Entry] = ()
    """Folders first, then by name; numbers in names count as numbers."""
    error: str = ""


def read_folder(folder: Path) -> FolderContent:
    """Look into a folder. Never raises: what is wrong with it is part of the answer."""
    try:
        with os.scandir(folder) as found:
            entries = [_look_at(entry) for entry in found]
    except OSError as error:
        return FolderContent(folder, error=error.strerror or str(error))
    entries.sort(key=lambda entry: (entry.kind != "folder", _sort_key(entry.name), entry.name))
    return FolderContent(folder, entries)


def _look_at(entry: os.DirEntry[str]) -> Entry:
    try:
        status = entry.stat()
    except OSError:
        return Entry(entry.name, "broken" if _is_link(entry) else "other")
    if stat.S_ISDIR(status.st_mode):
        return Entry(entry.name, "folder")
    is_file = stat.S_ISREG(status.st_mode)
    return Entry(entry.name, "file" if is_file else "other", status.st_size if is_file else 0)


def _is_link(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink()
    except OSError:
        return False


def _sort_key(name: str) -> list[tuple[int, str]]:
    """IMG_9 before IMG_10."""
    pieces = re.split(r"([0-9]+)", name.casefold())
    return [(int(each[:18]), "") if each.isdecimal() else (-1, each) for each in pieces]


def count_files(folder: Path, suffixes: Collection[str]) -> int | str:
    """How many files right in a folder have one of the suffixes; a text where it is not known.

    A folder with very many entries is counted no further than MOST_COUNTED.
    """
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in islice(found, MOST_COUNTED + 1)]
    except OSError as error:
        return error.strerror or str(error)
    num = sum(has_suffix(name, suffixes) for name in names[:MOST_COUNTED])
    return num if len(names) <= MOST_COUNTED else f"{num}+"


def has_suffix(name: str, suffixes: Collection[str]) -> bool:
    """Whether a name ends in one of them, in small or capital letters; any does for none."""
    stem, _, ending = name.rpartition(".")
    return not suffixes or (bool(stem) and f".{ending}".lower() in suffixes)


def find_start(start: Path) -> tuple[Path, str]:
    """The folder to begin in, and the name in it to begin at: the nearest that there is."""
    path, name = read_path(str(start), Path.cwd()), ""
    while not path.is_dir() and path != path.parent:
        path, name = path.parent, path.name
    return path, name


def read_path(typed: str, folder: Path) -> Path:
    """What was typed on the path line, from `folder` on; ~ is the home folder."""
    path = Path(typed.strip())
    with suppress(RuntimeError):  # no such user
        path = path.expanduser()
    # links stay what they are: the name of a model is often a link to a file of another name
    return Path(os.path.normpath(folder / path))


def complete_path(typed: str, folder: Path) -> tuple[str, list[str]]:
    """`typed` as far as only one path can be meant, and the names that fit where several do.

    Names that cannot be typed are left out.
    """
    head, slash, begun = typed.rpartition("/")
    if typed == "~":
        return "~/", []
    content = read_folder(read_path(head + slash, folder))
    names = [
        entry.name + ("/" if entry.kind == "folder" else "")
        for entry in content.entries
        if visible_text(entry.name) == entry.name and (begun.startswith(".") or not entry.is_hidden)
    ]
    fitting = [name for name in names if name.startswith(begun)]
    if not fitting:
        fitting = [name for name in names if name.casefold().startswith(begun.casefold())]
    if not fitting:
        return typed, []
    common = _find_common_start(fitting)
    if len(common) < len(begun):  # they differ in large and small letters
        common = begun
    return head + slash + common, fitting if len(fitting) > 1 else []


def _find_common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    num_same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return first[:num_same] if num_same is not None else first


class FolderView:
    """The lines of one folder that are shown, a cursor among them, and what is marked."""

    def __init__(self, wanted: str, suffixes: frozenset[str]) -> None:
        self.wanted, self.suffixes = wanted, suffixes
        self.content = FolderContent(Path())
        self.shown: list[Entry] = []
        self.cursor = 0
        self.marked: dict[Path, None] = {}
        """In the order in which they were marked, over all folders."""
        self.are_hidden_shown = False
        self.filter = ""
        self.num_files = 0
        self.num_left_out = 0
        """Files in the folder that have none of the suffixes."""
        self.counts: dict[Path, int | str] = {}
        """By folder how many files are in it, as far as it was counted."""

    @property
    def folder(self) -> Path:
        return self.content.folder

    @property
    def current(self) -> Entry | None:
        return self.shown[self.cursor] if self.cursor < len(self.shown) else None

    def path_of(self, entry: Entry) -> Path:
        if entry.name == HERE:
            return self.folder
        return self.folder.parent if entry.name == UP else self.folder / entry.name

    def show(self, content: FolderContent, at_name: str = "") -> None:
        """Show another folder, with the cursor at a name or at the first line that matters."""
        self.content, self.filter = content, ""
        self.num_left_out = sum(
            self.wanted != "folder"
            and entry.kind != "folder"
            and not has_suffix(entry.name, self.suffixes)
            for entry in content.entries
        )
        self._update(at_name)
        if self.current is not None and self.current.name in (HERE, UP):
            first = next((n for n, e in enumerate(self.shown) if e.name not in (HERE, UP)), None)
            self.cursor = self.cursor if first is None else first

    def toggle_hidden(self) -> None:
        self.are_hidden_shown = not self.are_hidden_shown
        self._update(self.current.name if self.current is not None else "")

    def find(self, text: str) -> None:
        """Show only names with `text` in them."""
        name = self.current.name if self.current is not None else ""
        self.filter = text
        self._update(name)

    def _update(self, at_name: str) -> None:
        wanted = self.filter.casefold()
        special = []
        if not wanted:
            if self.folder != self.folder.parent:
                special.append(Entry(UP, "folder"))
            if self.wanted != "file" and not self.content.error:
                special.append(Entry(HERE, "folder"))
        self.shown = special + [
            entry
            for entry in self.content.entries
            if self._is_shown(entry) and wanted in visible_text(entry.name).casefold()
        ]
        names = [entry.name for entry in self.shown]
        self.cursor = names.index(at_name) if at_name in names else 0
        self.num_files = sum(entry.kind == "file" for entry in self.shown)

    def _is_shown(self, entry: Entry) -> bool:
        if entry.is_hidden and not self.are_hidden_shown:
            return False
        if entry.kind == "folder":
            return True
        return self.wanted != "folder" and has_suffix(entry.name, self.suffixes)

    def go_to(self, place: int) -> None:
        """Put the cursor there, or as near as there are lines."""
        self.cursor = max(0, min(place, len(self.shown) - 1))

    def can_take(self, entry: Entry) -> bool:
        if entry.name == UP:
            return False
        if entry.kind == "folder":
            return self.wanted != "file"
        return entry.kind == "file" and self.wanted != "folder"

    def explain(self, entry: Entry) -> str:
        """Why an entry cannot be taken; empty where it can, or where it is a folder to go into."""
        if entry.kind == "broken":
            return tr("a link to what is not there")
        return tr("neither a file nor a folder") if entry.kind == "other" else ""

    def toggle_mark(self, entry: Entry) -> None:
        path = self.path_of(entry)
        if path in self.marked:
            del self.marked[path]
        elif self.can_take(entry):
            self.marked[path] = None

    def toggle_all(self) -> None:
        """Mark every file that is shown, or none of them where all are."""
        paths = [self.path_of(entry) for entry in self.shown if entry.kind == "file"]
        if all(path in self.marked for path in paths):
            for path in paths:
                del self.marked[path]
        else:
            self.marked.update(dict.fromkeys(paths))
