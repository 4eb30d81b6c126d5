"""The journal: whole lines, in order, readable while it grows and after a kill."""

import json
from pathlib import Path
from typing import Any

import pytest

from lorawiz.runs.journal import JournalReader, JournalWriter, read_events
from lorawiz.runs.lines import LinePrinter
from lorawiz.runs.view import fold

NOW = '"time": "2026-11-22T21:00:00.000Z"'


def test_events_come_back_in_order(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j.jsonl")
    writer.write("device", name="cpu")
    writer.write("warning", message="slow", note="ü\n")
    events = read_events(tmp_path / "j.jsonl")
    assert [event["event"] for event in events] == ["device", "warning"]
    assert events[1]["note"] == "ü\n"
    assert events[0]["time"].endswith("Z")


def test_a_reader_acts_on_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(f'{{{NOW}, "event": "one"}}\n{{{NOW}, "event": "tw')
    reader = JournalReader(path)
    assert [e["event"] for e in reader.poll()] == ["one"]
    assert reader.poll() == []
    with path.open("a") as file:
        file.write('o"}\n')
    assert [e["event"] for e in reader.poll()] == ["two"]


def test_a_torn_line_is_ended_before_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(f'{{{NOW}, "event": "one"}}\n{{{NOW}, "event": "tw')
    JournalWriter(path).write("three")
    assert [e["event"] for e in read_events(path)] == ["one", "three"]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == []


def test_numbers_that_json_does_not_know_are_text(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "j.jsonl").write("step", loss=float("nan"), lr=float("inf"))
    line = (tmp_path / "j.jsonl").read_text()
    assert json.loads(line, parse_constant=lambda name: 1 / 0)["loss"] == "nan"


GOOD: dict[str, dict[str, Any]] = {
    "launch": {"pid": 7, "created": 1.5, "host": "box"},
    "start": {
        "pid": 7, "created": 1.5, "host": "box",
        "step": 0, "total_steps": 10, "num_epochs": 2, "num_images": 5,
    },
    "device": {"name": "cpu"},
    "phase": {"name": "caching", "done": 0, "total": 1},
    "step": {"step": 1, "epoch": 1, "loss": 0.5, "lr": 1e-4, "grad_norm": "nan", "step_s": 0.5},
    "save": {"step": 1, "epoch": 1, "path": "p", "num_bytes": 1},
    "state": {"step": 1},
    "sample": {"step": 1, "index": 0, "prompt": "p", "path": "p"},
    "validation": {"step": 1, "loss": 0.5, "std": 0.1},
    "image_loss": {"epoch": 1, "images": {"images/a.jpg": [0.5, 2]}},
    "pause": {"step": 1},
    "resume": {"step": 1},
    "warning": {"message": "m", "request": "save"},
    "end": {"outcome": "stopped", "message": "m", "hint": "h", "bug": False},
}  # fmt: skip
WRONG: list[Any] = [None, True, -1, 1e400, "x", [], {}, {"a": 1}, 10**400]


def write_lines(path: Path, *events: object) -> None:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def test_lines_that_are_no_events_are_passed_over_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    broken = {"time": "2026-11-22T21:00:00.000Z", "event": "step", "step": "1"}
    write_lines(path, {**broken, "event": "fine"}, [1], broken, 7, {**broken, "event": "last"})
    first, warning, last = read_events(path)
    assert (first["event"], last["event"]) == ("fine", "last")
    assert warning["event"] == "warning"
    assert warning["message"].startswith("j.jsonl:2: a line that lorawiz did not write")


def test_lines_that_are_not_json_are_torn_and_nobody_need_hear_of_it(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b"\xff\n" + b"[" * 100_000 + b"\n{\n")
    assert read_events(path) == []


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_no_line_of_wrong_values_reaches_a_reader_or_breaks_the_view(
    tmp_path: Path, name: str, wrong: object
) -> None:
    good = {"time": "2026-11-22T21:00:00.000Z", "event": name, **GOOD[name]}
    path = tmp_path / "j.jsonl"
    lines = [{**good, key: wrong} for key in good if key != "event"]
    lines += [{k: v for k, v in good.items() if k != key} for key in good if key != "event"]
    write_lines(path, good, *lines)
    events = read_events(path)
    assert events[0] == good
    # what passes (a text may be any text, a count any count) can be folded, ranked and printed
    fold("r", events).rank_image_losses()
    printer = LinePrinter("r")
    printed = [line for event in events for line in printer.lines_of(event)]
    assert all(line.startswith("r  ") for line in printed)
    assert events.count(good) == 1


def test_a_time_without_a_zone_is_no_time(tmp_path: Path) -> None:
    write_lines(tmp_path / "j.jsonl", {"time": "2026-11-22T21:00:00", "event": "state", "step": 1})
    assert [e["event"] for e in read_events(tmp_path / "j.jsonl")] == ["warning"]
