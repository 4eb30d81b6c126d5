"""The lines of the table of tags: what is known of each tag, in which order, narrowed how."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lorawiz.dataset.tag_report import TagCount, TagReport
from lorawiz.errors import visible_text
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.tags.finding import find_fuzzy

Sort = Literal["count", "name", "share"]
Mark = Literal["trigger", "identity", "once", "rare", "opposite", "unknown"]
SORTS: tuple[Sort, ...] = ("count", "name", "share")
"""Most first, by letters, or the smallest share first."""
SIGNS: dict[Mark, str] = {
    "trigger": "★", "identity": "id?", "once": "1×", "rare": "rare", "opposite": "≠", "unknown": "¿",
}  # fmt: skip
RARE_SHARE = 0.01
"""A tag on fewer of the tagged images than this share is called rare."""


@dataclass(frozen=True)
class Insight:
    """What is known of tags beyond their counts."""

    looks: Collection[str] = ()
    """Constant looks: the trigger may absorb them."""
    opposites: dict[str, int] = field(default_factory=dict)
    """In how many images the caption excludes a tag."""
    captions: dict[str, int] = field(default_factory=dict)
    """In how many images the caption says a tag too."""
    vocabulary: Sequence[str] = ()
    """The tagger's words; empty where they are not known."""
    known: Collection[str] = ()
    """The same, to look up."""


def build_insight(report: TagReport, trigger: str, vocabulary: Sequence[str]) -> Insight:
    """Count what takes longer than counting tags: half a second for 10,000 images."""
    opposites = Counter(tag for found in report.contradictions for tag in found.tags)
    looks = [tag for tag in report.constant_looks if tag != trigger]
    return Insight(
        looks, dict(opposites), report.captions_that_say, vocabulary, frozenset(vocabulary)
    )


def find_marks(count: TagCount, insight: Insight, trigger: str) -> tuple[Mark, ...]:
    """What stands out of a tag."""
    is_trigger = count.tag == trigger
    marks: dict[Mark, bool] = {
        "trigger": is_trigger,
        "identity": count.tag in insight.looks,
        "once": count.num_images == 1,
        "rare": count.num_images > 1 and count.share < RARE_SHARE,
        "opposite": count.tag in insight.opposites,
        "unknown": bool(insight.known) and not is_trigger and count.tag not in insight.known,
    }
    return tuple(mark for mark, is_so in marks.items() if is_so)


def explain_mark(mark: Mark, tag: str, insight: Insight) -> str:
    """A mark in a sentence."""
    match mark:
        case "trigger":
            return tr("★ the trigger")
        case "identity":
            return tr("id? nearly all have it: it belongs to the person; i absorbs it")
        case "once":
            return tr("1× on one image alone")
        case "rare":
            return tr("rare: on less than 1 % of the images")
        case "opposite":
            return tr_count(
                insight.opposites[tag],
                "≠ the caption of {num} image says otherwise",
                "≠ the captions of {num} images say otherwise",
            )
        case "unknown":
            return tr("¿ the tagger does not know this word")


def order_counts(counts: Sequence[TagCount], sort: Sort, wanted: str) -> list[TagCount]:
    """The tags that `wanted` finds, sorted; `counts` come most frequent first."""
    ordered = list(counts)
    if sort == "name":
        ordered.sort(key=lambda count: (count.tag.casefold(), count.tag))
    elif sort == "share":
        ordered.sort(key=lambda count: (count.share, count.tag))
    if not wanted.strip():
        return ordered
    return find_fuzzy(wanted, ordered, lambda count: visible_text(count.tag))
