"""An action as a [[clean]] rule: planned first, then written and replayed over all images.

Edits by hand that the rule makes needless are taken back with it, so that nothing is decided
twice; what the rule cannot reach is done by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lorawiz.dataset.evidence import find_evidence
from lorawiz.dataset.records import Hand, ImageRecord, Words
from lorawiz.dataset.settling import load_raw_words
from lorawiz.dataset.words import PartWords, adopt_outside_edits, overlay, raw_words, settle
from lorawiz.errors import DatasetError, LorawizError
from lorawiz.paths import Project
from lorawiz.spec import Spec
from lorawiz.spec.document import build_spec, parse_spec, read_spec_text
from lorawiz.spec.rule_edits import RuleEdit, append_rule, edit_rules, list_rules, write_rule_edit
from lorawiz.tui.language import tr
from lorawiz.tui.review.knowledge import find_machine_words
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.tags.actions import TagAction, extend_rule

MachineWords = Mapping[str, PartWords]
Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class RulePlan:
    """What making a rule of an action comes to."""

    action: TagAction
    edit: RuleEdit
    num_rules: int
    """How many there are then."""
    spec_text: str
    """lorawiz.toml as it was read for the plan."""
    spec: Spec
    """As it will be."""
    before: MachineWords
    """What models and rules say now."""
    after: MachineWords
    """What they will say."""
    records: Sequence[ImageRecord]
    evidence: Signature

    @cached_property
    def target_paths(self) -> frozenset[str]:
        """The images that the action itself is about."""
        return frozenset(record.image_path for record in self.action.find_targets(self.records))

    @cached_property
    def _planned(self) -> dict[str, tuple[ImageRecord, ImageRecord]]:
        return {record.image_path: (record, self._build(record)) for record in self.records}

    @cached_property
    def pairs(self) -> list[tuple[ImageRecord, ImageRecord]]:
        """(before, after) of all images that become others, their edits by hand included."""
        return [(old, new) for old, new in self._planned.values() if old != new]

    @cached_property
    def visible_pairs(self) -> list[tuple[ImageRecord, ImageRecord]]:
        """Those of `pairs` whose tags or caption change."""
        return [
            (old, new)
            for old, new in self.pairs
            if old.tags != new.tags or old.caption != new.caption
        ]

    @cached_property
    def num_others(self) -> int:
        """Images that change because rules or evidence are newer than their words."""
        return sum(
            old.image_path not in self.target_paths
            and self.before.get(old.image_path) == self.after.get(old.image_path)
            for old, _ in self.visible_pairs
        )

    def change(self, record: ImageRecord, _known: PartWords | None = None) -> ImageRecord:
        """The record as it will be; one that was changed since the plan is looked at again.

        Raises DatasetError where the words that it came with are others: the plan does not
        know what the rules make of them.
        """
        old, new = self._planned.get(record.image_path, (None, record))
        if old is record:
            return new
        if old is not None and _origin(old) != _origin(record):
            raise DatasetError(
                tr("images were changed in the meantime"), tr("look at what it will do now")
            )
        return self._build(record)

    def _build(self, record: ImageRecord) -> ImageRecord:
        before = self.before.get(record.image_path)
        after = self.after.get(record.image_path)
        if before is not None and after is not None:
            record = adopt_outside_edits(record, before)
            if record.made:
                record = replace(record, hand=_prune(record, before, after, self.action))
            record = settle(record, after)
        if record.image_path not in self.target_paths:
            return record
        # of one image alone it cannot be told whether any has the trigger
        is_left = self.action.kind == "absorb" or self.action.find_targets([record])
        return self.action.build_change()(record, after) if is_left else record


def plan_rule(project: Project, records: Sequence[ImageRecord], action: TagAction) -> RulePlan:
    """What a rule would do; nothing is written. Takes a second for 10,000 images.

    Raises SpecError for an invalid lorawiz.toml, DatasetError where no rule can do it or where
    it would change nothing.
    """
    name = project.spec.name
    text = read_spec_text(project.spec)
    present = build_spec(parse_spec(text, name), text, name)
    rule = action.build_rule()
    last = present.clean[-1] if present.clean else None
    longer = extend_rule(last, rule)
    if longer is None:
        edit = append_rule(text, rule, name)
    else:
        edit = RuleEdit(len(present.clean), list_rules(text, name)[-1], longer)
    edited = edit_rules(text, edit, name)
    spec = build_spec(parse_spec(edited, name), edited, name)
    evidence = sign_evidence(project, spec)
    raw = load_raw_words(project, spec, records)
    plan = RulePlan(
        action=action,
        edit=edit,
        num_rules=len(spec.clean),
        spec_text=text,
        spec=spec,
        before=find_machine_words(raw, present, records),
        after=find_machine_words(raw, spec, records),
        records=records,
        evidence=evidence,
    )
    if not plan.pairs or plan.before == plan.after:
        raise DatasetError(
            tr("a rule would change nothing"),
            tr("these tags were put in by hand, or a rule does so already"),
        )
    return plan


def write_rule(session: ReviewSession, plan: RulePlan, what: str) -> int:
    """Write the planned rule and bring all images in line, as one edit. Returns how many change.

    Raises SpecError, DatasetError and OSError; lorawiz.toml and the images are then as before.
    """
    project = session.project
    if sign_evidence(project, plan.spec) != plan.evidence:
        raise DatasetError(
            tr("models have said something new in the meantime"),
            tr("look at what it will do now"),
        )
    write_rule_edit(project.spec, plan.edit, plan.spec_text)
    try:
        num_changed = session.edit(what, session.records, plan.change)
    except (LorawizError, OSError):
        write_rule_edit(project.spec, plan.edit.reversed())
        raise
    if not num_changed:
        write_rule_edit(project.spec, plan.edit.reversed())
        raise DatasetError(tr("a rule would change nothing"))
    session.spec = plan.spec
    session.knowledge = replace(session.knowledge, machine=plan.after)
    return num_changed


def load_machine_words(session: ReviewSession) -> None:
    """Read what models and rules say of the session's images. Raises LorawizError and OSError."""
    records = list(session.records)
    raw = load_raw_words(session.project, session.spec, records)
    machine = find_machine_words(raw, session.spec, records)
    session.knowledge = replace(session.knowledge, machine=machine)


def sign_evidence(project: Project, spec: Spec) -> Signature:
    """Changes when a tagger or a captioner has said something new."""
    paths: list[Path | None] = [
        find_evidence(project, "tags", spec.tag.model),
        find_evidence(project, "captions", spec.caption.model),
    ]
    stats = [(path.name, path.stat()) for path in paths if path is not None]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def _origin(record: ImageRecord) -> object:
    """What models and rules begin with."""
    return record.sha256, record.status, raw_words(record)


def _prune(record: ImageRecord, before: PartWords, after: PartWords, action: TagAction) -> Hand:
    """The edits by hand without those that say what the new rule says anyway."""
    hand = record.hand
    if before.tags is None or after.tags is None or before.tags == after.tags:
        return hand
    gone = set(before.tags) - set(after.tags)
    come = set(after.tags) - set(before.tags)
    pruned = replace(
        hand,
        add=tuple(tag for tag in hand.add if tag not in come),
        remove=tuple(tag for tag in hand.remove if tag not in gone),
    )
    if action.kind != "first":
        return pruned
    # an order by hand goes only where the rule gives the same one
    free = replace(pruned, first=tuple(tag for tag in hand.first if tag not in action.tags))
    words, own = Words(tags=after.tags), Words(record.caption, record.tags)
    is_same = overlay(words, free, own).tags == overlay(words, pruned, own).tags
    return free if is_same else pruned
