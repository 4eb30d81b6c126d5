"""What one rule did to the images, for a dry run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from lorawiz.dataset.cleaning.rule import RawWords
from lorawiz.errors import visible_text
from lorawiz.spec.cleaning import CleanRule
from lorawiz.wording import show_count

_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What one rule did."""

    number: int
    """Its place in the spec, from 1."""
    rule: CleanRule
    removed: Mapping[str, int]
    """From how many images a tag went, by tag, most first."""
    added: Mapping[str, int]
    """To how many images a tag came, by tag, most first."""
    num_reordered: int
    """Images whose tags stayed and stand in another order."""
    num_captions: int
    """Images whose caption changed."""
    num_images: int
    """Images that changed at all."""

    def in_words(self) -> str:
        """`rule 3 absorb: brown hair from 40 images`, safe for a terminal."""
        parts = [
            *_name_most(self.removed, "from"),
            *_name_most(self.added, "to"),
            *(
                [f"new order in {show_count(self.num_reordered, 'image')}"]
                * (self.num_reordered > 0)
            ),
            *([show_count(self.num_captions, "caption")] * (self.num_captions > 0)),
        ]
        return f"rule {self.number} {self.rule.rule}: {', '.join(parts) or 'changes nothing'}"


def trace_rule(
    number: int,
    rule: CleanRule,
    before: Mapping[str, RawWords],
    after: Mapping[str, RawWords],
) -> RuleTrace:
    """What changed between `before` and `after`, which hold the same images."""
    removed: Counter[str] = Counter()
    added: Counter[str] = Counter()
    num_reordered = num_captions = num_images = 0
    for path, new in after.items():
        old = before[path]
        if old.tags == new.tags and old.caption == new.caption:
            continue
        num_images += 1
        num_captions += old.caption != new.caption
        gone, came = set(old.tags) - set(new.tags), set(new.tags) - set(old.tags)
        removed.update(gone)
        added.update(came)
        num_reordered += old.tags != new.tags and not gone and not came
    return RuleTrace(
        number, rule, _most_first(removed), _most_first(added), num_reordered, num_captions,
        num_images,
    )  # fmt: skip


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _name_most(counts: Mapping[str, int], link: str) -> list[str]:
    shown = [
        f"{visible_text(tag)} {link} {show_count(count, 'image')}"
        for tag, count in list(counts.items())[:_MOST_SHOWN]
    ]
    rest = len(counts) - len(shown)
    return shown + ([f"{show_count(rest, 'more tag')} {link} some"] if rest else [])
