"""What can be done to tags of many images at once: to whom, what, and as which rule."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.words import (
    PartWords,
    add_tags,
    adopt_outside_edits,
    move_first,
    remove_tags,
    rename_tag,
    settle,
)
from lorawiz.errors import DatasetError, visible_text
from lorawiz.spec.cleaning import AbsorbRule, CleanRule, MoveFirstRule, RemoveRule, ReplaceRule
from lorawiz.tui.language import tr, tr_count

Kind = Literal["delete", "rename", "add", "first", "absorb"]
Change = Callable[[ImageRecord, PartWords | None], ImageRecord]
_MOST_NAMED = 3
_PLACEHOLDER = re.compile(r"\{(trigger|class_word)\}")


@dataclass(frozen=True, slots=True)
class TagAction:
    """Something to do to the tags of many images."""

    kind: Kind
    tags: tuple[str, ...]
    """What is deleted, renamed, put in, moved or absorbed."""
    new: str = ""
    """What several tags, or one, are renamed to."""
    image_paths: frozenset[str] | None = None
    """The images that tags are added to; None for all. The other kinds are about all images."""
    trigger: str = ""
    """What absorbed tags are meant by."""

    def find_targets(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """The images that it changes, in order."""
        tags = set(self.tags)
        if self.kind == "add":
            return [
                record
                for record in records
                if record.status == "ok"
                and (self.image_paths is None or record.image_path in self.image_paths)
                and not tags <= set(record.tags)
            ]
        found = [record for record in records if not tags.isdisjoint(record.tags)]
        if self.kind == "first":
            return [record for record in found if _moved(record.tags, self.tags) != record.tags]
        if self.kind == "absorb" and any(self.trigger in record.tags for record in records):
            return [record for record in found if self.trigger in record.tags]
        return found

    def build_change(self) -> Change:
        """The edit by hand of one of its images."""
        tags = self.tags
        match self.kind:
            case "rename":
                return lambda record, machine: _rename(record, tags, self.new, machine)
            case "add":
                return lambda record, machine: add_tags(record, tags, machine=machine)
            case "first":
                return lambda record, machine: move_first(record, tags)
            case _:
                return lambda record, machine: remove_tags(record, tags, machine=machine)

    def build_rule(self) -> dict[str, Any]:
        """The [[clean]] table that does the same. Raises DatasetError where there is none."""
        if self.image_paths is not None:
            raise DatasetError(
                tr("a rule is about all images, not some"), tr("esc, then add it to all of them")
            )
        listed = [escape_tag(tag) for tag in self.tags]
        match self.kind:
            case "rename":
                _refuse_placeholders([self.new])
                return {"rule": "replace", "tags": dict.fromkeys(listed, self.new)}
            case "add":
                _refuse_placeholders(self.tags)
                return {"rule": "append", "tags": list(self.tags)}
            case "delete":
                return {"rule": "remove", "tags": listed}
            case _:
                name = "move_first" if self.kind == "first" else "absorb"
                return {"rule": name, "tags": listed}

    def in_words(self, num_images: int) -> str:
        """`rename smile to grin in 17 images`, safe for a terminal."""
        names = {"tags": name_tags(self.tags), "new": visible_text(self.new)}
        match self.kind:
            case "delete":
                one = tr_count(num_images, "delete {tags} from {num} image",
                               "delete {tags} from {num} images", **names)  # fmt: skip
            case "rename" if len(self.tags) > 1:
                one = tr_count(num_images, "merge {tags} into “{new}” in {num} image",
                               "merge {tags} into “{new}” in {num} images", **names)  # fmt: skip
            case "rename":
                one = tr_count(num_images, "rename {tags} to “{new}” in {num} image",
                               "rename {tags} to “{new}” in {num} images", **names)  # fmt: skip
            case "add":
                one = tr_count(num_images, "add {tags} to {num} image",
                               "add {tags} to {num} images", **names)  # fmt: skip
            case "first":
                one = tr_count(num_images, "move {tags} first in {num} image",
                               "move {tags} first in {num} images", **names)  # fmt: skip
            case "absorb":
                names["new"] = visible_text(self.trigger)
                one = tr_count(
                    num_images,
                    "absorb {tags} into “{new}”: takes it out of {num} image",
                    "absorb {tags} into “{new}”: takes it out of {num} images", **names,
                )  # fmt: skip
        return one


def name_tags(tags: Sequence[str]) -> str:
    """`“smile”, “grin” and 3 more`, safe for a terminal."""
    shown = ", ".join(f"“{visible_text(tag)}”" for tag in tags[:_MOST_NAMED])
    rest = len(tags) - _MOST_NAMED
    return tr("{tags} and {num} more", tags=shown, num=rest) if rest > 0 else shown


def escape_tag(tag: str) -> str:
    """A rule's pattern that fits `tag` alone."""
    literal = re.sub(r"([*?])", r"\\\1", tag)
    # no escape is known for a brace: one letter in its place
    return _PLACEHOLDER.sub(lambda found: f"?{found[0][1:]}", literal)


