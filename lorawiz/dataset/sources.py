"""Reading what is to be added: in threads, once, hashed, copied aside and looked at."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lorawiz.dataset.archives import Archive, UnreadableMemberError, member_name
from lorawiz.dataset.decoding import LookAt
from lorawiz.dataset.facts import PictureFacts
from lorawiz.dataset.images import BrokenImageError, is_image_name
from lorawiz.errors import visible_text
from lorawiz.paths import Project

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """An image to bring in, with the words that came with it."""

    path: Path
    """The image, or the zip file it lies in."""
    caption: str = ""
    tags: tuple[str, ...] = ()
    member: str = ""
    """Its name in the zip file."""
    unread: str = ""
    """Why the words beside it could not be read."""

    @property
    def shown(self) -> str:
        """Where it is, for the user; not yet made visible."""
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """Its file name alone, so that nothing in a zip file can leave images/."""
        return member_name(self.member) if self.member else self.path.name


@dataclass(frozen=True, slots=True)
class Brought:
    """What a thread made of a source: its bytes, hashed and looked at."""

    sha256: str = ""
    file: Path | None = None
    """A copy that waits for its name; None where the file itself is linked to or in place."""
    width: int = 0
    height: int = 0
    facts: PictureFacts | None = None
    reason: str = ""
    """Why it is broken."""
    skipped: str = ""
    """Why it could not be read."""


class SourceReader:
    """The threads' part: read, hash, copy aside, decode once."""

    def __init__(
        self,
        project: Project,
        archives: dict[Path, Archive],
        folder: Path | None,
        known: set[str],
        look_at: LookAt,
    ) -> None:
        self._look_at_file = look_at
        self._images = project.images.resolve()
        self._archives = archives
        self._folder = folder
        self._known = known

    def bring(self, source: Source) -> Brought:
        try:
            if source.member:
                chunks = self._archives[source.path].iter_bytes(source.member)
                return self._look_at_copy(source.name, chunks)
            return self._bring_file(source.path)
        except _UnreadableError as error:
            return Brought(skipped=str(error))
        except UnreadableMemberError as error:
            return Brought(skipped=error.reason)

    def _bring_file(self, path: Path) -> Brought:
        with _open_regular(path) as file:
            sha256 = _hash(_iter_chunks(file))
            if sha256 in self._known:
                return Brought(sha256)
            if self._folder is None or lies_in(path, self._images):
                return self._look_at(path, sha256, None)
            file.seek(0)
            return self._look_at_copy(path.name, _iter_chunks(file), os.fstat(file.fileno()))

    def _look_at_copy(
        self, name: str, chunks: Iterator[bytes], times: os.stat_result | None = None
    ) -> Brought:
        assert self._folder is not None
        # decoders go by the ending too
        ending = Path(name).suffix if is_image_name(Path(name)) else ""
        copy = self._folder / f"{os.urandom(8).hex()}{ending}"
        sha256 = _write_copy(copy, chunks)
        if times is not None:
            os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
        if sha256 in self._known:
            copy.unlink()
            return Brought(sha256)
        return self._look_at(copy, sha256, copy)

    def _look_at(self, path: Path, sha256: str, copy: Path | None) -> Brought:
        """Decode the file in full, once."""
        try:
            look = self._look_at_file(path)
        except BrokenImageError as error:
            reason = error.message.removeprefix(f"{visible_text(path.name)}: ")
            return Brought(sha256, copy, reason=reason)
        return Brought(sha256, copy, look.width, look.height, look.facts)


class _UnreadableError(Exception):
    """Why a file cannot be read."""


@contextmanager
def _open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; pipes and devices are never waited for.

    Raises _UnreadableError.
    """
    try:
        if not path.is_file():
            raise _UnreadableError("not a regular file" if path.exists() else "not there")
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except (OSError, ValueError) as error:
        raise _UnreadableError(_why(error)) from error
    with os.fdopen(descriptor, "rb") as file:
        # what it was may have been swapped in between
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _UnreadableError("not a regular file")
        yield file


_BINARY = getattr(os, "O_BINARY", 0)


def _iter_chunks(file: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(_CHUNK_BYTES)
        except OSError as error:
            raise _UnreadableError(_why(error)) from error
        if not chunk:
            return
        yield chunk


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _hash(chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _write_copy(copy: Path, chunks: Iterator[bytes]) -> str:
    """Write the bytes into a new file. Returns their SHA-256. Raises OSError."""
    digest = hashlib.sha256()
    try:
        with copy.open("xb") as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(copy.parent.parent)  # a write that fails does not say where
        copy.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def lies_in(path: Path, folder: Path) -> bool:
    """Whether the file is in `folder` itself, not by a link of its own."""
    return path.parent.resolve().is_relative_to(folder)
