"""Templates: a TOML each, found beside the package or in a checkout, written out with help."""

import os
import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel

from lorawiz.errors import SpecError, visible_text
from lorawiz.paths import user_data
from lorawiz.spec.arguments import as_toml
from lorawiz.spec.document import LISTED_TABLES, build_spec
from lorawiz.spec.tables import Spec

_PACKAGE = Path(__file__).parents[1]
SCHEMA_PATH = ".lorawiz/schema.json"
"""Where a project keeps the JSON schema that editors complete lorawiz.toml from."""
_WORDS = ("name", "trigger", "class_word")


@dataclass(frozen=True)
class Template:
    """A named set of settings to start from."""

    name: str
    description: str
    version: int
    values: dict[str, dict[str, Any]]
    """Tables of the spec, with {trigger}, {class_word} and {name} still in their texts."""
    listed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Arrays of tables: the [[clean]] rules, in which {trigger} stays as it is."""


def list_templates() -> list[Template]:
    """Every template that `lorawiz new` knows by name, sorted."""
    names = {path.stem for folder in _folders() for path in folder.glob("*.toml")}
    return [load_template(name) for name in sorted(names)]


def load_template(name: str) -> Template:
    """A template by its name, or by the path of its TOML file. Raises SpecError."""
    path = Path(name) if name.endswith(".toml") else _find(name)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"{visible_text(str(path))}: not a template: {error}") from error
    about = values.pop("template", {})
    listed = {name: values.pop(name) for name in LISTED_TABLES if name in values}
    return Template(
        path.stem, about.get("description", ""), about.get("version", 1), values, listed
    )


def render_spec(template: Template, answers: Mapping[str, str]) -> str:
    """lorawiz.toml for a new project: the template's values and the answers, with their help.

    `answers` maps dotted keys to texts: project.name, project.trigger, project.class_word, and
    others that are put over the template's values.
    """
    values = {table: dict(keys) for table, keys in template.values.items()}
    for dotted, answer in answers.items():
        table, _, key = dotted.partition(".")
        values.setdefault(table, {})[key] = answer
    words = {key: str(values["project"].get(key, "")) for key in _WORDS}
    filled = _fill_tables(values, words)
    filled["project"]["template"] = template.name
    build_spec({"schema": 1, **filled, **template.listed}, file_name=f"template {template.name}")
    lines = [
        f"#:schema {SCHEMA_PATH}",
        f"# {template.description}.",
        "# lorawiz check says what is wrong, lorawiz get lists every setting there is.",
        "",
        "schema = 1",
    ]
    for table, info in Spec.model_fields.items():
        if table in filled and isinstance(info.annotation, type):
            lines += _render_table(table, info.annotation, filled[table])
        for values_of_one in template.listed.get(table, []):
            lines += _render_listed(table, values_of_one)
    return "\n".join(lines) + "\n"


def fill_template(template: Template, words: Mapping[str, str]) -> dict[str, Any]:
    """The template's settings by dotted key, with a project's name, trigger and class word."""
    filled = _fill_tables(template.values, {word: words.get(word, "") for word in _WORDS})
    return {
        f"{table}.{key}": value for table, keys in filled.items() for key, value in keys.items()
    }


def _fill_tables(
    tables: Mapping[str, Mapping[str, Any]], words: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    return {t: {k: _fill(v, words) for k, v in keys.items()} for t, keys in tables.items()}


def _render_table(name: str, model: type[BaseModel], values: Mapping[str, Any]) -> list[str]:
    lines = ["", f"[{name}]"]
    for key, info in model.model_fields.items():
        if key in values:
            help_text = " ".join((info.description or "").split())
            lines += [f"# {line}" for line in textwrap.wrap(help_text, 88)]
            lines.append(f"{key} = {as_toml(values[key])}")
    return lines


def _render_listed(name: str, values: Mapping[str, Any]) -> list[str]:
    """One table of an array, under what its kind does."""
    model = LISTED_TABLES[name][values["rule"]]
    help_text = " ".join((model.__doc__ or "").split())
    lines = ["", *(f"# {line}" for line in textwrap.wrap(help_text, 88)), f"[[{name}]]"]
    return lines + [f"{key} = {tomlkit.item(value).as_string()}" for key, value in values.items()]


def _fill(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_fill(item, words) for item in value]
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(f"{{{word}}}", text)
        return " ".join(value.split()).strip(" ,")
    return value


def _folders() -> list[Path]:
    own = [Path(p) for p in os.environ.get("LORAWIZ_TEMPLATES", "").split(os.pathsep) if p]
    # in a wheel the templates lie inside the package, in a checkout beside it
    shipped = [_PACKAGE / "templates", _PACKAGE.parent / "templates"]
    return [f for f in (*own, user_data() / "templates", *shipped) if f.is_dir()]


def _find(name: str) -> Path:
    for folder in _folders():
        if (folder / f"{name}.toml").is_file() and "/" not in name:
            return folder / f"{name}.toml"
    known = ", ".join(sorted({p.stem for folder in _folders() for p in folder.glob("*.toml")}))
    raise SpecError(f"{visible_text(name)}: no such template", f"templates are {known}")
