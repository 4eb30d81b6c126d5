"""Words that exclude one another: hair colours, indoors and outdoors, sitting and standing.

A caption and tags contradict each other where both say something of one kind and nothing that
they say is the same. So two people with two hair colours contradict nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

_KINDS: Mapping[str, Mapping[str, str]] = {
    "hair colour": {
        "black": r"black", "brown": r"brown|brunette|chestnut", "blonde": r"blonde?|golden|yellow",
        "red": r"red|ginger|auburn|orange", "grey": r"gr[ae]y|silver|white", "blue": r"blue|aqua",
        "pink": r"pink", "purple": r"purple|violet", "green": r"green",
    },
    "hair length": {"long": r"long", "medium": r"medium|shoulder[- ]length", "short": r"short"},
    "eye colour": {
        "blue": r"blue|aqua", "brown": r"brown|hazel|amber", "green": r"green",
        "grey": r"gr[ae]y", "black": r"black", "red": r"red", "purple": r"purple|violet",
        "yellow": r"yellow|golden", "pink": r"pink",
    },
    "sex": {
        "female": r"\d?\+?girls?|wom[ae]n|lady|ladies|female",
        "male": r"\d?\+?boys?|m[ae]n|guys?|gentlem[ae]n|male",
    },
    "number of people": {
        "one": r"solo|alone",
        "several": (
            r"[2-6]\+?(?:girls|boys)|multiple (?:girls|boys)|(?:two|three|four|several|many) "
            r"(?:\w+ )?(?:people|persons|wom[ae]n|m[ae]n|girls|boys|kids|children|friends)|"
            r"(?:couple|group|crowd) of (?:people|wom[ae]n|m[ae]n|girls|boys|kids|children|friends)"
        ),
    },
    "place": {
        "indoors": r"indoors|bedroom|living room|kitchen|bathroom|classroom|office",
        "outdoors": r"outdoors|beach|forest|street|meadow|mountains?|garden|park",
    },
    "time of day": {
        "day": r"day|daytime|daylight|sunny day|sunny",
        "night": r"night|nighttime|night sky|at night",
    },
    "posture": {
        "sitting": r"sitting|sits|seated", "standing": r"standing|stands",
        "lying": r"lying|lies|laying", "kneeling": r"kneeling|kneels", "squatting": r"squatting",
        "jumping": r"jumping|jumps", "running": r"running|runs",
    },
    "mouth": {"open": r"open mouth|mouth open", "closed": r"closed mouth|mouth closed"},
    "eyes": {"open": r"open eyes|eyes open", "closed": r"closed eyes|eyes closed"},
    "glasses": {"with": r"(?:wearing |with )?(?:sun)?glasses", "without": r"(?:no|without) glasses"},
}  # fmt: skip
"""By kind, what can be said: a name and the words for it."""

_BETWEEN = (
    "and|or|black|blonde?|blue|brown|curly|dark|flowing|gr[ae]y|light|long|medium|messy|pink|red|"
    "short|shiny|straight|thick|thin|very|wavy|white"
)
_BEHIND = {
    "hair colour": rf"(?:,? (?:{_BETWEEN})){{0,4}} hair",
    "hair length": rf"(?:,? (?:{_BETWEEN})){{0,4}} hair",
    "eye colour": rf"(?:,? (?:{_BETWEEN})){{0,2}} eyes",
}
"""What has to stand behind the words of a kind, where they could be said of something else."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A caption and tags that exclude each other."""

    image_path: str
    kind: str
    """`hair colour`, `place` …"""
    caption: str
    """The caption's words: `black hair`."""
    tags: tuple[str, ...]
    """The tags that say otherwise: `blonde hair`."""


def find_contradictions(image_path: str, caption: str, tags: Iterable[str]) -> list[Contradiction]:
    """Where the caption excludes what the tags say. Case and underscores do not matter."""
    if not caption:
        return []
    said_by_tags: dict[str, dict[str, list[str]]] = {}
    for tag in tags:
        for kind, value in _sayings_of_tag(tag):
            said_by_tags.setdefault(kind, {}).setdefault(value, []).append(tag)
    found: list[Contradiction] = []
    text = caption.lower()
    for kind, values in said_by_tags.items():
        said = dict(_iter_sayings(kind, text))
        if said and not said.keys() & values.keys():
            contrary = tuple(tag for value in values.values() for tag in value)
            found.append(Contradiction(image_path, kind, next(iter(said.values())), contrary))
    return found


def _iter_sayings(kind: str, text: str) -> Iterator[tuple[str, str]]:
    """(value, the words that say it) for everything of one kind that `text` says."""
    for hit in _PATTERNS[kind].finditer(text):
        yield _value_of(kind, hit["word"]), hit["word"] + hit["rest"]


@lru_cache(maxsize=65_536)
def _sayings_of_tag(tag: str) -> tuple[tuple[str, str], ...]:
    """(kind, value) for each kind of which the whole tag says something.

    `very long black hair` speaks of hair, and `beach umbrella` of no beach.
    """
    text = tag.lower().replace("_", " ")
    return tuple(
        (kind, value)
        for kind in _KINDS
        for value, words in _iter_sayings(kind, text)
        if text == words or (kind in _BEHIND and text.endswith(words))
    )


@lru_cache(maxsize=4096)
def _value_of(kind: str, word: str) -> str:
    return next(value for value, words in _KINDS[kind].items() if re.fullmatch(words, word))


def _build_pattern(kind: str) -> re.Pattern[str]:
    # what stands behind is only looked at: in `black and blonde hair` it belongs to both colours
    behind = rf"(?=(?P<rest>{_BEHIND.get(kind, '')})(?![\w-]))"
    return re.compile(rf"(?<![\w-])(?P<word>{'|'.join(_KINDS[kind].values())}){behind}")


_PATTERNS = {kind: _build_pattern(kind) for kind in _KINDS}
