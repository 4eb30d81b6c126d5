"""The rule kohya-clean: what sd-scripts' finetune/clean_captions_and_tags.py makes of words.

Own code for the same answers, mistakes included; tests hold it to pairs that the script gave.
Two things differ: tags that it leaves empty are dropped, and where it stops because no tag is
left, there is none.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product, takewhile

from lorawiz.dataset.cleaning.rule import Before, Edit, RawWords, cleans, rename_tags
from lorawiz.spec.cleaning import KohyaCleanRule

_SEPARATOR = ", "
_HAIR_LENGTH = re.compile(r"(?:long|short|medium) hair")
_HAIR = re.compile(r"[\w-]+ hair")
_ONE_WORD = re.compile(r"[\w-]+|hair ornament")
_ONE_EACH = (
    _HAIR_LENGTH,
    re.compile(r"(?:bob|hime) cut"),
    re.compile(r"[\w-]+ eyes"),
    re.compile(r"[\w-]+ sleeves|sleeveless"),
    re.compile(
        r"ponytail|braid|ahoge|twintails|two side up|two tails|sidelocks|"
        r"single (?:hair|side) bun|[\w-]+ (?:bun|braid)"
    ),
)
"""Of each kind one person has one: several in a picture of several people say nothing."""

_FACE, _FACE_MARK, _LENGTH_MARK = "^_^", "^@@@^", "@@@"


@cleans("kohya-clean")
def kohya_clean(rule: KohyaCleanRule, before: Before) -> Edit:
    """Clean caption and tags as the script does; a tag's score follows its new spelling."""
    respell = rename_tags(_spell)

    def edit(words: RawWords) -> RawWords:
        tags = clean_tags(words.tags)
        return replace(respell(words), caption=clean_caption(words.caption), tags=tags)

    return edit


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """The tags that the script leaves of `tags`, given to it as one text."""
    # splitting makes new strings: of a tag on thousands of images one is enough
    left = [sys.intern(tag) for tag in _spell(_SEPARATOR.join(tags)).split(_SEPARATOR)]
    left = _before_rating(left)
    if any("girls" in tag or "boys" in tag for tag in left):
        left = _clean_group(left)
    said = {ending for tag in left for ending in _endings(tag)}
    return tuple(tag for tag in left if tag and not (tag in said and _ONE_WORD.fullmatch(tag)))


def clean_caption(caption: str) -> str:
    """The caption that the script makes of `caption`: parts of words are replaced as well."""
    for old, new in _CAPTION_WORDS:
        while old in caption:
            caption = caption.replace(old, new)
    return caption


def _spell(text: str) -> str:
    # the script hides one face behind a mark, which therefore becomes that face as well
    return text.replace(_FACE, _FACE_MARK).replace("_", " ").replace(_FACE_MARK, _FACE)


def _before_rating(tags: list[str]) -> list[str]:
    """`tags` up to the first that begins with `rating`; one in the first place is not seen."""
    places = [place for place, tag in enumerate(tags) if place and tag.startswith("rating")]
    return tags[: places[0]] if places else tags


def _clean_group(tags: list[str]) -> list[str]:
    """Take out hair, eyes, sleeves and hairstyles of which a group of people has several."""
    for kind in _ONE_EACH:
        if sum(1 for tag in tags if kind.fullmatch(tag)) > 1:
            tags = [tag for tag in tags if not kind.fullmatch(tag)]
    lengths = [tag for tag in tags if _HAIR_LENGTH.fullmatch(tag)]
    others = [tag for tag in tags if _HAIR.fullmatch(tag) and tag not in lengths]
    if len(others) > 1:
        tags = [tag for tag in tags if tag not in others]
    # one length is left at most, and the script hides it behind a mark meanwhile
    return [lengths[0] if tag == _LENGTH_MARK else tag for tag in tags] if lengths else tags


@lru_cache(maxsize=65_536)
def _endings(tag: str) -> tuple[str, ...]:
    """What stands behind the first words of `tag`. A hyphened word hides what follows it."""
    words = tag.split(" ")
    plain = len(list(takewhile(re.compile(r"\w+").fullmatch, words)))
    return tuple(" ".join(words[start:]) for start in range(1, min(plain + 1, len(words))))


def _caption_words() -> list[tuple[str, str]]:
    """(part of a caption, what the script writes in its place), in its order."""
    people = ("female", "lady", "character", "woman", "women", "girl")
    girls = {"women": "girls"}
    drawn = [
        (f"{style} {who}", girls.get(who, "girl"))
        for style, who in product(("cartoon", "anime"), people)
        if (style, who) != ("anime", "girl")
    ]
    bare = [(who, girls.get(who, "girl")) for who in ("lady", "female", "woman", "women")]
    return [
        ("anime anime", "anime"),
        ("young ", ""),
        ("anime girl", "girl"),
        *drawn,
        *bare,
        ("people", "girls"),
        ("person", "girl"),
        ("a cartoon figure", "a figure"),
        ("a cartoon image", "an image"),
        ("a cartoon picture", "a picture"),
        ("an anime cartoon image", "an image"),
        ("a cartoon anime drawing", "a drawing"),
        ("a cartoon drawing", "a drawing"),
        ("girl girl", "girl"),
    ]


_CAPTION_WORDS = _caption_words()