def extend_rule(last: CleanRule | None, rule: dict[str, Any]) -> dict[str, Any] | None:
    """The last rule with what `rule` says put in, where that does the same; else None.

    So absorbing one tag after the other gives one rule, not twelve.
    """
    if last is None or last.rule != rule["rule"]:
        return None
    new = rule["tags"]
    if isinstance(last, ReplaceRule):
        # what was written is not replaced again by the same rule, nor is one old tag twice
        is_apart = not {*last.tags, *last.tags.values()} & {*new, *new.values()}
        is_plain = not any(letter in old for old in (*last.tags, *new) for letter in "*?\\{")
        if last.on != "tags" or not is_apart or not is_plain:
            return None
        return _as_written(last) | {"tags": {**last.tags, **new}}
    if isinstance(last, RemoveRule) or (isinstance(last, AbsorbRule) and last.tags):
        merged = list(dict.fromkeys([*last.tags, *new]))
    elif isinstance(last, MoveFirstRule):
        merged = list(dict.fromkeys([*new, *last.tags]))
    else:
        return None
    return _as_written(last) | {"tags": merged}


def _as_written(rule: CleanRule) -> dict[str, Any]:
    return {"rule": rule.rule} | rule.model_dump(exclude_unset=True, mode="json")


def _refuse_placeholders(words: Iterable[str]) -> None:
    for word in words:
        if _PLACEHOLDER.search(word):
            raise DatasetError(
                tr("“{tag}” in a rule stands for a word of the project", tag=visible_text(word))
            )


def _moved(tags: tuple[str, ...], first: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(tag for tag in first if tag in tags), *tags]))


def _rename(
    record: ImageRecord, olds: Sequence[str], new: str, machine: PartWords | None
) -> ImageRecord:
    """The record with `new` in place of all of `olds`: what renaming one by one gives.

    Where the machine's tags are known it is settled once: a rename of every image shall not
    keep anybody waiting.
    """
    there = [old for old in olds if old in record.tags and old != new]
    if not there:
        return record
    if machine is None or machine.tags is None or (record.hand.add and not record.made):
        for old in there:
            record = rename_tag(record, old, new, machine=machine)
        return record
    record = adopt_outside_edits(record, machine)
    hand, known = record.hand, machine.tags
    added = [tag for tag in hand.add if tag not in there]
    if new not in record.tags and new not in known:
        added.append(new)
    taken = [*hand.remove, *(old for old in there if old in known)]
    hand = replace(
        hand,
        add=tuple(dict.fromkeys(added)),
        remove=tuple(dict.fromkeys(tag for tag in taken if tag != new)),
        first=tuple(dict.fromkeys(new if tag in there else tag for tag in hand.first)),
    )
    return settle(replace(record, hand=hand), machine)
