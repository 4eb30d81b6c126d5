"""The one way to change the dataset: durable, undoable, and never over somebody's own edit."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lorawiz.dataset import store
from lorawiz.dataset.edit_journal import EditJournal, find_redo, find_undo
from lorawiz.dataset.records import Dataset, ImageRecord, load_dataset, save_dataset
from lorawiz.dataset.store import append_edit, change_dataset, read_dataset, redo, undo
from lorawiz.errors import DatasetError
from lorawiz.paths import Project


def make_dataset(folder: Path, num_images: int = 3) -> Project:
    project = Project(folder.absolute())
    records = tuple(
        ImageRecord(f"images/{i}.jpg", f"{i:064d}", 100, 100, "a woman", ("smile", "hat"))
        for i in range(num_images)
    )
    save_dataset(project.dataset, Dataset(records))
    return project


def without(tag: str) -> Callable[[Dataset], list[ImageRecord]]:
    return lambda dataset: [
        replace(r, tags=tuple(t for t in r.tags if t != tag)) for r in dataset.records
    ]


def with_caption(caption: str) -> Callable[[Dataset], list[ImageRecord]]:
    return lambda dataset: [replace(dataset.records[0], caption=caption)]


def tags_of(project: Project) -> list[tuple[str, ...]]:
    return [record.tags for record in load_dataset(project.dataset).records]


def test_a_bulk_edit_is_undone_and_done_again(tmp_path: Path) -> None:
    project = make_dataset(tmp_path)
    before = project.dataset.read_bytes()
    assert change_dataset(project, "remove hat", without("hat")).num_changed == 3
    after = project.dataset.read_bytes()
    assert tags_of(project) == [("smile",)] * 3
    assert undo(project).num_changed == 3
    assert project.dataset.read_bytes() == before
    redo(project)
    assert project.dataset.read_bytes() == after


def test_an_edit_that_changes_nothing_leaves_no_trace(tmp_path: Path) -> None:
    project = make_dataset(tmp_path)
    assert change_dataset(project, "remove scarf", without("scarf")).header is None
    with pytest.raises(DatasetError, match="nothing to undo"):
        undo(project)


def test_an_appended_edit_is_there_for_the_next_reader(tmp_path: Path) -> None:
    project = make_dataset(tmp_path)
    record = load_dataset(project.dataset).records[1]
    append_edit(project, "caption", [(record, replace(record, caption="a man"))])
    assert load_dataset(project.dataset).records[1].caption == "a woman"
    assert read_dataset(project).records[1].caption == "a man"
    assert load_dataset(project.dataset).records[1].caption == "a man"


def test_an_edit_cut_off_by_a_crash_never_happened(tmp_path: Path) -> None:
    project = make_dataset(tmp_path)
    change_dataset(project, "remove hat", without("hat"))
    journal = project.private / "edits.jsonl"
    whole = journal.read_bytes()
    record = load_dataset(project.dataset).records[0]
    append_edit(project, "caption", [(record, replace(record, caption="x" * 100))])
    added = journal.read_bytes()[len(whole) :]
    for cut in (1, len(added) // 2, len(added) - 2, len(added) - 1):
        journal.write_bytes(whole + added[:cut])
        assert read_dataset(project).records[0].caption == "a woman"
        append_edit(project, "other", [(record, replace(record, keep=False))])
        assert not read_dataset(project).records[0].keep
        undo(project)
        assert [h.what for h in EditJournal(journal).list_headers()][:2] == ["remove hat", "other"]


def test_somebodys_own_edit_of_a_line_stays(tmp_path: Path) -> None:
    project = make_dataset(tmp_path)
    record = load_dataset(project.dataset).records[0]
    append_edit(project, "caption", [(record, replace(record, caption="from the screen"))])
    text = project.dataset.read_text().replace("a woman", "from vim", 1)
    project.dataset.write_text(text)
    assert read_dataset(project).records[0].caption == "from vim"
    assert undo(project).gave_way == ["images/0.jpg"]
    assert read_dataset(project).records[0].caption == "from vim"


def test_a_save_of_an_editor_between_reading_and_writing_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_dataset(tmp_path)
    real = load_dataset
    calls: list[Path] = []

    def load_and_let_the_editor_save(path: Path) -> Dataset:
        dataset = real(path)
        if len(calls) == 1:  # the fold's own reading
            text = path.read_text().replace("a woman", "from vim")
            path.write_text(text.replace('"hat"', '"hat", "scarf"'))
        calls.append(path)
        return dataset

    monkeypatch.setattr(store, "load_dataset", load_and_let_the_editor_save)
    applied = change_dataset(project, "reject", lambda d: [replace(d.records[0], keep=False)])
    assert applied.num_changed == 1
    first = real(project.dataset).records[0]
    assert (first.caption, first.tags, first.keep) == ("from vim", ("smile", "hat", "scarf"), False)


def test_a_full_disk_while_folding_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_dataset(tmp_path)
    before = project.dataset.read_bytes()

    def fail(path: Path, dataset: Dataset) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(store, "save_dataset", fail)
        with pytest.raises(OSError, match="No space left"):
            change_dataset(project, "remove hat", without("hat"))
    assert project.dataset.read_bytes() == before
    assert [r.tags for r in read_dataset(project).records] == [("smile",)] * 3
    undo(project)
    assert project.dataset.read_bytes() == before


def test_a_full_disk_while_an_edit_is_written_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_dataset(tmp_path)
    change_dataset(project, "remove hat", without("hat"))
    journal = project.private / "edits.jsonl"
    before = journal.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lorawiz.paths.os.fsync", fail)
        with pytest.raises(OSError, match="No space left") as caught:
            change_dataset(project, "remove smile", without("smile"))
    assert caught.value.filename == str(journal)
    assert journal.read_bytes() == before
    assert [r.tags for r in read_dataset(project).records] == [("smile",)] * 3


def test_a_lost_note_of_what_is_folded_does_no_harm(tmp_path: Path) -> None:
    project = make_dataset(tmp_path)
    change_dataset(project, "remove hat", without("hat"))
    (project.private / "folded.json").unlink()
    assert [r.tags for r in read_dataset(project).records] == [("smile",)] * 3


def test_a_journal_that_has_grown_forgets_the_oldest_edits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lorawiz.dataset.edit_journal._KEPT_BYTES", 4000)
    project = make_dataset(tmp_path)
    for number in range(40):
        change_dataset(project, f"{number}", with_caption(f"c{number}"))
    journal = EditJournal(project.private / "edits.jsonl")
    assert journal.size_bytes <= 4000
    headers = journal.list_headers()
    assert headers[-1].what == "39"
    assert headers[0].number > 1
    undo(project)
    assert read_dataset(project).records[0].caption == "c38"


def test_an_undo_can_be_redone_when_the_journal_has_forgotten_the_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_dataset(tmp_path, 20)
    change_dataset(project, "remove hat", without("hat"))
    monkeypatch.setattr("lorawiz.dataset.edit_journal._KEPT_BYTES", 10)
    undo(project)
    headers = EditJournal(project.private / "edits.jsonl").list_headers()
    assert [header.kind for header in headers] == ["undo"]
    assert redo(project).num_changed == 20
    assert tags_of(project) == [("smile",)] * 20
    assert undo(project).header.what == "undo: remove hat"  # type: ignore[union-attr]
    assert tags_of(project) == [("smile", "hat")] * 20


@pytest.mark.parametrize("moment", range(6))
def test_a_kill_during_a_bulk_edit_leaves_all_or_nothing(tmp_path: Path, moment: int) -> None:
    project = make_dataset(tmp_path, 400)
    program = (
        "import os, signal, sys, dataclasses\n"
        "from pathlib import Path\n"
        "from lorawiz.paths import Project\n"
        "from lorawiz.dataset.store import change_dataset\n"
        "count = 0\n"
        "def hook(event, args):\n"
        "    global count\n"
        "    if event in ('open', 'os.rename', 'os.truncate', 'os.remove') and started:\n"
        "        count += 1\n"
        "        if count == int(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "started = False\n"
        "sys.addaudithook(hook)\n"
        "def change(d):\n"
        "    global started\n"
        "    started = True\n"
        "    return [dataclasses.replace(r, tags=('smile',)) for r in d.records]\n"
        "change_dataset(Project(Path(sys.argv[1])), 'remove hat', change)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(moment * 3 + 1)], check=False
    )
    assert done.returncode in (0, -signal.SIGKILL)
    tags = {record.tags for record in read_dataset(project).records}
    assert tags in ({("smile",)}, {("smile", "hat")})
    for line in project.dataset.read_text().splitlines():
        json.loads(line)


TAGS = st.sampled_from(["smile", "hat", "red coat", "lyq", "1girl"])


class Editing(RuleBasedStateMachine):
    """The dataset against a model of it: edits, undo, redo, outside edits, restarts."""

    @initialize()
    def start(self) -> None:
        self.project = make_dataset(Path(tempfile.mkdtemp(dir=self.root)), 3)
        self.now = tags_of(self.project)
        self.past: list[list[tuple[str, ...]]] = []
        self.future: list[list[tuple[str, ...]]] = []

    root: Path

    def _edit(self, change: Callable[[tuple[str, ...]], tuple[str, ...]], only: int | None) -> None:
        new = [
            change(tags) if only is None or only == index else tags
            for index, tags in enumerate(self.now)
        ]
        change_dataset(
            self.project,
            "edit",
            lambda d: [replace(r, tags=t) for r, t in zip(d.records, new, strict=True)],
        )
        if new != self.now:
            self.past.append(self.now)
            self.future.clear()
            self.now = new

    @rule(tag=TAGS, only=st.one_of(st.none(), st.integers(0, 2)))
    def add(self, tag: str, only: int | None) -> None:
        self._edit(lambda tags: tags if tag in tags else (*tags, tag), only)

    @rule(tag=TAGS, only=st.one_of(st.none(), st.integers(0, 2)))
    def remove(self, tag: str, only: int | None) -> None:
        self._edit(lambda tags: tuple(t for t in tags if t != tag), only)

    @rule(old=TAGS, new=TAGS)
    def rename_everywhere(self, old: str, new: str) -> None:
        self._edit(lambda tags: tuple(dict.fromkeys(new if t == old else t for t in tags)), None)

    @precondition(lambda self: self.past)
    @rule()
    def undo(self) -> None:
        undo(self.project)
        self.future.append(self.now)
        self.now = self.past.pop()

    @precondition(lambda self: self.future)
    @rule()
    def redo(self) -> None:
        redo(self.project)
        self.past.append(self.now)
        self.now = self.future.pop()

    @invariant()
    def the_disk_is_the_model(self) -> None:
        if hasattr(self, "now"):
            assert [r.tags for r in read_dataset(self.project).records] == self.now
            headers = EditJournal(self.project.private / "edits.jsonl").list_headers()
            assert (find_undo(headers) is None) == (not self.past)
            assert (find_redo(headers) is None) == (not self.future)


def test_edits_undo_and_redo_agree_with_a_model(tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    machine = type("EditingHere", (Editing,), {"root": tmp_path})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
