"""Edits of the [[clean]] tables in lorawiz.toml: put one in, replace one, take one out.

Only the lines of that table change: comments, order and line ends of the rest stay. The file is
checked as a whole before it is written, and an edit can be reversed for as long as the file
still holds what it wrote.
"""

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions

from lorawiz.errors import SpecError, visible_text
from lorawiz.paths import SPEC_FILE
from lorawiz.spec.document import MAX_SPEC_BYTES, build_spec, parse_spec, rewrite_spec
from lorawiz.spec.lines import find_key_lines, find_line

Rule = Mapping[str, Any]
_LINE_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""What TOML takes for a letter and other programs for the end of a line, as escapes."""
_LINE_CELLS = 96
"""A list that is longer stands on a line for each word."""


@dataclass(frozen=True, slots=True)
class RuleEdit:
    """A change of one rule."""

    number: int
    """Its place among the rules, from 1."""
    old: Rule | None
    """What stands there before, as TOML values; None where the rule is put in."""
    new: Rule | None
    """What stands there after; None where the rule is taken out."""

    def reversed(self) -> "RuleEdit":
        return RuleEdit(self.number, self.new, self.old)


def append_rule(text: str, rule: Rule, file_name: str = SPEC_FILE) -> RuleEdit:
    """The edit that puts `rule` behind all others. Raises SpecError for a text that is no TOML."""
    return RuleEdit(len(list_rules(text, file_name)) + 1, None, rule)


def list_rules(text: str, file_name: str = SPEC_FILE) -> list[dict[str, Any]]:
    """The [[clean]] tables of a spec as they are written. Raises SpecError."""
    rules = parse_spec(text, file_name).get("clean", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        line = find_line(text, "clean") or 1
        raise SpecError(f"{file_name}:{line}: clean is no list of tables", "write [[clean]]")
    return rules


def write_rule_edit(path: Path, edit: RuleEdit, seen_text: str | None = None) -> tuple[str, str]:
    """Make an edit in the file, in one step; one that is made already changes nothing.

    With `seen_text` the file has to be as it was seen then. Returns its text before and after.
    Raises SpecError that names file and line where the file is invalid or another by now, and
    OSError; the file is then untouched.
    """

    def change(text: str) -> str:
        if seen_text is not None and text != seen_text:
            line = _first_difference(seen_text, text)
            raise SpecError(
                f"{path.name}:{line}: changed in the meantime", "look at what it will do now"
            )
        return edit_rules(text, edit, path.name)

    return rewrite_spec(path, change)


def edit_rules(text: str, edit: RuleEdit, file_name: str = SPEC_FILE) -> str:
    """`text` with an edit made; checked as a whole. One that is made already changes nothing.

    Raises SpecError for an invalid text, for rules that are others than the edit expects, and
    for a rule that cannot be.
    """
    rules = list_rules(text, file_name)
    values = parse_spec(text, file_name)
    build_spec(values, text, file_name)
    if _is_made(rules, edit):
        return text
    _expect(rules, edit, text, file_name)
    if "clean" in values and "clean.0" not in find_key_lines(text):
        edited = _edit_inline(text, edit, file_name)
    else:
        edited = _edit_tables(text, edit)
    if "\r\n" in text:
        edited = edited.replace("\r\n", "\n").replace("\n", "\r\n")
    _check(edited, {**values, "clean": _edited_list(rules, edit)}, file_name)
    return edited


def _is_made(rules: list[dict[str, Any]], edit: RuleEdit) -> bool:
    if edit.new is None:
        return len(rules) < edit.number and edit.old not in rules
    return len(rules) >= edit.number and rules[edit.number - 1] == edit.new


def _expect(rules: list[dict[str, Any]], edit: RuleEdit, text: str, file_name: str) -> None:
    place = edit.number - 1
    if edit.old is None:
        fits = place <= len(rules)
    else:
        fits = place < len(rules) and rules[place] == edit.old
    if not fits:
        line = find_line(text, f"clean.{min(place, max(len(rules) - 1, 0))}") or 1
        raise SpecError(
            f"{file_name}:{line}: rule {edit.number} was changed since",
            "put the [[clean]] table there in order by hand, or leave it as it is",
        )


def _edited_list(rules: list[dict[str, Any]], edit: RuleEdit) -> list[Any]:
    edited: list[Any] = copy.deepcopy(rules)
    place = edit.number - 1
    new = [] if edit.new is None else [edit.new]
    edited[place : place + (edit.old is not None)] = new
    return edited


def _check(edited: str, expected: Mapping[str, Any], file_name: str) -> None:
    """Whether the new text is a good spec and says what it shall, and nothing else."""
    try:
        size = len(edited.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise SpecError(
            f"{file_name}: a rule with a character that no text file can hold"
        ) from error
    if size > MAX_SPEC_BYTES:
        raise SpecError(f"{file_name}: would be larger than 1 MiB, which no spec is")
    values = parse_spec(edited, file_name)
    if {"clean": [], **values} != expected:
        raise SpecError(
            f"{file_name}: its [[clean]] tables cannot be edited in place", "edit them by hand"
        )
    build_spec(values, edited, file_name)


def _edit_tables(text: str, edit: RuleEdit) -> str:
    lines = text.splitlines(keepends=True)
    spans = _find_spans(text)
    place = edit.number - 1
    if edit.new is None:
        begin, end = spans[place]
        del lines[begin:end]
        is_gap = begin > 0 and not lines[begin - 1].strip()
        if is_gap and (begin == len(lines) or not lines[begin].strip()):
            del lines[begin - 1]
    elif edit.old is None:
        at = spans[place - 1][1] if 0 < place <= len(spans) else spans[0][0] if spans else None
        _insert(lines, len(lines) if at is None else at, _dump_table(edit.new))
    else:
        begin, end = spans[place]
        lines[begin:end] = [_change_table("".join(lines[begin:end]), edit.new)]
    return "".join(lines)


def _insert(lines: list[str], at: int, table: str) -> None:
    """Put a table between two lines, with an empty line on both sides."""
    if at and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += "\n"
    before = "\n" if at and lines[at - 1].strip() else ""
    after = "\n" if at < len(lines) and lines[at].strip() else ""
    lines.insert(at, f"{before}{table}{after}")


def _find_spans(text: str) -> list[tuple[int, int]]:
    """The lines of each [[clean]] table, from its head to its last value: [begin, end)."""
    lines = text.splitlines(keepends=True)
    places = find_key_lines(text)
    heads = sorted(line for name, line in places.items() if _is_head(name))
    others = [line for name, line in places.items() if not name.startswith("clean.")]
    spans = []
    for head in heads:
        end = min((line for line in (*heads, *others) if line > head), default=len(lines) + 1)
        spans.append((head - 1, head - 1 + _count_lines(lines[head - 1 : end - 1])))
    return spans


def _is_head(name: str) -> bool:
    table, _, index = name.partition(".")
    return table == "clean" and index.isdecimal()


def _count_lines(lines: list[str]) -> int:
    """How many of the lines a table's values take; comments behind them belong to what follows."""
    whole = tomllib.loads("".join(lines))
    for num in range(1, len(lines)):
        try:
            if tomllib.loads("".join(lines[:num])) == whole:
                return num
        except tomllib.TOMLDecodeError:  # in the middle of a value
            continue
    return len(lines)


