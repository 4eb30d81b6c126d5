"""What edits by hand mean: they win over models and rules, and outlive both.

Machine words are what the rules give now for an image (dataset/cleaning); `record.hand` is the
difference that somebody made to them. `record.made` fingerprints the words that lorawiz wrote
last: words that no longer fit it were changed outside, in an editor or by git, and count as
edits by hand. A record without `made` has the words that it came with; once the words in use
are others, those are kept in `source`.

An outside edit is told apart from what the machine says by comparing the two. So settle a
record before new evidence or new rules count, not only after.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from lorawiz.dataset.records import Hand, ImageRecord, Words


@dataclass(frozen=True, slots=True)
class PartWords:
    """Machine words of which a part may be unknown: no model ran, or its evidence is gone."""

    caption: str | None = None
    tags: tuple[str, ...] | None = None


MachineWords = Words | PartWords


@dataclass(frozen=True, slots=True)
class Conflict:
    """Where somebody and the machine say different things; the hand has won."""

    image_path: str
    tag: str
    """Empty for a caption."""
    kind: Literal["added", "removed", "caption"]
    """A tag added by hand that a rule takes out, a tag removed by hand that a rule puts in, or a
    caption by hand where the model wrote another."""


def made_of(caption: str, tags: Sequence[str]) -> str:
    """The fingerprint of words: `xxxxxx-yyyyyy`, six hex digits each of caption and tags."""
    return _fingerprint(caption, tuple(tags))


def raw_words(record: ImageRecord) -> Words:
    """The words that came with the image, before models, rules and hands; maybe none."""
    if record.source is not None:
        return record.source
    if record.made:
        return Words()
    hand = record.hand
    caption = "" if hand.caption else record.caption
    return Words(caption, tuple(tag for tag in record.tags if tag not in hand.add))


def overlay(machine: Words, hand: Hand, own: Words) -> Words:
    """The words in use: `machine` with the edits of `hand`; a caption by hand is that of `own`."""
    return Words(own.caption if hand.caption else machine.caption, _overlay(machine.tags, hand))


def settle(record: ImageRecord, machine: MachineWords) -> ImageRecord:
    """The record with its words as machine and hand give them now.

    Outside edits become edits by hand first. A part of which the machine knows nothing stays as
    it is. Settled again with the same words, it is the same record.
    """
    record = adopt_outside_edits(record, machine)
    caption, tags = record.caption, record.tags
    if machine.caption is not None and not record.hand.caption:
        caption = machine.caption
    if machine.tags is not None:
        tags = _overlay(machine.tags, record.hand)
    return _written(record, Words(caption, tags), record.hand, _fits(record))


def adopt_outside_edits(record: ImageRecord, machine: MachineWords) -> ImageRecord:
    """The record with what was changed outside lorawiz turned into edits by hand.

    `overlay` then gives these words again, in this order. Empty tags and those that come twice
    are not kept. A part of which the machine knows nothing waits until it does. But what was
    typed where lorawiz had written nothing is somebody's own, whatever the machine says by now.
    """
    fits = caption_fits, tags_fit = _fits(record)
    hand, tags = record.hand, record.tags
    caption_was_blank, tags_were_blank = _blank_parts(record)
    base_caption, base_tags = machine.caption, machine.tags
    if caption_was_blank and base_caption is None:
        base_caption = ""
    if tags_were_blank:  # what the machine says and was not taken out by hand is news
        base_tags = tuple(tag for tag in machine.tags or () if tag in hand.remove)
    if not caption_fits and base_caption is not None:
        hand = replace(hand, caption=hand.caption or record.caption != base_caption)
        caption_fits = True
    if not tags_fit and base_tags is not None:
        tags = _tidy(tags)
        hand = _hand_of(tags, base_tags, hand)
        tags_fit = True
    if fits == (caption_fits, tags_fit):
        return record
    return _written(record, Words(record.caption, tags), hand, (caption_fits, tags_fit))


def find_conflicts(record: ImageRecord, raw: Words, machine: Words) -> list[Conflict]:
    """Where the hand overrules the rules, which made `machine` of `raw`, or the captioner."""
    path, hand = record.image_path, record.hand
    ruled_out = set(raw.tags) - set(machine.tags)
    ruled_in = set(machine.tags) - set(raw.tags)
    conflicts = [Conflict(path, tag, "added") for tag in hand.add if tag in ruled_out]
    conflicts += [Conflict(path, tag, "removed") for tag in hand.remove if tag in ruled_in]
    if hand.caption and machine.caption and machine.caption != record.caption:
        conflicts.append(Conflict(path, "", "caption"))
    return conflicts


# Edits by hand. Each may be told what the machine says. Without that, adding a tag that was
# removed, or removing one that was added, is taken for an undo and leaves no trace: right unless
# new evidence has meanwhile changed its mind about that very tag.


def add_tags(
    record: ImageRecord,
    tags: Iterable[str],
    at_front: bool = False,
    machine: MachineWords | None = None,
) -> ImageRecord:
    """The record with `tags` put in by hand: last, or first, where those that are there go too."""
    wanted = _tidy(tags)
    new = [tag for tag in wanted if tag not in record.tags]
    hand = record.hand
    known = hand.remove if machine is None or machine.tags is None else machine.tags
    hand = replace(
        hand,
        add=_tidy((*hand.add, *(tag for tag in new if tag not in known))),
        remove=_without(hand.remove, new),
    )
    record = _edited(record, (*record.tags, *new), hand, machine)
    return move_first(record, wanted) if at_front else record


def remove_tags(
    record: ImageRecord, tags: Iterable[str], machine: MachineWords | None = None
) -> ImageRecord:
    """The record with those of `tags` that it has taken out by hand."""
    gone = [tag for tag in _tidy(tags) if tag in record.tags]
    hand = record.hand
    if machine is None or machine.tags is None:
        decided = [tag for tag in gone if tag not in hand.add]
    else:
        decided = [tag for tag in gone if tag in machine.tags]
    hand = replace(
        hand,
        add=_without(hand.add, gone),
        remove=_tidy((*hand.remove, *decided)),
        first=_without(hand.first, gone),
    )
    return _edited(record, _without(record.tags, gone), hand, machine)


def rename_tag(
    record: ImageRecord, old: str, new: str, machine: MachineWords | None = None
) -> ImageRecord:
    """The record with `new` in place of `old`, last unless `old` was moved to the front.

    Where both are there, `old` goes. Where `old` is not, nothing changes.
    """
    if old not in record.tags or not _tidy([new]) or old == new:
        return record
    renamed = add_tags(remove_tags(record, [old], machine), [new], machine=machine)
    if old not in record.hand.first:
        return renamed
    return move_first(renamed, [new if tag == old else tag for tag in record.hand.first])


def move_first(record: ImageRecord, tags: Iterable[str]) -> ImageRecord:
    """The record with those of `tags` that it has moved to the front by hand, in this order."""
    moved = [tag for tag in _tidy(tags) if tag in record.tags]
    hand = replace(record.hand, first=_tidy((*moved, *record.hand.first)))
    return _edited(record, _tidy((*moved, *record.tags)), hand, None)


def set_caption(record: ImageRecord, text: str) -> ImageRecord:
    """The record with a caption by hand; the caption that it has anyway is no edit."""
    if text == record.caption:
        return record
    hand = replace(record.hand, caption=True)
    return _written(record, Words(text, record.tags), hand, _fits(record))


def forget_hand(record: ImageRecord, machine: MachineWords | None = None) -> ImageRecord:
    """The record without edits by hand to its words; a crop by hand stays.

    Where the machine's words are not given, this is as near to them as can be told: tags that
    were removed come last, and the caption stays unless one came with the image. `settle` puts
    that right.
    """
    hand = record.hand
    came = raw_words(record).caption
    caption = came if came and hand.caption else record.caption
    tags = _tidy((*_without(record.tags, hand.add), *hand.remove))
    forgotten = _written(record, Words(caption, tags), Hand(crop=hand.crop), (True, True))
    return forgotten if machine is None else settle(forgotten, machine)


def _overlay(machine: Sequence[str], hand: Hand) -> tuple[str, ...]:
    tags = _tidy((*_without(machine, hand.remove), *hand.add))
    return _tidy((*(tag for tag in hand.first if tag in tags), *tags))


def _hand_of(tags: tuple[str, ...], machine: tuple[str, ...], old: Hand) -> Hand:
    """The edits that make `tags` of the machine's; decisions of `old` that still hold are kept."""
    gone = [tag for tag in (*old.remove, *machine) if tag not in tags]
    hand = replace(
        old,
        add=tuple(tag for tag in tags if tag not in machine or tag in old.add),
        remove=_tidy(gone),
        first=(),
    )
    places = {tag: place for place, tag in enumerate(_overlay(machine, hand))}
    num_moved = len(tags)
    while num_moved and _rises(tags, places, num_moved - 1):
        num_moved -= 1
    pinned = tuple(tag for tag in old.first if tag in tags)
    if tags[: len(pinned)] == pinned:
        num_moved = max(num_moved, len(pinned))
    absent = [tag for tag in old.first if tag not in tags and tag not in gone]
    return replace(hand, first=_tidy((*tags[:num_moved], *absent)))


