"""What a cleaning rule is: it looks at all images once and answers with its edit of one image."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from math import inf
from typing import Any, TypeVar

from lorawiz.spec.tables import ProjectTable


@dataclass(frozen=True, slots=True)
class RawWords:
    """An image's words before the rules, and between two of them."""

    caption: str = ""
    tags: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    """The tagger's score in 0…1 of those of `tags` that it gave."""


Edit = Callable[[RawWords], RawWords]


@dataclass(frozen=True, slots=True)
class Before:
    """What a rule sees: all images as the rules before it left them, and the project's words."""

    images: Mapping[str, RawWords]
    project: ProjectTable

    def count_tags(self) -> Counter[str]:
        """How many images have a tag, by tag."""
        return Counter(chain.from_iterable(words.tags for words in self.images.values()))


RULE_EDITS: dict[str, Callable[[Any, Before], Edit]] = {}
"""What each rule of the spec does, by its name."""

RuleTable = TypeVar("RuleTable")


def cleans(
    name: str,
) -> Callable[[Callable[[RuleTable, Before], Edit]], Callable[[RuleTable, Before], Edit]]:
    """Register a function as what the rule `name` does."""

    def register(
        build_edit: Callable[[RuleTable, Before], Edit],
    ) -> Callable[[RuleTable, Before], Edit]:
        assert name not in RULE_EDITS, f"two rules are called {name}"
        RULE_EDITS[name] = build_edit
        return build_edit

    return register


def leave(words: RawWords) -> RawWords:
    """The edit that changes nothing."""
    return words


def edit_tags(change: Callable[[tuple[str, ...]], Iterable[str]]) -> Edit:
    """The edit that takes tags out, puts some in or orders them. What is put in has no score."""

    def edit(words: RawWords) -> RawWords:
        tags = tuple(change(words.tags))
        if tags == words.tags:
            return words
        there = set(words.tags)
        # a tag that an earlier rule took out may come back: its old score says nothing of it
        stale = [tag for tag in tags if tag not in there and tag in words.scores]
        if stale:
            scores = {tag: score for tag, score in words.scores.items() if tag not in stale}
            return replace(words, tags=tags, scores=scores)
        return replace(words, tags=tags)

    return edit


def keep_tags(is_kept: Callable[[str], bool]) -> Edit:
    """The edit that takes out the tags that are not kept."""
    return edit_tags(lambda tags: [tag for tag in tags if is_kept(tag)])


def rename_tags(new_name: Callable[[str], str]) -> Edit:
    """The edit that gives every tag its new name; an empty one takes the tag out.

    Scores move along. Of tags that become one the best score stays, and none is best of all:
    somebody wrote that tag.
    """
    new_name = cache(new_name)

    def edit(words: RawWords) -> RawWords:
        names = [new_name(tag) for tag in words.tags]
        if tuple(names) == words.tags:
            return words
        scores: dict[str, float] = {}
        for tag, name in zip(words.tags, names, strict=True):
            scores[name] = max(scores.get(name, 0.0), words.scores.get(tag, inf))
        known = {name: score for name, score in scores.items() if score != inf}
        return replace(words, tags=tuple(name for name in names if name), scores=known)

    return edit


def edit_caption(change: Callable[[str], str]) -> Edit:
    """The edit that writes the caption anew."""
    return lambda words: replace(words, caption=change(words.caption))
