"""The lines of the form: every setting and every rule, and which of them are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorawiz.errors import visible_text
from lorawiz.spec.document import LISTED_TABLES
from lorawiz.spec.form import FILE_GROUP, FormField, FormGroup, find_rule_help, format_toml
from lorawiz.tui.language import tr
from lorawiz.tui.settings.state import SpecState


@dataclass(frozen=True)
class Row:
    """One line of the form."""

    key: str
    """Dotted; tables of a [[list]] count from 0: `clean.1`."""
    group: str
    name: str
    value: str
    """As it is typed, made visible; empty where it is not set."""
    help: str
    field: FormField | None = None
    """None for a line that is only shown."""
    is_set: bool = False
    """Whether it stands in the file."""
    differs: bool = False
    """Whether the template says something else."""
    is_wrong: bool = False


def build_rows(form: Sequence[FormGroup], state: SpecState) -> list[Row]:
    """Every line, in the order of the form; a group has one at least."""
    rows: list[Row] = []
    for group in form:
        if group.is_list:
            rows += _build_list_rows(group, state)
        else:
            rows += [_build_row(setting, state) for setting in group.fields]
    order = [group.name for group in form]
    rows += _build_stray_rows(rows, order, state)
    return sorted(rows, key=lambda row: order.index(row.group))


def matches(row: Row, wanted: str) -> bool:
    """Whether every word of the search is in the key or in the help, as it is shown."""
    text = f"{row.key} {tr(row.help)} {row.help}".casefold()
    return all(word in text for word in wanted.casefold().split())


def _build_row(setting: FormField, state: SpecState) -> Row:
    return Row(
        key=setting.key,
        group=setting.group,
        name=setting.name,
        value=visible_text(state.show(setting)),
        help=setting.help,
        field=setting,
        is_set=state.is_set(setting.key),
        differs=state.differs(setting),
        is_wrong=bool(state.list_problems(setting.key)),
    )


def _build_stray_rows(rows: Sequence[Row], groups: Sequence[str], state: SpecState) -> list[Row]:
    """A line for everything that is wrong and is at no other line: unknown keys and tables."""
    told = {problem for row in rows for problem in state.list_problems(row.key)}
    strays = dict.fromkeys(problem.key for problem in state.problems if problem not in told)
    found = []
    for key in strays:
        group, _, name = key.partition(".")
        known = group if group in groups else FILE_GROUP
        shown = visible_text(name if name and known == group else key)
        found.append(Row(key, known, shown, "", "", is_set=True, is_wrong=True))
    return found


def _build_list_rows(group: FormGroup, state: SpecState) -> list[Row]:
    tables = state.list_tables(group.name)
    if not tables:
        return [Row(group.name, group.name, tr("none yet"), "", group.help)]
    return [_build_list_row(group, number, table, state) for number, table in enumerate(tables)]


def _build_list_row(
    group: FormGroup, number: int, table: Mapping[str, Any], state: SpecState
) -> Row:
    key = f"{group.name}.{number}"
    kind = table.get("rule")
    known = LISTED_TABLES.get(group.name, {}).get(kind) if isinstance(kind, str) else None
    rest = {name: value for name, value in table.items() if name != "rule"}
    shown = ", ".join(f"{name} = {format_toml(value)}" for name, value in rest.items())
    return Row(
        key=key,
        group=group.name,
        name=visible_text(f"{number + 1} {kind}" if isinstance(kind, str) else f"{number + 1}"),
        value=visible_text(shown),
        help=find_rule_help(known) if known is not None else group.help,
        is_set=True,
        is_wrong=bool(state.list_problems(key)),
    )
