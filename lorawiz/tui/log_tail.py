"""The end of a log that grows: read piece by piece, whatever the file's size."""

from pathlib import Path

from lorawiz.errors import visible_text

_READ_BYTES = 256 << 10
_LINE_CHARACTERS = 2000


class LogTail:
    """Each `poll` returns the whole lines that are new, safe to show.

    Memory stays bounded: of a log or an addition that is longer than 256 KiB only the end is
    read, and a line is cut after 2000 characters.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._partial = b""

    def poll(self) -> list[str]:
        """New lines. A file that has shrunk is read anew."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                data = self._read(file.seek(self._start(size)), file.read(_READ_BYTES))
        except OSError:
            return []
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-_READ_BYTES:]
        return [_visible_line(line) for line in lines]

    def _start(self, size: int) -> int:
        if size < self._offset:
            self._offset, self._partial = 0, b""
        return max(self._offset, size - _READ_BYTES)

    def _read(self, start: int, data: bytes) -> bytes:
        is_gap = start > self._offset
        self._offset = start + len(data)
        if not is_gap:
            return data
        self._partial = b""
        return data[data.find(b"\n") + 1 :]


def _visible_line(line: bytes) -> str:
    """What a terminal would show of a line in the end: behind its last carriage return."""
    shown = line.rstrip(b"\r").rpartition(b"\r")[2][:_LINE_CHARACTERS]
    return visible_text(shown.decode("utf-8", "surrogateescape").expandtabs())
