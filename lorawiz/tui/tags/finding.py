"""Finding words by a few of their letters, and tags by a filter."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
_NO_FIT = 9


def find_fuzzy(wanted: str, items: Sequence[Item], word_of: Callable[[Item], str]) -> list[Item]:
    """The items whose word has the letters of `wanted` in this order, best ones first.

    Best is the word itself, then one that begins with it, one with a word in it that does, one
    that has it inside, and last one that has its letters apart. Equal ones keep their order.
    """
    folded = wanted.casefold().strip()
    if not folded:
        return list(items)
    ranked = [(_rank(folded, word_of(item).casefold()), item) for item in items]
    ranked.sort(key=lambda each: each[0])
    return [item for rank, item in ranked if rank < _NO_FIT]


def _rank(wanted: str, word: str) -> int:
    if word == wanted:
        return 0
    at = word.find(wanted)
    if at == 0:
        return 1
    if at > 0:
        return 2 if not word[at - 1].isalnum() else 3
    letters = iter(word)
    return 4 if all(letter in letters for letter in wanted if letter != " ") else _NO_FIT


def quote_tags(tags: Sequence[str]) -> str:
    """The filter for images with any of `tags`: `tag:"brown hair" or tag:"smile"`."""
    return " or ".join(map(_quote, tags))


def _quote(tag: str) -> str:
    if '"' not in tag:
        return f'tag:"{tag}"'
    # quotes cannot stand in quotes: a bare word, with ? for what would end it
    bare = "".join("?" if letter.isspace() or letter in "()*" else letter for letter in tag)
    return f"tag:{'?' if bare.startswith(chr(34)) else bare[0]}{bare[1:]}"
