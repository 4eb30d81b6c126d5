"""The last words of a trainer."""

from pathlib import Path

import pytest

from lorawiz.runs.folder import RunFolder
from lorawiz.runs.launch import last_log_line


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (b"", ""),
        (b"first\nlast\n \n\n", "last"),
        (b"\xff\x1b[2J\n", "\ufffd\u241b[2J"),
        (b"x" * 9_000_000 + b"\nKeyError: 7\n", "KeyError: 7"),
        (b"y" * 9_000_000, "y" * 500),
    ],
    ids=["empty", "blank lines", "escapes", "a long log", "one long line"],
)
def test_the_last_line_that_says_something_is_found(tmp_path: Path, log: bytes, said: str) -> None:
    run = RunFolder(tmp_path)
    run.log.write_bytes(log)
    assert last_log_line(run.log) == said


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert last_log_line(RunFolder(tmp_path).log) == ""


def test_only_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.log.open("wb") as log:
        log.seek(1 << 40)  # a hole: reading all of it would take for ever
        log.write(b"\nthe end\n")
    assert last_log_line(run.log) == "the end"