def _dump_table(rule: Rule) -> str:
    document = tomlkit.document()
    tables = tomlkit.aot()
    table = tomlkit.table()
    for key, value in rule.items():
        table.add(key, _build_item(value))
    tables.append(table)
    document.append("clean", tables)
    return tomlkit.dumps(document).translate(_LINE_BREAKS)


def _build_item(value: Any) -> Any:
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    item = tomlkit.item(value)
    if isinstance(value, list) and len(item.as_string()) > _LINE_CELLS:
        item.multiline(True)
    return item


def _change_table(text: str, rule: Rule) -> str:
    """The text of one table with other values; what stays the same is not touched."""
    document = tomlkit.parse(text)
    table: Any = document["clean"][0]
    _update(table, rule)
    edited = tomlkit.dumps(document)
    return edited if set(map(ord, text)) & _LINE_BREAKS.keys() else edited.translate(_LINE_BREAKS)


def _update(table: Any, values: Mapping[str, Any]) -> None:
    for key in [key for key in table if key not in values]:
        del table[key]
    for key, value in values.items():
        held = table.get(key)
        if held is not None and tomlkit.item(held).unwrap() == value:
            continue
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            _update(held, value)
        elif isinstance(held, list) and isinstance(value, list) and value[: len(held)] == held:
            held.extend(value[len(held) :])
        else:
            table[key] = _build_item(value)


def _edit_inline(text: str, edit: RuleEdit, file_name: str) -> str:
    """For rules that are written as one list: clean = [{ rule = … }]."""
    try:
        document = tomlkit.parse(text)
    except tomlkit.exceptions.TOMLKitError as error:
        raise SpecError(
            f"{file_name}: cannot be edited in place: {visible_text(str(error))}"
        ) from error
    rules: Any = document["clean"]
    place = edit.number - 1
    if edit.new is None:
        del rules[place]
    elif edit.old is None:
        rules.insert(place, _build_item(edit.new))
    else:
        rules[place] = _build_item(edit.new)
    return tomlkit.dumps(document)


def _first_difference(one: str, other: str) -> int:
    """The first line, from 1, in which two texts differ."""
    pairs = zip(one.splitlines(), other.splitlines(), strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), None)
    return 1 + (min(one.count("\n"), other.count("\n")) if same is None else same)
