"""The journal: whole lines, in order, readable while it grows and after a kill."""

import json
from pathlib import Path

from lorawiz.runs.journal import JournalReader, JournalWriter, read_events


def test_events_come_back_in_order(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j.jsonl")
    writer.write("start", total_steps=3)
    writer.write("step", step=1, loss=0.5, note="ü\n")
    events = read_events(tmp_path / "j.jsonl")
    assert [event["event"] for event in events] == ["start", "step"]
    assert events[1]["note"] == "ü\n"
    assert events[0]["time"].endswith("Z")


def test_a_reader_acts_on_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text('{"event": "start"}\n{"event": "st')
    reader = JournalReader(path)
    assert [e["event"] for e in reader.poll()] == ["start"]
    assert reader.poll() == []
    with path.open("a") as file:
        file.write('ep"}\n')
    assert [e["event"] for e in reader.poll()] == ["step"]


def test_a_torn_line_is_ended_before_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text('{"event": "start"}\n{"event": "st')
    JournalWriter(path).write("launch")
    assert [e["event"] for e in read_events(path)] == ["start", "launch"]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == []


def test_numbers_that_json_does_not_know_are_text(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "j.jsonl").write("step", loss=float("nan"), lr=float("inf"))
    line = (tmp_path / "j.jsonl").read_text()
    assert json.loads(line, parse_constant=lambda name: 1 / 0)["loss"] == "nan"


def test_lines_that_are_not_events_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_text('[1]\n\xff\n{"a": 1}\n{"event": "end"}\n', encoding="latin-1")
    assert [e["event"] for e in read_events(tmp_path / "j.jsonl")] == ["end"]
