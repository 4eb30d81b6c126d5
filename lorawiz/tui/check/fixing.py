"""Fixes that change the project at once: settings and cleaning rules, and taking them back."""

from collections.abc import Mapping
from pathlib import Path

from lorawiz.dataset.settling import settle_words
from lorawiz.paths import Project, model_folders
from lorawiz.preflight.fixes import AddRule, ModelKey, SetSettings
from lorawiz.spec import load_spec
from lorawiz.spec.document import read_spec_text
from lorawiz.spec.form import FormField, list_fields
from lorawiz.spec.rule_edits import RuleEdit, append_rule, write_rule_edit
from lorawiz.tui.language import tr
from lorawiz.tui.settings.file import SettingsFile
from lorawiz.tui.settings.state import SpecState


def find_setting(key: str) -> FormField:
    """The field of a dotted key, which is one of the spec."""
    return next(setting for setting in list_fields() if setting.key == key)


def describe_values(action: SetSettings, settings: SpecState) -> list[tuple[str, str, str]]:
    """(key, old, new) of each setting that a fix changes; not made visible."""
    described = []
    for key, typed in action.values:
        setting = find_setting(key)
        new = setting.format(setting.default) if typed is None else typed
        described.append(
            (
                key,
                settings.show(setting) or _name_empty(setting.default),
                new or _name_empty(setting.default if typed is None else ""),
            )
        )
    return described


def _name_empty(value: object) -> str:
    return tr("not set") if value is None else '""'


class Fixer:
    """Makes fixes in one project, and takes back what was made here; else what was set last."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._made: list[RuleEdit | int] = []
        """A rule, or how many settings were changed together."""

    def change_settings(self, values: Mapping[str, str | None], seen: SpecState) -> None:
        """Set each key as it is typed, or take it out; `seen` is what the user decided on.

        What was set before one that fails stays set, and is taken back by one undo. Raises
        LorawizError and OSError.
        """
        file = SettingsFile(self._project)
        num_changed = 0
        try:
            for key, typed in values.items():
                before = file.state.text
                file.change(find_setting(key), typed, seen)
                num_changed += file.state.text != before
        finally:
            if num_changed:
                self._made.append(num_changed)

    def choose_model(self, key: ModelKey, path: Path, seen: SpecState) -> None:
        """Make a file or folder the project's model. Raises LorawizError and OSError."""
        typed = str(path) if key == "base.checkpoint" else self._name_model(path)
        self.change_settings({key: typed}, seen)

    def add_rule(self, action: AddRule) -> None:
        """Put the rule behind the others and clean. Raises LorawizError and OSError."""
        spec = self._project.spec
        edit = append_rule(read_spec_text(spec), action.rule, spec.name)
        write_rule_edit(spec, edit)
        self._made.append(edit)
        self._clean()

    def undo(self) -> str:
        """Take the last fix back; where none is left, the last change of a setting.

        Returns what it was about. Raises LorawizError and OSError.
        """
        last = self._made[-1] if self._made else 1
        if isinstance(last, RuleEdit):
            # where it cannot be taken back now, it never can
            self._made.pop()
            write_rule_edit(self._project.spec, last.reversed())
            self._clean()
            return tr("rule {number}", number=last.number)
        file = SettingsFile(self._project)
        del self._made[-1:]
        return ", ".join(file.undo() for _ in range(last))

    def _clean(self) -> None:
        settle_words(self._project, load_spec(self._project.spec), "clean")

    def _name_model(self, path: Path) -> str:
        """As short as it is found by: its name in a folder of models, else the whole path."""
        for folder in model_folders(self._project):
            if path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return str(path)
