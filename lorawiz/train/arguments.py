"""Handing a spec's arguments to a class or function: what it does not take is said by name."""

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from lorawiz.errors import RunError, visible_text

MISUSE = (
    TypeError, ValueError, AssertionError, RuntimeError, AttributeError, LookupError,
    ArithmeticError, ImportError,
)  # fmt: skip
"""What libraries raise where a value does not suit them."""


def list_arguments(made: Callable[..., Any], ours: Collection[str]) -> list[str]:
    """The names that `made` takes, without those in `ours`."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(made).parameters.values()
    return [p.name for p in parameters if p.kind in kinds and p.name not in ours]


def refuse_unknown(
    key: str, name: str, made: Callable[..., Any], given: Mapping[str, Any], ours: Collection[str]
) -> None:
    """Raises RunError, with the real names, for what `made` does not take or lorawiz gives."""
    known = list_arguments(made, ours)
    parameters = inspect.signature(made).parameters.values()
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for argument in given:
        if argument in ours or not (takes_any or argument in known):
            raise RunError(
                f"{key}: {name} has no argument {visible_text(argument)} to set here",
                _advise(argument, known),
            )


def misuse(key: str, name: str, error: Exception, known: Collection[str]) -> RunError:
    """A library's complaint about a value as a sentence, with the arguments that there are."""
    said = visible_text(" ".join(str(error).split())) or type(error).__name__
    taken = f"its arguments: {', '.join(known)}" if known else f"lorawiz unset {key}"
    return RunError(f"{key}: {name}: {said[:300]}", taken)


def _advise(argument: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(argument, known, n=1, cutoff=0.6)
    asked = f"did you mean {nearest[0]}? " if nearest else ""
    return f"{asked}its arguments: {', '.join(known) or 'none'}"
