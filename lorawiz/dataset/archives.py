"""Zip files as folders of images: nothing escapes, nothing unpacks without bounds."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

from lorawiz.errors import DatasetError, visible_text

MAX_MEMBER_BYTES = 1 << 30
"""More than any image within the pixel limit needs."""
_SUSPECT_BYTES = 64 << 20
_SUSPECT_RATIO = 200
"""No picture of this size packs so well: what does is made to fill the disk."""
_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What every program writes; the others unpack without a bound on their ratio."""

_UNZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError,
    OverflowError, IndexError,
)  # fmt: skip
"""What zipfile and its decompressors raise on damaged or unusual members."""


class UnreadableMemberError(DatasetError):
    """A file in a zip that cannot be unpacked; `reason` is the message without its place."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{visible_text(where)}: {reason}")
        self.reason = reason


class Archive:
    """An open zip file. Members may be read from several threads at once."""

    def __init__(self, path: Path) -> None:
        """Raises DatasetError where `path` cannot be opened as a zip file."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except PermissionError as error:
            raise DatasetError(f"{visible_text(str(path))}: {error.strerror}") from error
        except _UNZIP_ERRORS as error:
            raise DatasetError(
                f"{visible_text(str(path))}: not a zip file, or a torn one", "copy it again"
            ) from error
        self._members = {info.filename: info for info in self._zip.infolist()}

    def __enter__(self) -> "Archive":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._zip.close()

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def list_files(self) -> list[str]:
        """Names of all files, sorted; hidden ones and what macOS adds are left out."""
        return sorted(
            name
            for name, info in self._members.items()
            if not info.is_dir() and not _is_hidden(name)
        )

    def size_bytes(self, member: str) -> int:
        """How large the member says it is."""
        return self._members[member].file_size

    def iter_bytes(self, member: str, max_bytes: int = MAX_MEMBER_BYTES) -> Iterator[bytes]:
        """The member's content in pieces. Raises UnreadableMemberError."""
        self._refuse(member, max_bytes)
        num_bytes = 0
        with self._open(member) as file:
            while chunk := self._read(member, file):
                num_bytes += len(chunk)
                if num_bytes > max_bytes:  # the declared size was a lie
                    raise self._error(member, f"unpacks to more than {max_bytes >> 20} MiB")
                yield chunk

    def _refuse(self, member: str, max_bytes: int) -> None:
        info = self._members[member]
        if info.flag_bits & _ENCRYPTED:
            raise self._error(member, "is encrypted: unzip it with its password first")
        if info.compress_type not in _METHODS:
            raise self._error(member, "is packed in a way that is not read here: zip it anew")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise self._error(member, "is a link, not a file")
        if info.file_size > max_bytes:
            raise self._error(member, f"unpacks to more than {max_bytes >> 20} MiB")
        ratio = info.file_size / max(info.compress_size, 1)
        if info.file_size > _SUSPECT_BYTES and ratio > _SUSPECT_RATIO:
            raise self._error(member, f"unpacks to {ratio:.0f} times its size: not an image")

    @contextmanager
    def _open(self, member: str) -> Iterator[IO[bytes]]:
        try:
            file = self._zip.open(self._members[member])
        except _UNZIP_ERRORS as error:
            raise self._error(member, _reason(error)) from error
        with file:
            yield file

    def _read(self, member: str, file: IO[bytes]) -> bytes:
        try:
            return file.read(_CHUNK_BYTES)
        except _UNZIP_ERRORS as error:
            raise self._error(member, _reason(error)) from error

    def _error(self, member: str, reason: str) -> UnreadableMemberError:
        return UnreadableMemberError(f"{self.path.name}/{member}", reason)


def is_archive_name(path: Path) -> bool:
    """Whether the name ends like a zip file's."""
    return path.suffix.lower() == ".zip"


def member_name(member: str) -> str:
    """The file name alone of a member: nothing of the folders it says it is in."""
    return _parts(member)[-1]


def _parts(member: str) -> list[str]:
    # some programs on Windows write backslashes
    return member.replace("\\", "/").split("/")


def _is_hidden(name: str) -> bool:
    parts = [part for part in _parts(name) if part not in (".", "..")]
    return any(part.startswith((".", "__MACOSX")) for part in parts)


def _reason(error: Exception) -> str:
    return f"is damaged: {visible_text(str(error))[:100]}" if str(error) else "is damaged"
