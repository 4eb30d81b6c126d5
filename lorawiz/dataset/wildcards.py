"""Wildcards, {one|of|these}, and what can be drawn from a text that has some.

The rules are those of sd-scripts: {{ and }} are braces, a wildcard ends at the first single },
so there is none inside another, and one without a | has one choice.
"""

import re
from collections.abc import Callable, Sequence

Choose = Callable[[Sequence[str]], str]
"""Gives one of several texts."""

# double braces come in pairs from the left; a brace that is never closed runs to the end
_BRACES = re.compile(r"\{\{|\}\}|\{((?:\}\}|[^}])++)(\})?")
_CHOICES = re.compile(r"\{[^{}]*\|[^{}]*\}")


def expand_wildcards(line: str, choose: Choose) -> str:
    """`line` with each wildcard replaced by what `choose` takes, and double braces by single."""

    def replace(match: re.Match[str]) -> str:
        if match[2] is None:
            return _unescape(match[0])
        return _unescape(choose(match[1].split("|")))

    return _BRACES.sub(replace, line)


def has_wildcard(text: str) -> bool:
    """Whether there is something like {a|b} in `text`."""
    return _CHOICES.search(text) is not None


def _unescape(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")
