"""Reading the end of a log."""

from pathlib import Path

from lorawiz.tui.log_tail import LogTail


def test_only_whole_lines_and_each_once(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    tail = LogTail(log)
    assert tail.poll() == []  # no log yet
    log.write_bytes(b"one\ntw")
    assert tail.poll() == ["one"]
    with log.open("ab") as file:
        file.write(b"o\nthree")
    assert tail.poll() == ["two"]
    assert tail.poll() == []


def test_a_progress_bar_is_what_it_was_in_the_end(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_bytes(b" 10 %\r 50 %\r100 %\r\nnext\n")
    assert LogTail(log).poll() == ["100 %", "next"]


def test_of_a_gigabyte_only_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    with log.open("wb") as file:
        file.truncate(1 << 30)  # a hole: it takes no room on the disk
        file.seek(1 << 30)
        file.write(b"\nlast words\n")
    tail = LogTail(log)
    assert tail.poll() == ["last words"]
    with log.open("ab") as file:
        file.write(b"x" * (1 << 20) + b"\nafter a flood\n")
    assert tail.poll() == ["after a flood"]


def test_a_line_without_an_end_stays_bounded(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    tail = LogTail(log)
    for _ in range(8):
        with log.open("ab") as file:
            file.write(b"x" * (200 << 10))
        tail.poll()
    assert len(tail._partial) <= 256 << 10
    with log.open("ab") as file:
        file.write(b"\n")
    assert [len(line) for line in tail.poll()] == [2000]


def test_a_log_that_begins_anew_is_read_anew(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_bytes(b"a long first life\n")
    tail = LogTail(log)
    tail.poll()
    log.write_bytes(b"second\n")
    assert tail.poll() == ["second"]


def test_what_could_steer_a_terminal_is_made_visible(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_bytes(b"\x1b]0;title\x07 \xff a\tb\n")
    assert LogTail(log).poll() == ["␛]0;title␇ ‹U+DCFF› a  b"]
