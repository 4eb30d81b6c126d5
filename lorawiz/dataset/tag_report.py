"""What the tags of a dataset say, counted: how often, together, against the caption.

It keeps a number for each image that has a tag, and works out the rest when it is asked, so
its memory grows with the tags in use and never with their pairs.
"""

import re
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from lorawiz.dataset.cleaning.looks import find_constant_looks
from lorawiz.dataset.opposites import Contradiction, find_contradictions
from lorawiz.dataset.records import ImageRecord

CONSTANT_SHARE = 0.9
"""A look that this share of the images have belongs to the person."""
PAIRED_TAGS = 256
"""Pairs are looked for among this many of the most frequent tags."""


@dataclass(frozen=True, slots=True)
class TagCount:
    """How frequent a tag is."""

    tag: str
    num_images: int
    share: float
    """Of the images that have tags, 0…1."""


@dataclass(frozen=True, slots=True)
class TagPair:
    """Two tags that stand together."""

    one: str
    other: str
    num_images: int
    """Images that have both."""
    share: float
    """Of the images that have either, 0…1; 1 is never apart."""


class TagReport:
    """The figures of the tags of some images. Made once; what is costly is made when asked for."""

    def __init__(self, records: Sequence[ImageRecord], trigger: str = "") -> None:
        """`records` are the images that count. Looks are those of the images with `trigger` as a
        tag, or of all with tags where none has it."""
        self._records = records
        self._trigger = trigger
        self._places: dict[str, array[int]] = {}
        for place, record in enumerate(records):
            for tag in dict.fromkeys(record.tags):
                self._places.setdefault(tag, array("I")).append(place)
        self.num_images = len(records)
        self.num_tagged = sum(1 for record in records if record.tags)

    @cached_property
    def counts(self) -> tuple[TagCount, ...]:
        """All tags, most frequent first, equal ones by letters."""
        counts = {tag: len(places) for tag, places in self._places.items()}
        return self._rank(counts, self.num_tagged)

    @cached_property
    def constant_looks(self) -> tuple[str, ...]:
        """Looks that nearly all images have: candidates for absorb."""
        tag_lists = [set(record.tags) for record in self._records if record.tags]
        with_trigger = [tags for tags in tag_lists if self._trigger in tags]
        return tuple(find_constant_looks(with_trigger or tag_lists, CONSTANT_SHARE))

    @cached_property
    def rare(self) -> tuple[str, ...]:
        """Tags that one image alone has, by letters."""
        return tuple(sorted(tag for tag, places in self._places.items() if len(places) == 1))

    @cached_property
    def captions_that_say(self) -> dict[str, int]:
        """In how many images the caption says a tag too, word for word, by tag."""
        spelled = {tag: f" {_plain(tag)} " for tag in self._places}
        counts: Counter[str] = Counter()
        for record in self._records:
            if record.caption and record.tags:
                caption = f" {_plain(record.caption)} "
                counts.update(tag for tag in set(record.tags) if spelled[tag] in caption)
        return dict(counts)

    @cached_property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """Where captions and tags exclude each other, in the order of the images."""
        return tuple(
            contradiction
            for record in self._records
            for contradiction in find_contradictions(record.image_path, record.caption, record.tags)
        )

    @cached_property
    def pairs(self) -> tuple[TagPair, ...]:
        """The 50 pairs that are least often apart, of tags on two images or more.

        Two tags that nearly all images have are no news, so such pairs are left out.
        """
        frequent = [count for count in self.counts if count.num_images > 1][:PAIRED_TAGS]
        images = {count.tag: self._as_bits(count.tag) for count in frequent}
        pairs: list[TagPair] = []
        for one, other in combinations(frequent, 2):
            if min(one.share, other.share) >= CONSTANT_SHARE:
                continue
            both = (images[one.tag] & images[other.tag]).bit_count()
            if both > 1:
                either = one.num_images + other.num_images - both
                pairs.append(TagPair(one.tag, other.tag, both, both / either))
        pairs.sort(key=lambda pair: (-pair.share, -pair.num_images, pair.one, pair.other))
        return tuple(pairs[:50])

    def images_with(self, tag: str) -> list[str]:
        """The paths of the images that have `tag`, in order."""
        return [self._records[place].image_path for place in self._places.get(tag, ())]

    def often_with(self, tag: str, most: int = 10) -> tuple[TagCount, ...]:
        """The tags that stand beside `tag` most often; the share is of the images with `tag`."""
        places = self._places.get(tag, array("I"))
        beside: Counter[str] = Counter()
        for place in places:
            beside.update(set(self._records[place].tags))
        beside.pop(tag, None)
        return self._rank(beside, len(places))[:most]

    def as_json(self) -> dict[str, Any]:
        """Everything, in types that JSON has."""
        return {
            "num_images": self.num_images,
            "num_tagged": self.num_tagged,
            "tags": [asdict(count) for count in self.counts],
            "constant_looks": list(self.constant_looks),
            "rare": list(self.rare),
            "pairs": [asdict(pair) for pair in self.pairs],
            "captions_that_say": self.captions_that_say,
            "contradictions": [
                {**asdict(found), "tags": list(found.tags)} for found in self.contradictions
            ],
        }

    def _rank(self, counts: dict[str, int], num_images: int) -> tuple[TagCount, ...]:
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(TagCount(tag, count, count / num_images) for tag, count in ranked)

    def _as_bits(self, tag: str) -> int:
        """The images that have `tag` as the set bits of a number."""
        bits = bytearray(self.num_images // 8 + 1)
        for place in self._places[tag]:
            bits[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(bits, "little")


def _plain(text: str) -> str:
    """Small letters, words and digits alone, one space between."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))
