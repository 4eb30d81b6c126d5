"""lorawiz.toml on the disk: read with tomllib, checked with pydantic, edited with tomlkit."""

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from lorawiz.errors import SpecError, visible_text
from lorawiz.paths import SPEC_FILE, write_atomically
from lorawiz.spec.cleaning import RULES
from lorawiz.spec.lines import find_line
from lorawiz.spec.tables import Spec

MAX_SPEC_BYTES = 1 << 20
_MOST_TRIES = 5

LISTED_TABLES = {"clean": RULES}
"""Arrays of tables: [[clean]]. By name, their kinds of tables by what tells them apart."""


LISTED_IN_TABLES = frozenset({"dataset.subsets"})
"""Arrays of tables inside a table: [[dataset.subsets]]."""


@dataclass(frozen=True)
class SpecProblem:
    """One thing that is wrong in the spec."""

    key: str
    """The dotted key or the table that it is about; rules of a [[list]] count from 0."""
    message: str
    """With file, line and key."""
    hint: str


def load_spec(path: Path, overrides: Mapping[str, str] | None = None) -> Spec:
    """Read and check the spec at `path`, with `overrides` (dotted key → text) put on top.

    Raises SpecError that names file, line and key of everything that is wrong.
    """
    text = read_spec_text(path)
    values = parse_spec(text, path.name)
    for dotted, value in (overrides or {}).items():
        _assign(values, dotted, _typed_value(dotted, value)[0])
    return build_spec(values, text, path.name)


def read_spec_text(path: Path) -> str:
    """The text of the spec, without a byte order mark; line ends as they are."""
    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise SpecError(f"{path.name}: larger than 1 MiB, which no spec is")
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise SpecError(f"{path.name}:{line}: not UTF-8", "save the file as UTF-8") from error
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}") from error


def build_spec(values: Mapping[str, Any], text: str = "", file_name: str = "spec") -> Spec:
    """The spec made of `values`; `text` serves to find the lines of what is wrong."""
    try:
        return Spec.model_validate(values)
    except ValidationError as error:
        *others, last = _list_problems(error, text, file_name)
        lines = [*(_join(problem) for problem in others), last.message]
        raise SpecError("\n".join(lines), last.hint) from error


def find_problems(values: Mapping[str, Any], text: str, file_name: str) -> list[SpecProblem]:
    """What is wrong with `values`, each with the key that it is about; empty for a good spec."""
    try:
        Spec.model_validate(values)
    except ValidationError as error:
        return _list_problems(error, text, file_name)
    return []


def dump_spec(spec: Spec) -> str:
    """Every value of `spec` as TOML; what is not set is left out."""
    values = spec.model_dump(by_alias=True, exclude_none=True, mode="json")
    return tomlkit.dumps(values)


def flatten(spec: Spec) -> dict[str, Any]:
    """Every value of the spec by its dotted key; the tables of a [[list]] by number."""
    flat: dict[str, Any] = {}
    for table, value in spec.model_dump(by_alias=True, mode="json").items():
        if isinstance(value, dict):
            for key, inner in value.items():
                name = f"{table}.{key}"
                flat.update(_number(name, inner) if name in LISTED_IN_TABLES else {name: inner})
        elif table in LISTED_TABLES:
            flat.update(_number(table, value))
        else:
            flat[table] = value
    return flat


def _number(name: str, tables: list[Any]) -> dict[str, Any]:
    return {f"{name}.{number}": table for number, table in enumerate(tables, 1)}


def set_value(path: Path, dotted: str, text_value: str) -> tuple[Any, Any]:
    """Set one key in the file; comments, order and line ends stay. Returns (old, new).

    Raises SpecError, with the file untouched, when the key is unknown or the value is wrong.
    """
    return _change_value(path, dotted, text_value)


def unset_value(path: Path, dotted: str) -> tuple[Any, Any]:
    """Take one key out of the file, so that its default holds. Returns (old, new)."""
    find_field(dotted)
    return _change_value(path, dotted, None)


def change_values(path: Path, settings: Mapping[str, str | None]) -> tuple[str, str]:
    """Set keys in the file as they were typed, and take out those that are None, in one step.

    Returns the file's text before and after. Raises SpecError, with the file untouched.
    """
    return rewrite_spec(path, lambda text: edit_text(text, settings, path.name))


