"""Arguments for a class that a spec names: a table of plain values, handed on as they are."""

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import tomlkit
from pydantic import BeforeValidator

_PLAIN = "a number, text, true, false or a list of them"


def as_toml(value: object) -> str:
    """A value as it stands behind `key =`: tables in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + " }"
    return tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string()


def read_kohya_args(texts: Sequence[str]) -> dict[str, Any]:
    """sd-scripts' `["weight_decay=0.01", "betas=0.9,0.99"]` as a table.

    Raises ValueError, with what to write in its place, for what is no plain Python value.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        key, _, value = str(text).partition("=")
        try:
            read = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
            raise ValueError(_refusal(str(text), key)) from error
        read = list(read) if isinstance(read, tuple) else read
        if not key.strip().isidentifier() or not _is_plain(read):
            raise ValueError(_refusal(str(text), key))
        arguments[key.strip()] = read
    return arguments


def _refusal(text: str, key: str) -> str:
    return f'"{text}" cannot be read; write {{ {key.strip() or "name"} = VALUE }}, {_PLAIN}'


def _check(value: object) -> object:
    if isinstance(value, list):
        shown = as_toml(read_kohya_args(value)) if value else "{ }"
        raise ValueError(f"a table, not a list of texts: write {shown}")
    if not isinstance(value, dict):
        raise ValueError("a table of arguments, such as { weight_decay = 0.01 }")
    for key, item in value.items():
        if not _is_plain(item):
            raise ValueError(f"{key} is to be {_PLAIN}")
    return value


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) and not isinstance(item, list) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool | int | str)


Arguments = Annotated[dict[str, Any], BeforeValidator(_check)]
"""Names and plain values: what a `*_args` setting holds."""
