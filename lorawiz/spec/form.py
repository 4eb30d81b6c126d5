"""What a form has to know of the spec: groups, fields, kinds, ranges, words; without a screen.

It is made of the same JSON schema that editors complete lorawiz.toml from, so that a new setting
is in the form as soon as it is a field of its table.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel

from lorawiz.errors import SpecError, visible_text
from lorawiz.spec.document import LISTED_TABLES, parse_value
from lorawiz.spec.tables import Spec

Kind = Literal[
    "switch", "choice", "integer", "number", "text", "list", "numbers", "pairs", "number or pair"
]  # fmt: skip
"""How a value is edited. `list` holds texts, `numbers` numbers, `pairs` text by text: typed as TOML."""

OWN_KEYS = frozenset(
    {
        "schema", "project.name", "project.trigger", "project.class_word", "project.template",
        "base.checkpoint", "base.sha256",
    }
)  # fmt: skip
"""What each project answers for itself: no template to differ from."""
QUOTES = ('"', "'")
"""What begins with one of them is TOML to a form, and has to end with it."""
FILE_GROUP = "file"
"""The group of the keys that stand in no table."""
_KINDS: dict[str, Kind] = {
    "boolean": "switch",
    "integer": "integer",
    "number": "number",
    "string": "text",
    "array": "list",
    "object": "pairs",
}


@dataclass(frozen=True)
class Bounds:
    """What a number may be; None where there is no such bound."""

    least: float | None = None
    more_than: float | None = None
    most: float | None = None
    less_than: float | None = None
    multiple_of: float | None = None


@dataclass(frozen=True)
class FormField:
    """One setting."""

    key: str
    """Dotted, as `lorawiz set` takes it."""
    group: str
    name: str
    help: str
    """The field's docstring on one line, in English."""
    kind: Kind
    default: Any
    """As TOML would hold it; None is not set."""
    is_optional: bool
    """Whether it may be not set at all."""
    choices: tuple[str, ...] = ()
    """Of a choice: each as it is typed."""
    suggestions: tuple[str, ...] = ()
    """Of a text that may be something else too: what it mostly is."""
    bounds: Bounds = Bounds()
    pattern: str = ""
    """A regular expression that a text has to match."""

    @property
    def listed(self) -> tuple[str, ...]:
        """What a form offers: every choice, or what is suggested."""
        return self.choices or self.suggestions

    def format(self, value: Any) -> str:
        """`value` as it is typed: parsing it gives the value again. Empty where it is not set."""
        if value is None:
            return ""
        if isinstance(value, str) and self.kind in ("text", "choice") and self._is_plain(value):
            return value
        return format_toml(value)

    def _is_plain(self, text: str) -> bool:
        """Whether a text says the same without quotes, and can be seen."""
        if text != text.strip() or text != visible_text(text) or text.startswith(QUOTES):
            return False
        try:
            return bool(parse_value(self.key, text) == text)
        except SpecError:
            return False


@dataclass(frozen=True)
class FormGroup:
    """One table of the spec, or one [[list]] of tables."""

    name: str
    help: str
    fields: tuple[FormField, ...]
    is_list: bool = False
    """A [[list]]: its tables are shown, and edited in the file."""


@cache
def build_form(model: type[BaseModel] = Spec) -> tuple[FormGroup, ...]:
    """The groups in the order of the file; keys outside of tables come last."""
    groups: list[FormGroup] = []
    loose: list[FormField] = []
    schema = model.model_json_schema(by_alias=True)
    for name, about in schema["properties"].items():
        if "$ref" in about:
            table = _resolve(schema, about)
            groups += _build_groups(name, table, schema)
        elif _is_list_of_tables(about):
            groups.append(FormGroup(name, _one_line(about.get("description")), (), True))
        else:
            loose.append(_build_field("", name, about))
    if loose:
        groups.append(FormGroup(FILE_GROUP, "", tuple(loose)))
    return tuple(groups)


def list_fields() -> list[FormField]:
    """Every setting of the spec, in the order of the form."""
    return [field for group in build_form() for field in group.fields]


def iter_help_texts() -> Iterator[str]:
    """Every text of the spec that a form shows: of tables, settings and kinds of rules."""
    for group in build_form():
        if group.help:
            yield group.help
        yield from (field.help for field in group.fields)
    for kinds in LISTED_TABLES.values():
        yield from (find_rule_help(kind) for kind in kinds.values())


def find_rule_help(kind: type[BaseModel]) -> str:
    """What a kind of table in a [[list]] does, in one line of English."""
    return _one_line(kind.__doc__)


def format_toml(value: Any) -> str:
    """`value` as TOML on one line; what a terminal cannot show is escaped."""
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        return "".join(c if visible_text(c) == c else _escape(c) for c in quoted)
    if isinstance(value, Mapping):
        pairs = (f"{format_toml(key)} = {format_toml(each)}" for key, each in value.items())
        inner = ", ".join(pairs)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(format_toml(each) for each in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _build_groups(
    name: str, table: Mapping[str, Any], schema: Mapping[str, Any]
) -> list[FormGroup]:
    """A table's own group, then one for each [[list]] in it."""
    properties = table["properties"]
    lists = {key: about for key, about in properties.items() if _is_list_of_tables(about)}
    fields = tuple(
        _build_field(name, key, about) for key, about in properties.items() if key not in lists
    )
    own = FormGroup(name, _one_line(table.get("description")), fields)
    return [own] + [
        FormGroup(f"{name}.{key}", _one_line(about.get("description")), (), True)
        for key, about in lists.items()
    ]


def _build_field(group: str, name: str, about: Mapping[str, Any]) -> FormField:
    kinds = [each for each in about.get("anyOf", [about]) if each.get("type") != "null"]
    is_optional = len(kinds) < len(about.get("anyOf", [about]))
    first = kinds[0]
    given = first.get("enum", [first["const"]] if "const" in first else [])
    kind: Kind = "choice" if given else _KINDS[first["type"]]
    if kind == "list" and first["items"]["type"] != "string":
        kind = "numbers"
    if len(kinds) > 1:
        # the one union there is: a number, or a list of two
        assert [each["type"] for each in kinds] == ["integer", "array"], f"{group}.{name}: {about}"
        kind = "number or pair"
    return FormField(
        key=f"{group}.{name}" if group else name,
        group=group or FILE_GROUP,
        name=name,
        help=_one_line(about.get("description")),
        kind=kind,
        default=about["default"],
        is_optional=is_optional,
        choices=tuple(str(choice) for choice in given),
        suggestions=tuple(first.get("examples", about.get("examples", ()))),
        bounds=_read_bounds(first),
        pattern=first.get("pattern", ""),
    )


def _read_bounds(about: Mapping[str, Any]) -> Bounds:
    return Bounds(
        least=about.get("minimum"),
        more_than=about.get("exclusiveMinimum"),
        most=about.get("maximum"),
        less_than=about.get("exclusiveMaximum"),
        multiple_of=about.get("multipleOf"),
    )


def _resolve(schema: Mapping[str, Any], about: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema["$defs"][about["$ref"].rpartition("/")[2]]
    return found


def _is_list_of_tables(about: Mapping[str, Any]) -> bool:
    items = about.get("items", {})
    return about.get("type") == "array" and ("$ref" in items or "oneOf" in items)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