def _rises(tags: Sequence[str], places: dict[str, int], start: int) -> bool:
    """Whether the tag at `start` stands before its right neighbour in the natural order too."""
    return start + 1 >= len(tags) or places[tags[start]] < places[tags[start + 1]]


def _edited(
    record: ImageRecord, tags: tuple[str, ...], hand: Hand, machine: MachineWords | None
) -> ImageRecord:
    edited = _written(record, Words(record.caption, tags), hand, _fits(record))
    return edited if machine is None else settle(edited, machine)


def _written(record: ImageRecord, words: Words, hand: Hand, fits: tuple[bool, bool]) -> ImageRecord:
    """The record with new words, their fingerprint, and the words that it came with kept.

    A part that does not fit keeps its old fingerprint: it holds an outside edit that nobody has
    adopted yet.
    """
    source = raw_words(record)
    old, new = record.made.partition("-"), made_of(words.caption, words.tags).partition("-")
    made = f"{new[0] if fits[0] else old[0]}-{new[2] if fits[1] else old[2]}"
    if all(fits) and words == source and hand == Hand(crop=hand.crop):
        made, source = "", Words()
    kept = None if source == Words() else source
    now = record.caption, record.tags, record.hand, record.made, record.source
    if now == (words.caption, words.tags, hand, made, kept):
        return record
    return replace(
        record, caption=words.caption, tags=words.tags, hand=hand, made=made, source=kept
    )


def _fits(record: ImageRecord) -> tuple[bool, bool]:
    """Whether the caption and the tags are those that lorawiz wrote last."""
    if not record.made:
        return True, True
    old = record.made.partition("-")
    new = made_of(record.caption, record.tags).partition("-")
    return old[0] == new[0], old[2] == new[2]


def _blank_parts(record: ImageRecord) -> tuple[bool, bool]:
    """Whether lorawiz had written no caption, and no tags."""
    old, blank = record.made.partition("-"), made_of("", ()).partition("-")
    return old[0] == blank[0], old[2] == blank[2]


def _without(tags: Iterable[str], gone: Iterable[str]) -> tuple[str, ...]:
    left_out = set(gone)
    return tuple(tag for tag in tags if tag not in left_out) if left_out else tuple(tags)


def _tidy(tags: Iterable[str]) -> tuple[str, ...]:
    """`tags` trimmed, none empty, none twice."""
    return tuple(dict.fromkeys(filter(None, map(str.strip, tags))))


@lru_cache(maxsize=64)  # one edit asks several times for the same words
def _fingerprint(caption: str, tags: tuple[str, ...]) -> str:
    return f"{_digest(caption)}-{_digest(json.dumps(tags))}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
