"""lorawiz.toml as it was read last, with what it is compared with. Knows no Textual."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorawiz.errors import SpecError
from lorawiz.paths import Project
from lorawiz.spec.document import (
    SpecProblem,
    find_problems,
    find_value,
    list_texts,
    parse_spec,
    read_spec_text,
)
from lorawiz.spec.form import OWN_KEYS, FormField
from lorawiz.spec.lines import find_key_lines
from lorawiz.spec.templates import fill_template, load_template

Signature = tuple[int, int, int]


@dataclass(frozen=True)
class Baseline:
    """What a setting is compared with: the project's template, or the defaults."""

    template: str = ""
    """Its name; empty where the project names none, or one that is not on this machine."""
    missing: str = ""
    """The template that the project names and that cannot be read."""
    values: Mapping[str, Any] = field(default_factory=dict)

    def value_of(self, setting: FormField) -> Any:
        return self.values.get(setting.key, setting.default)


@dataclass(frozen=True)
class SpecState:
    """One reading of the file. Where `failure` is set it is no TOML, and all else is empty."""

    signature: Signature | None
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The tables as they stand there; what is wrong is told by `problems`."""
    written: Mapping[str, str] = field(default_factory=dict)
    """Each value as it is written, by dotted key."""
    lines: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[SpecProblem, ...] = ()
    baseline: Baseline = Baseline()
    failure: SpecError | None = None

    def is_set(self, key: str) -> bool:
        return find_value(self.values, key) is not None

    def value_of(self, setting: FormField) -> Any:
        """What holds now: the file's value, else the default."""
        value = find_value(self.values, setting.key)
        return setting.default if value is None else value

    def differs(self, setting: FormField) -> bool:
        """Whether the template, or the default where there is none, says something else."""
        if setting.key in OWN_KEYS:
            return False
        return bool(self.value_of(setting) != self.baseline.value_of(setting))

    def show(self, setting: FormField) -> str:
        """The value as it is typed; a number as it is written: 1e-4 stays 1e-4."""
        if setting.kind in ("integer", "number") and setting.key in self.written:
            return self.written[setting.key]
        return setting.format(self.value_of(setting))

    def list_tables(self, name: str) -> list[Mapping[str, Any]]:
        """The tables of a [[list]] as they stand in the file."""
        held = find_value(self.values, name)
        if not isinstance(held, list):
            return []
        return [table for table in held if isinstance(table, Mapping)]

    def list_problems(self, key: str) -> list[SpecProblem]:
        """What is wrong with a setting. What two of them do together stands at both."""
        group, _, name = key.rpartition(".")
        return [
            problem
            for problem in self.problems
            if problem.key == key
            or (problem.key == group and name in problem.message.replace(":", " ").split())
        ]


def load_state(project: Project) -> SpecState:
    """Read the file. Never raises: what is wrong with it is part of the state."""
    signature = find_signature(project.spec)
    try:
        text = read_spec_text(project.spec)
        values = parse_spec(text, project.spec.name)
    except SpecError as error:
        return SpecState(signature, failure=error)
    written: Mapping[str, str] = {}
    with suppress(SpecError):  # a text that tomlkit cannot take is told when it is edited
        written = list_texts(text)
    problems = tuple(find_problems(values, text, project.spec.name))
    lines = find_key_lines(text)
    baseline = _load_baseline(values)
    return SpecState(signature, text, values, written, lines, problems, baseline)


def find_signature(path: Path) -> Signature | None:
    """What changes when the file does; None where it cannot be seen."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _load_baseline(values: Mapping[str, Any]) -> Baseline:
    name = find_value(values, "project.template")
    if not isinstance(name, str) or not name:
        return Baseline()
    words = {
        word: str(find_value(values, f"project.{word}") or "")
        for word in ("name", "trigger", "class_word")
    }
    try:
        return Baseline(name, values=fill_template(load_template(name), words))
    except SpecError:
        return Baseline(missing=name)
