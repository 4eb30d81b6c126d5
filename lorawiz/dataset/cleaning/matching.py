"""How rules name tags: {trigger} and {class_word} filled in, * and ? for any letters."""

import re
from collections.abc import Callable, Iterable

from lorawiz.spec.tables import ProjectTable

_PLACEHOLDER = re.compile(r"(?<!\\)\{(trigger|class_word)\}")
_WILDCARD = re.compile(r"\\([*?])|([*?])")


def fill_in(text: str, project: ProjectTable, spell: Callable[[str], str] = str) -> str | None:
    """`text` with the project's words, as `spell` writes them, or None where such a word is empty.

    None and not the rest: `{trigger} *` must not become `*`.
    """
    values = {"trigger": project.trigger.strip(), "class_word": project.class_word.strip()}
    if not all(values[name] for name in _PLACEHOLDER.findall(text)):
        return None
    return _PLACEHOLDER.sub(lambda found: spell(values[found[1]]), text)


def fill_in_all(words: Iterable[str], project: ProjectTable) -> tuple[str, ...]:
    """`words` to write, each once; those whose placeholder is empty are left out."""
    filled = ((fill_in(word, project) or "").strip() for word in words)
    return tuple(dict.fromkeys(word for word in filled if word))


class TagPatterns:
    """The tags that a rule lists. Letters are compared as they are; \\* and \\? are literal."""

    def __init__(self, patterns: Iterable[str], project: ProjectTable) -> None:
        self._places: dict[str, int | None] = {}
        self._wild: list[tuple[int, re.Pattern[str]]] = []
        for place, pattern in enumerate(patterns):
            filled = (fill_in(pattern, project, _as_literal) or "").strip()
            if any(found[2] for found in _WILDCARD.finditer(filled)):
                self._wild.append((place, _compile(filled)))
            elif filled:
                self._places.setdefault(_WILDCARD.sub(r"\1", filled), place)
        self.is_empty = not (self._places or self._wild)

    def find(self, tag: str) -> int | None:
        """Which pattern `tag` fits, counted from 0, or None. One without wildcards comes first."""
        if tag not in self._places:
            # a dataset has few tags and many images: each tag is tried once
            self._places[tag] = next(
                (place for place, pattern in self._wild if pattern.fullmatch(tag)), None
            )
        return self._places[tag]

    def __contains__(self, tag: str) -> bool:
        return self.find(tag) is not None


def _as_literal(word: str) -> str:
    return re.sub(r"([*?])", r"\\\1", word)


def _compile(pattern: str) -> re.Pattern[str]:
    parts: list[str] = []
    end = 0
    for found in _WILDCARD.finditer(pattern):
        parts.append(re.escape(pattern[end : found.start()]))
        parts.append(re.escape(found[1]) if found[1] else {"*": ".*", "?": "."}[found[2]])
        end = found.end()
    return re.compile("".join([*parts, re.escape(pattern[end:])]), re.DOTALL)
