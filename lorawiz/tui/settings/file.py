"""Edits of lorawiz.toml from the form: one at a time, never over what another program wrote."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lorawiz.errors import LorawizError, SpecError
from lorawiz.families.checkpoints import find_checkpoint
from lorawiz.hub import is_hub_id
from lorawiz.paths import Project
from lorawiz.scaffold import choose_base
from lorawiz.spec.document import edit_text, find_value, parse_spec, parse_value, rewrite_spec
from lorawiz.spec.form import QUOTES, FormField, format_toml
from lorawiz.tui.language import tr
from lorawiz.tui.settings.journal import (
    Kind,
    OvertakenError,
    SettingsJournal,
    SpecChange,
    compare_texts,
)
from lorawiz.tui.settings.state import SpecState, find_signature, load_state

BASE_KEY = "base.checkpoint"
_HASH_KEY = "base.sha256"
_LOCK_TIMEOUT_S = 10.0


class SettingsFile:
    """The file of one project: what it says now, and every way to change it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.state = load_state(project)
        self._journal = SettingsJournal(project.private / "settings.jsonl")

    def reload(self) -> None:
        self.state = load_state(self.project)

    def reload_if_changed(self) -> bool:
        """Read again what another program wrote. Returns whether it says something else."""
        before = self.state
        if find_signature(self.project.spec) == before.signature:
            return False
        self.reload()
        return self.state.text != before.text or str(self.state.failure) != str(before.failure)

    def check(self, setting: FormField, typed: str) -> LorawizError | None:
        """What would be wrong with the file if this were typed; nothing is written."""
        try:
            if self.state.failure is not None:
                raise self.state.failure
            _refuse_open_quote(setting, typed)
            settings = {setting.key: read_typed(setting, typed)}
            edit_text(self.state.text, settings, self.project.spec.name)
            if setting.key == BASE_KEY and typed.strip():
                self._check_base(typed)
        except LorawizError as error:
            return error
        return None

    def change(self, setting: FormField, typed: str | None, seen: SpecState) -> None:
        """Set one key as it was typed, or take it out of the file.

        `seen` is the state that the user decided on. Raises LorawizError, with the file as it
        was, where the key has another value by now, or the file would be wrong. A base checkpoint
        is hashed, which takes seconds.
        """
        settings: Mapping[str, str | None] = {setting.key: typed}
        if setting.key == BASE_KEY:
            settings = choose_base(self.project, typed or "")
        name = self.project.spec.name

        def edit(text: str) -> str:
            values = parse_spec(text, name)
            if find_value(values, setting.key) != find_value(seen.values, setting.key):
                raise SpecError(
                    tr("{key} was changed elsewhere meanwhile: not overwritten", key=setting.key)
                )
            return edit_text(text, settings, name)

        try:
            with self._lock():
                before, after = rewrite_spec(self.project.spec, edit)
                if before != after:
                    self._journal.append("do", compare_texts(list(settings), before, after))
        finally:
            self.reload()

    def undo(self) -> str:
        """Take the last change back. Returns its keys. Raises SpecError where that cannot be."""
        with self._lock():
            undoable, _ = self._journal.load_stacks()
            if not undoable:
                raise SpecError(tr("nothing to undo here"))
            return self._reverse("undo", undoable[-1], undoable[-1].reversed())

    def redo(self) -> str:
        """Make the change again that was undone last. Returns its keys. Raises SpecError."""
        with self._lock():
            _, redoable = self._journal.load_stacks()
            if not redoable:
                raise SpecError(tr("nothing to redo here"))
            return self._reverse("redo", redoable[-1], redoable[-1])

    def _reverse(self, kind: Kind, change: SpecChange, step: SpecChange) -> str:
        name = self.project.spec.name
        try:
            rewrite_spec(self.project.spec, lambda text: step.apply(text, name))
        except OvertakenError as error:
            self._journal.append("forget", change)
            raise SpecError(
                tr("{key} was changed elsewhere since: it stays as it is", key=error.key)
            ) from error
        else:
            self._journal.append(kind)
        finally:
            self.reload()
        return change.what

    def _check_base(self, typed: str) -> None:
        if Path(typed).expanduser().exists() or is_hub_id(typed):
            return
        find_checkpoint(typed, self.project)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Two lorawiz do not write the file and its journal at once."""
        self.project.private.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.project.private / "settings.lock", timeout=_LOCK_TIMEOUT_S):
                yield
        except Timeout as error:
            raise SpecError(
                tr("{file} is in use by another lorawiz", file=self.project.spec.name),
                tr("try again when it is done"),
            ) from error


def read_typed(setting: FormField, typed: str) -> str | None:
    """What was typed for a setting, or None where it is not to be set: nothing, if it may be."""
    return None if setting.is_optional and not typed.strip() else typed


def _refuse_open_quote(setting: FormField, typed: str) -> None:
    """A quote that was left open would else become a part of the text."""
    is_quoted = setting.kind == "text" and typed.startswith(QUOTES)
    if is_quoted and parse_value(setting.key, typed) == typed:
        raise SpecError(
            tr("text that begins with a quote ends with it"),
            tr("{escaped} is a quote inside of it", escaped='\\"'),
        )


def find_template_value(setting: FormField, state: SpecState) -> str | None:
    """The template's value as it is typed, or None where the template leaves it to the default."""
    if setting.key not in state.baseline.values:
        return None
    return format_toml(state.baseline.values[setting.key])


def step_choice(setting: FormField, state: SpecState, step: int) -> str:
    """What is listed so many places on, as it is typed; a switch has two.

    From a value that is not listed it goes to the first, or back to the last.
    """
    if setting.kind == "switch":
        return "false" if state.value_of(setting) is True else "true"
    now = str(state.value_of(setting))
    listed = setting.listed
    at = listed.index(now) if now in listed else -1 if step > 0 else 0
    return listed[(at + step) % len(listed)]