def rewrite_spec(path: Path, edit: Callable[[str], str]) -> tuple[str, str]:
    """Put the text that `edit` makes of the file's in its place. Returns (before, after).

    The file is read again right before it is written: what another program saved meanwhile is
    edited, never overwritten. Raises SpecError, and what `edit` raises.
    """
    for _ in range(_MOST_TRIES):
        before = read_spec_text(path)
        after = edit(before)
        if after == before:
            return before, after
        if read_spec_text(path) == before:
            write_atomically(path, after)
            return before, after
    raise SpecError(f"{path.name}: another program keeps changing it", "try again when it is done")


def edit_text(text: str, settings: Mapping[str, str | None], file_name: str = SPEC_FILE) -> str:
    """`text` with each dotted key of `settings` set to what the user typed; checked as a whole.

    A key that is None is taken out. Raises SpecError for an unknown key or a wrong value.
    """
    document = _parse_for_edit(text, Path(file_name))
    for dotted, typed in settings.items():
        if typed is None:
            _take_out(document, dotted)
        else:
            _assign(document, dotted, _build_item(*_typed_value(dotted, typed), typed))
    edited = tomlkit.dumps(document)
    if "\r\n" in text:
        edited = edited.replace("\r\n", "\n").replace("\n", "\r\n")
    build_spec(parse_spec(edited, file_name), edited, file_name)
    return edited


def parse_value(dotted: str, typed: str) -> Any:
    """What typing `typed` for one key means. Raises SpecError for what it cannot be."""
    return _typed_value(dotted, typed)[0]


def list_texts(text: str) -> dict[str, str]:
    """Every value in the tables of a spec as it is written there, by dotted key.

    Raises SpecError for what cannot be edited in place.
    """
    written: dict[str, str] = {}
    for name, held in _parse_for_edit(text, Path(SPEC_FILE)).items():
        if isinstance(held, Mapping):
            for key in held:
                written[f"{name}.{key}"] = tomlkit.item(held[key]).as_string()
        elif name not in LISTED_TABLES:
            written[name] = tomlkit.item(held).as_string()
    return written


def find_value(values: Mapping[str, Any], dotted: str) -> Any:
    """What a dotted key holds in the tables of a spec, or None."""
    table, _, key = dotted.rpartition(".")
    holder = values.get(table) if table else values
    return holder.get(key) if isinstance(holder, Mapping) else None


def find_field(dotted: str) -> FieldInfo:
    """The field behind a dotted key. Raises SpecError with the nearest known key."""
    table_name, _, key = dotted.rpartition(".")
    if not table_name and key == "schema":
        return Spec.model_fields["schema_version"]
    table = _tables().get(table_name)
    if dotted in LISTED_IN_TABLES:
        raise SpecError(
            f"{dotted}: not a single setting", f"[[{dotted}]] tables are edited in {SPEC_FILE}"
        )
    if table is not None and key in table.model_fields:
        return table.model_fields[key]
    if dotted.partition(".")[0] in LISTED_TABLES:
        name = dotted.partition(".")[0]
        raise SpecError(
            f"{visible_text(dotted)}: not a single setting",
            f"[[{name}]] tables are edited in {SPEC_FILE}",
        )
    nearest = _nearest(dotted, known_keys())
    hint = f"did you mean {nearest}?" if nearest else "lorawiz get lists every key"
    raise SpecError(f"{visible_text(dotted)}: unknown setting", hint)


def known_keys() -> list[str]:
    """Every dotted key of the spec, in the order of the file."""
    return [
        "schema",
        *(
            f"{t}.{key}"
            for t, model in _tables().items()
            for key in model.model_fields
            if f"{t}.{key}" not in LISTED_IN_TABLES
        ),
    ]


