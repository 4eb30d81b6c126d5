"""What `lorawiz add` is pointed at, as a list of images: files, folders, patterns, zip files."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from lorawiz.dataset.adding import Skipped
from lorawiz.dataset.archives import Archive, is_archive_name, member_name
from lorawiz.dataset.images import is_image_name
from lorawiz.dataset.sources import Source
from lorawiz.errors import DatasetError, visible_text

WORD_SUFFIXES = (".caption", ".txt")
"""Files of words beside images: they come in with their image."""
_WILD = frozenset("*?[")


@dataclass
class Found:
    """Images to bring in, and what could not be searched."""

    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def find_images(paths: Sequence[Path]) -> Found:
    """All images in `paths`, each once; folders and zip files in depth, sorted.

    Links to folders inside a folder are not followed, so loops end. A path that does not exist
    and has * ? or [ in it is a pattern; ** is any depth. A file named outright is taken whatever
    its name. Raises DatasetError for what is not there and when there is no image at all.
    """
    found = Found()
    for path in paths:
        if os.path.lexists(path):
            _take(path, found, is_named=True)
            continue
        matches = list(_iter_matches(path)) if _WILD & set(str(path)) else []
        if not matches:
            raise DatasetError(f"{visible_text(str(path))}: no such file or folder")
        for match in matches:
            _take(match, found, is_named=False)
    found.sources = list(dict.fromkeys(found.sources))
    if not found.sources and not found.skipped:
        shown = ", ".join(visible_text(str(path)) for path in paths)
        raise DatasetError(f"{shown}: no images in it", "images end in .jpg .png .webp .heic …")
    return found


def _take(path: Path, found: Found, is_named: bool) -> None:
    if path.is_dir():
        found.sources += [Source(file) for file in _walk(path, found) if is_image_name(file)]
    elif is_archive_name(path):
        with Archive(path) as archive:
            found.sources += [
                Source(path, member=name)
                for name in archive.list_files()
                if is_image_name(Path(member_name(name)))
            ]
    elif is_image_name(path) or (is_named and path.suffix.lower() not in WORD_SUFFIXES):
        found.sources.append(Source(path))


def _walk(folder: Path, found: Found) -> list[Path]:
    def note(error: OSError) -> None:
        found.skipped.append(Skipped(str(error.filename), error.strerror or "cannot be read"))

    return sorted(_iter_files(folder, note))


def _iter_files(folder: Path, note: Callable[[OSError], None]) -> Iterator[Path]:
    # os.walk does not follow links to folders, so loops end
    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in names if not name.startswith("."))


def _iter_matches(pattern: Path) -> Iterator[Path]:
    """What `pattern` means, sorted; hidden names only where the pattern names them."""
    base = Path(pattern.anchor) if pattern.anchor else Path()
    parts = pattern.parts[1:] if pattern.anchor else pattern.parts
    yield from dict.fromkeys(_expand(base, parts))


def _expand(base: Path, parts: Sequence[str]) -> Iterator[Path]:
    if not parts:
        yield base
        return
    first, rest = parts[0], parts[1:]
    if first == "**":
        yield from _expand(base, rest)
        for name in _list_names(base, "*"):
            if (base / name).is_dir() and not (base / name).is_symlink():
                yield from _expand(base / name, parts)
    elif _WILD & set(first):
        for name in _list_names(base, first):
            if not rest or (base / name).is_dir():
                yield from _expand(base / name, rest)
    elif os.path.lexists(base / first):
        yield from _expand(base / first, rest)


def _list_names(folder: Path, pattern: str) -> list[str]:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    may_be_hidden = pattern.startswith(".")
    return sorted(
        name
        for name in names
        if fnmatchcase(name, pattern) and (may_be_hidden or not name.startswith("."))
    )
