"""Rules that take tags out."""

from collections.abc import Collection
from functools import lru_cache
from math import inf

from lorawiz.dataset.cleaning.looks import find_constant_looks
from lorawiz.dataset.cleaning.matching import TagPatterns
from lorawiz.dataset.cleaning.rule import (
    Before,
    Edit,
    RawWords,
    cleans,
    edit_tags,
    keep_tags,
    leave,
)
from lorawiz.spec.cleaning import (
    AbsorbRule,
    DedupeRule,
    DropBelowRule,
    DropRareRule,
    KeepOnlyRule,
    RemoveRule,
)


@cleans("remove")
def remove(rule: RemoveRule, before: Before) -> Edit:
    """Take the listed tags out."""
    listed = TagPatterns(rule.tags, before.project)
    return keep_tags(lambda tag: tag not in listed)


@cleans("keep_only")
def keep_only(rule: KeepOnlyRule, before: Before) -> Edit:
    """Take all tags out but the listed ones; a list of nothing but empty words keeps all."""
    listed = TagPatterns(rule.tags, before.project)
    return leave if listed.is_empty else keep_tags(lambda tag: tag in listed)


@cleans("drop_rare")
def drop_rare(rule: DropRareRule, before: Before) -> Edit:
    """Take out tags that too few images have."""
    counts = before.count_tags()
    return keep_tags(lambda tag: counts[tag] >= rule.min_count)


@cleans("drop_below")
def drop_below(rule: DropBelowRule, before: Before) -> Edit:
    """Take out tags whose score is too low; tags without one stay."""

    def edit(words: RawWords) -> RawWords:
        return keep_tags(lambda tag: words.scores.get(tag, inf) >= rule.score)(words)

    return edit


@cleans("dedupe")
def dedupe(rule: DedupeRule, before: Before) -> Edit:
    """Take out tags that are the last words of another: shirt beside white shirt.

    Not beside `no shirt`, which says the contrary, and never the trigger.
    """
    trigger = before.project.trigger

    def change(tags: tuple[str, ...]) -> list[str]:
        said = {ending for tag in tags for ending in _endings(tag)}
        return [tag for tag in tags if tag == trigger or tag.replace("_", " ") not in said]

    return edit_tags(change)


@cleans("absorb")
def absorb(rule: AbsorbRule, before: Before) -> Edit:
    """Take out what the trigger shall mean, from the images that have the trigger as a tag.

    Where no image has it, because it stands in caption_prefix or a later rule puts it in, all
    images with tags count as having it. The share is of these images. The trigger stays.
    """
    trigger = before.project.trigger
    tag_lists = [words.tags for words in before.images.values() if words.tags]
    with_trigger = [tags for tags in tag_lists if trigger and trigger in tags]
    listed: Collection[str] | TagPatterns
    if rule.tags:
        listed = TagPatterns(rule.tags, before.project)
    else:
        listed = set(find_constant_looks(with_trigger or tag_lists, rule.min_share))

    def change(tags: tuple[str, ...]) -> tuple[str, ...]:
        if with_trigger and trigger not in tags:
            return tags
        return tuple(tag for tag in tags if tag == trigger or tag not in listed)

    return edit_tags(change)


@lru_cache(maxsize=65_536)
def _endings(tag: str) -> tuple[str, ...]:
    words = tag.replace("_", " ").split(" ")
    return () if words[0] == "no" else tuple(" ".join(words[i:]) for i in range(1, len(words)))
