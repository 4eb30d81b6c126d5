""".lorawiz/rules.jsonl: which edits of the dataset came with an edit of the rules.

So that undo takes a rule out of lorawiz.toml again, and redo puts it back, also after a restart
and also where the dataset's part was undone elsewhere.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lorawiz.dataset import store
from lorawiz.dataset.edit_journal import EditHeader, EditJournal
from lorawiz.dataset.records import dump_json_line
from lorawiz.errors import LorawizError
from lorawiz.paths import Project, append_durably
from lorawiz.spec import load_spec
from lorawiz.spec.document import read_spec_text
from lorawiz.spec.rule_edits import RuleEdit, edit_rules, write_rule_edit
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.tags.rules import load_machine_words


@dataclass(frozen=True, slots=True)
class EditStacks:
    """What of the journal can be undone and redone: by the number of the edit it began with."""

    undoable: Sequence[EditHeader]
    redoable: Sequence[EditHeader]
    origins: dict[int, EditHeader]
    """The edit that an undo or redo is about, by their numbers; of an edit, itself."""


def read_stacks(project: Project) -> EditStacks:
    """Follow the journal of edits from its beginning."""
    undoable: list[EditHeader] = []
    redoable: list[EditHeader] = []
    origins: dict[int, EditHeader] = {}
    for header in EditJournal(project.private / "edits.jsonl").list_headers():
        if header.kind == "do":
            redoable.clear()
            undoable.append(header)
            origins[header.number] = header
            continue
        is_undo = header.kind == "undo"
        source, target = (undoable, redoable) if is_undo else (redoable, undoable)
        reversed_edit = source.pop() if source else header
        origins[header.number] = origins.get(reversed_edit.number, header)
        target.append(header)
    return EditStacks(undoable, redoable, origins)


def note_rule(project: Project, what: str, edit: RuleEdit) -> None:
    """Note that the newest edit called `what` came with `edit`. Raises OSError."""
    header = next(
        (each for each in reversed(read_stacks(project).undoable) if each.what == what), None
    )
    if header is None:
        return
    line = {
        "edit": header.number, "time": header.time,
        "rule": edit.number, "old": edit.old, "new": edit.new,
    }  # fmt: skip
    path = project.private / "rules.jsonl"
    with store.dataset_lock(project):
        append_durably(path, path.stat().st_size if path.exists() else 0, [dump_json_line(line)])


def undo_edit(session: ReviewSession) -> str:
    """Take the last edit back, with its rule, and say which.

    Raises DatasetError when there is none, and SpecError where lorawiz.toml is invalid or the
    rule is another by now: nothing is undone then.
    """
    return _reverse(session, is_undo=True)


def redo_edit(session: ReviewSession) -> str:
    """Do again what was undone last, with its rule, and say what. Raises as `undo_edit`."""
    return _reverse(session, is_undo=False)


def _reverse(session: ReviewSession, is_undo: bool) -> str:
    project = session.project
    stacks = read_stacks(project)
    reverse: Callable[[], str] = session.undo if is_undo else session.redo
    back: Callable[[], str] = session.redo if is_undo else session.undo
    headers = stacks.undoable if is_undo else stacks.redoable
    noted = _find_rule(project, stacks.origins.get(headers[-1].number)) if headers else None
    if noted is None:
        return reverse()
    edit = noted.reversed() if is_undo else noted
    edit_rules(read_spec_text(project.spec), edit, project.spec.name)
    what = reverse()
    if _plain(what) != _plain(headers[-1].what):
        return what  # somebody made an edit in this very moment: it was that one
    try:
        write_rule_edit(project.spec, edit)
        session.spec = load_spec(project.spec)
    except (LorawizError, OSError):
        back()
        raise
    load_machine_words(session)
    return what


def _find_rule(project: Project, header: EditHeader | None) -> RuleEdit | None:
    path = project.private / "rules.jsonl"
    if header is None or not path.exists():
        return None
    found: RuleEdit | None = None
    for raw in path.read_bytes().splitlines():
        try:
            value: dict[str, Any] = json.loads(raw)
            if (value["edit"], value["time"]) == (header.number, header.time):
                found = RuleEdit(value["rule"], value["old"], value["new"])
        except (ValueError, KeyError, TypeError):
            continue  # cut off by a crash
    return found


def _plain(what: str) -> str:
    return what.removeprefix("undo: ").removeprefix("redo: ")
