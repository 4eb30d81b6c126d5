"""What an action will change, told before it does: numbers, examples, remarks."""

from collections.abc import Sequence
from dataclasses import dataclass

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.words import PartWords
from lorawiz.errors import visible_text
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.review.knowledge import Knowledge
from lorawiz.tui.tags.actions import TagAction
from lorawiz.tui.tags.rules import RulePlan

MAX_EXAMPLES = 12
_AROUND = 1
"""How many tags that stay are shown on each side of those that do not."""


@dataclass(frozen=True, slots=True)
class Example:
    """The tags of one image, before and after."""

    image_path: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def name(self) -> str:
        return visible_text(self.image_path.rpartition("/")[2])

    def in_words(self) -> str:
        """`… lyq · brown hair · smile → … lyq · smile`: what stays the same is left out."""
        start = 0
        while self.before[: start + 1] == self.after[: start + 1] and start < len(self.before):
            start += 1
        end = 0
        while end < min(len(self.before), len(self.after)) - start and (
            self.before[-1 - end] == self.after[-1 - end]
        ):
            end += 1
        begin, end = max(start - _AROUND, 0), max(end - _AROUND, 0)
        return f"{_cut(self.before, begin, end)} → {_cut(self.after, begin, end)}"


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action will do."""

    num_images: int
    """Images whose tags change."""
    summary: str
    remarks: tuple[str, ...]
    examples: tuple[Example, ...]


def preview_edit(
    action: TagAction, records: Sequence[ImageRecord], knowledge: Knowledge
) -> Preview:
    """What the action will do as an edit by hand."""
    targets = action.find_targets(records)
    change = action.build_change()
    pairs = []
    for record in targets[:MAX_EXAMPLES]:
        machine: PartWords | None = knowledge.machine.get(record.image_path)
        pairs.append((record, change(record, machine)))
    return Preview(
        num_images=len(targets),
        summary=action.in_words(len(targets)),
        remarks=tuple(_iter_remarks(action, targets)),
        examples=_build_examples(pairs),
    )


def preview_rule(plan: RulePlan) -> Preview:
    """What the action will do as a rule; `becomes rule 3 of 5` is its first remark."""
    num = len(plan.visible_pairs) - plan.num_others
    others = plan.visible_pairs
    own = [pair for pair in others if pair[0].image_path in plan.target_paths]
    if plan.edit.old is None:
        remark = tr("becomes rule {number} of {num}", number=plan.edit.number, num=plan.num_rules)
    else:
        remark = tr("goes into rule {number} of {num}", number=plan.edit.number, num=plan.num_rules)
    remarks = [remark, *_iter_remarks(plan.action, [before for before, _ in own])]
    if not num:
        num_needless = len(plan.pairs)
        remarks.append(
            tr_count(
                num_needless,
                "{num} image has it so by hand; the rule takes over",
                "{num} images have it so by hand; the rule takes over",
            )
        )
    if plan.num_others:
        remarks.append(
            tr_count(
                plan.num_others,
                "brings {num} other image up to date with the rules",
                "brings {num} other images up to date with the rules",
            )
        )
    summary = plan.action.in_words(num or len(plan.pairs))
    return Preview(num, summary, tuple(remarks), _build_examples((own or others)[:MAX_EXAMPLES]))


def _iter_remarks(action: TagAction, targets: Sequence[ImageRecord]) -> list[str]:
    remarks = []
    num_rejected = sum(not record.keep for record in targets)
    if num_rejected:
        remarks.append(
            tr_count(num_rejected, "{num} of them is rejected", "{num} of them are rejected")
        )
    if action.kind == "rename":
        num_there = sum(action.new in record.tags for record in targets)
        if num_there:
            remarks.append(
                tr_count(
                    num_there,
                    "{num} has “{new}” already",
                    "{num} have “{new}” already",
                    new=visible_text(action.new),
                )
            )
    return remarks


def _build_examples(pairs: Sequence[tuple[ImageRecord, ImageRecord]]) -> tuple[Example, ...]:
    return tuple(Example(old.image_path, old.tags, new.tags) for old, new in pairs)


def _cut(tags: tuple[str, ...], begin: int, end: int) -> str:
    shown = [visible_text(tag) for tag in tags[begin : len(tags) - end]]
    pieces = ["…"] * (begin > 0) + shown + ["…"] * (end > 0)
    return " · ".join(pieces) if pieces else tr("none")