def _tables() -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in Spec.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def parse_spec(text: str, file_name: str = SPEC_FILE) -> dict[str, Any]:
    """The tables of a spec as they stand in the text, not checked yet. Raises SpecError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"^(.*) \(at line (\d+), column (\d+)\)$", str(error), re.DOTALL)
        reason, line, column = match.groups() if match else (str(error), "", "")
        if not line:  # "at end of document"
            line, column = str(text.count("\n") + 1), "1"
        raise SpecError(
            f"{file_name}:{line}: not valid TOML: {visible_text(reason)} (column {column})",
            'text needs quotes: key = "value"',
        ) from error
    except (RecursionError, ValueError) as error:
        # tomllib recurses into nested arrays, and refuses integers of thousands of digits
        raise SpecError(
            f"{file_name}:1: not valid TOML: nested too deep or a number too long"
        ) from error


def _parse_for_edit(text: str, path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except tomlkit.exceptions.TOMLKitError as error:
        raise SpecError(
            f"{path.name}: cannot be edited in place: {visible_text(str(error))}"
        ) from error


def _change_value(path: Path, dotted: str, typed: str | None) -> tuple[Any, Any]:
    """Returns (old, new). The old one may be what is wrong with the file."""
    before, after = change_values(path, {dotted: typed})
    old = find_value(parse_spec(before, path.name), dotted)
    new = flatten(build_spec(parse_spec(after, path.name)))[dotted]
    with suppress(SpecError):
        old = flatten(build_spec(parse_spec(before, path.name)))[dotted]
    return old, new


def _take_out(document: tomlkit.TOMLDocument, dotted: str) -> None:
    find_field(dotted)
    table, _, key = dotted.rpartition(".")
    holder: Any = document.get(table, {}) if table else document
    if isinstance(holder, Mapping) and key in holder:
        del holder[key]  # type: ignore[attr-defined]


def _build_item(value: Any, is_toml: bool, typed: str) -> Any:
    if is_toml:
        # tomlkit keeps the number as it was typed: 1e-4 stays 1e-4
        with suppress(tomlkit.exceptions.TOMLKitError):
            return tomlkit.value(typed)
    return value


def _assign(values: Any, dotted: str, value: Any) -> None:
    table, _, key = dotted.rpartition(".")
    if table and table not in values:
        values[table] = tomlkit.table() if isinstance(values, tomlkit.TOMLDocument) else {}
    holder = values[table] if table else values
    holder[key] = value


def _typed_value(dotted: str, text: str) -> tuple[Any, bool]:
    """What the user typed, read as TOML where the field takes that (True), else as plain text."""
    find_field(dotted)
    candidates: list[tuple[Any, bool]] = [(text, False)]
    with suppress(tomllib.TOMLDecodeError, RecursionError, ValueError):
        typed = tomllib.loads(f"value = {text}")
        if len(typed) == 1:  # not a second key, smuggled in behind a line break
            candidates.insert(0, (typed["value"], True))
    failure: SpecError | None = None
    for candidate in candidates:
        try:
            build_spec(_nested(dotted, candidate[0]), file_name="")
        except SpecError as error:
            # rules between two keys are checked on the whole file, not here
            if not error.message.startswith((f"{dotted}:", f"{dotted} =")):
                return candidate
            failure = failure or error
        else:
            return candidate
    assert failure is not None
    raise failure


def _nested(dotted: str, value: Any) -> dict[str, Any]:
    table, _, key = dotted.rpartition(".")
    return {table: {key: value}} if table else {key: value}


def _list_problems(error: ValidationError, text: str, file_name: str) -> list[SpecProblem]:
    # a union reports once for each of its members
    return list(
        dict.fromkeys(
            SpecProblem(_find_key(detail["loc"]), *_problem(detail, text, file_name))
            for detail in error.errors()
        )
    )


def _find_key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[:2])


def _join(problem: SpecProblem) -> str:
    return f"{problem.message}\n  {problem.hint}" if problem.hint else problem.message


def _problem(detail: Any, text: str, file_name: str) -> tuple[str, str]:
    """(message, hint) of one pydantic error."""
    location = [str(part) for part in detail["loc"]]
    if location[0] in LISTED_TABLES:
        return _problem_in_list(location, detail, text, file_name)
    dotted = ".".join(location[:2])
    line = find_line(text, ".".join(location))
    where = f"{file_name}:{line}: " if line else f"{file_name}: " if file_name else ""
    if len(location) > 3:
        return _problem_in_subtable(location, detail, where)
    if detail["type"] == "extra_forbidden":
        return where + f"{visible_text(dotted)}: unknown setting", _unknown_hint(
            location, detail["input"]
        )
    expected = _expected(dotted, detail)
    shown = visible_text(json.dumps(detail["input"], ensure_ascii=False, default=str))[:60]
    if detail["type"] == "value_error":
        return where + f"{visible_text(dotted)}: {detail['ctx']['error']}", ""
    return where + f"{visible_text(dotted)} = {shown}: expected {expected}", _fix(dotted)


def _problem_in_list(
    location: list[str], detail: Any, text: str, file_name: str
) -> tuple[str, str]:
    """(message, hint) of an error in a [[table]]: its location is name, index, kind, key."""
    name, index, kind, *keys = [*location, "", "", ""][:4]
    kinds = LISTED_TABLES[name]
    line = find_line(text, ".".join(part for part in (name, index, *keys) if part))
    where = f"{file_name}:{line}: " if line else f"{file_name}: " if file_name else ""
    shown = f"[[{name}]]" if not kind else f"[[{name}]] {kind}"
    key = keys[0]
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        given = str(detail["input"].get("rule", "")) if isinstance(detail["input"], dict) else ""
        nearest = _nearest(given, list(kinds))
        hint = f'did you mean rule = "{nearest}"?' if nearest else f"rules are {', '.join(kinds)}"
        return where + f"{shown}: rule = {json.dumps(given)}: unknown rule", visible_text(hint)
    if detail["type"] == "extra_forbidden":
        known = [known for known in kinds[kind].model_fields if known != "rule"]
        hint = f"its settings are {', '.join(known)}" if known else "it has no settings"
        return where + f"{shown}: {visible_text(key)}: unknown setting", hint
    if detail["type"] == "missing":
        return where + f"{shown}: {key} is missing", ""
    if detail["type"] == "value_error":
        return where + f"{shown}: {visible_text(str(detail['ctx']['error']))}", ""
    value = visible_text(json.dumps(detail["input"], ensure_ascii=False, default=str))[:60]
    return where + f"{shown}: {key} = {value}: expected {_expected('', detail)}", ""


def _problem_in_subtable(location: list[str], detail: Any, where: str) -> tuple[str, str]:
    """(message, hint) of an error in a [[table.list]]: its location is table, list, index, key."""
    table, name, _, key = location[:4]
    shown = f"[[{table}.{name}]] {visible_text(key)}"
    if detail["type"] == "extra_forbidden":
        return f"{where}{shown}: unknown setting", "lorawiz get dataset.subsets lists what there is"
    if detail["type"] == "missing":
        return f"{where}{shown} is missing", ""
    value = visible_text(json.dumps(detail["input"], ensure_ascii=False, default=str))[:60]
    return f"{where}{shown} = {value}: expected {_expected('', detail)}", ""


def _unknown_hint(location: list[str], value: Any) -> str:
    scope = [key for key in known_keys() if len(location) < 2 or key.startswith(f"{location[0]}.")]
    dotted = ".".join(location[:2])
    if len(location) == 1:
        nearest = _nearest(dotted, [*_tables(), *LISTED_TABLES])
        tables = [*_tables(), *LISTED_TABLES]
        return f"did you mean [{nearest}]?" if nearest else f"tables are {', '.join(tables)}"
    nearest = _same_key_elsewhere(location[1]) or _nearest(dotted, scope)
    if nearest is None:
        return f"lorawiz get {location[0]} lists what there is"
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    short = nearest.partition(".")[2] if nearest.startswith(f"{location[0]}.") else nearest
    return f"did you mean {short}?      lorawiz set {nearest} {visible_text(str(shown))}"


def _nearest(name: str, known: list[str]) -> str | None:
    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return matches[0] if matches else None


def _same_key_elsewhere(key: str) -> str | None:
    """A known key of another table that has this name, bare or with its table as a prefix."""
    for known in known_keys():
        table, _, short = known.partition(".")
        if key in (short, f"{table}_{short}"):
            return known
    return None


_SIMPLE_EXPECTATIONS = {
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "tuple_type": "a list of two numbers",
    "finite_number": "a finite number",
}
_EXPECTATIONS = {
    "dataset.resolution": "a number of pixels from 64 to 8192, or a list [width, height] of two",
    "dataset.alpha_background": "white, black or a colour such as #d0d8e0",
    "cutout.background": "keep, blur, white, black or a colour such as #d0d8e0",
}
_BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "{expected}",
    "string_too_short": "text that is not empty",
    "string_pattern_mismatch": "text like {pattern}",
}


def _expected(dotted: str, detail: Any) -> str:
    kind = detail["type"]
    if dotted in _EXPECTATIONS:
        return _EXPECTATIONS[dotted]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**detail["ctx"])
    return _SIMPLE_EXPECTATIONS.get(kind, str(detail["msg"]).removeprefix("Input should be "))


def _fix(dotted: str) -> str:
    try:
        default = find_field(dotted).default
    except SpecError:
        return ""
    if isinstance(default, BaseModel):
        return f"[{dotted}] is a table of settings"
    shown = "not set" if default is None else json.dumps(default)
    return f"the default is {shown}      lorawiz unset {dotted}"
