"""Captions and tags that other tools left beside an image: `.caption` and `.txt`.

Read as they are or not at all: a file that is not UTF-8 is named, never guessed at.
"""

import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lorawiz.dataset.archives import Archive, UnreadableMemberError
from lorawiz.dataset.sources import Source
from lorawiz.errors import visible_text

MAX_TEXT_BYTES = 16 << 20
"""Words of one image are never longer; what is, is something else."""
_TAG_WORDS = 4
"""A tag has at most this many words; a caption's clauses are longer."""
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class _UnreadableTextError(Exception):
    """Why a file of words cannot be read."""


def read_sidecars(sources: Sequence[Source]) -> Iterator[Source]:
    """The images with what stands beside them, in the folder or in the zip file.

    `.caption` is a caption. `.txt` is tags, as the WD14 taggers write them, unless it reads like
    a sentence and there is no `.caption`. Where one cannot be read, the image has no words and
    `unread` says which file and why. Raises DatasetError for a zip file that cannot be opened.
    """
    archives: dict[Path, Archive] = {}
    with ExitStack() as stack:
        for source in sources:
            if source.member and source.path not in archives:
                archives[source.path] = stack.enter_context(Archive(source.path))
            archive = archives.get(source.path) if source.member else None
            yield _read_words(source, archive)


def split_tags(text: str) -> tuple[str, ...]:
    """A comma list as tags: trimmed, none empty, none twice."""
    parts = (part.strip() for part in text.replace("\n", ",").split(","))
    # a tag stands on thousands of images: one object for all of them
    return tuple(dict.fromkeys(sys.intern(part) for part in parts if part))


def _read_words(source: Source, archive: Archive | None) -> Source:
    try:
        caption, text = (_read_text(source, suffix, archive) for suffix in (".caption", ".txt"))
    except _UnreadableTextError as error:
        return replace(source, unread=str(error))
    if text and not caption and not _looks_like_tags(text):
        return replace(source, caption=text)
    return replace(source, caption=caption, tags=split_tags(text))


def _looks_like_tags(text: str) -> bool:
    parts = split_tags(text)
    return all(len(part.split()) <= _TAG_WORDS for part in parts)


def _read_text(source: Source, suffix: str, archive: Archive | None) -> str:
    """The file's text, or nothing where there is none. Raises _UnreadableTextError."""
    for name in _forms_of(PurePosixPath(source.name).stem + suffix):
        try:
            raw = _read_bytes(source, name, archive)
        except UnreadableMemberError as error:
            raise _UnreadableTextError(visible_text(error.message)) from error
        except OSError as error:
            raise _UnreadableTextError(f"{visible_text(name)}: {error.strerror}") from error
        if raw is not None:
            return _decode(raw, name)
    return ""


def _forms_of(name: str) -> list[str]:
    """The name, and how other systems write its accents."""
    if name.isascii():
        return [name]
    forms = (unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    return list(dict.fromkeys((name, *forms)))


def _read_bytes(source: Source, name: str, archive: Archive | None) -> bytes | None:
    """At most one byte more than is allowed; None where there is no such file."""
    if archive is not None:
        member = source.member.removesuffix(source.name) + name
        if member not in archive:
            return None
        return b"".join(archive.iter_bytes(member, MAX_TEXT_BYTES))
    path = source.path.with_name(name)
    if not path.is_file():  # a pipe is never opened
        return None
    with path.open("rb") as file:
        return file.read(MAX_TEXT_BYTES + 1)


def _decode(raw: bytes, name: str) -> str:
    """The text with its line ends as \\n, as every program reads text files."""
    where = visible_text(name)
    if len(raw) > MAX_TEXT_BYTES:
        raise _UnreadableTextError(f"{where}: longer than {MAX_TEXT_BYTES >> 20} MiB")
    # plain English in UTF-16 is UTF-8 as well, with a NUL beside every letter
    if raw.startswith(_UTF16_MARKS) or raw.count(b"\0") * 3 > len(raw):
        raise _UnreadableTextError(f"{where}: UTF-16, not UTF-8: iconv -f UTF-16 -t UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _UnreadableTextError(
            f"{where}:{line}: not UTF-8 (byte 0x{raw[error.start]:02X}): "
            "iconv -f LATIN1 -t UTF-8, or save it as UTF-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
