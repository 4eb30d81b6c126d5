"""From evidence, rules and edits by hand to the words in use; replayable at any time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lorawiz.dataset.cleaning import RawWords, RuleTrace, apply_rules
from lorawiz.dataset.evidence import load_newest
from lorawiz.dataset.records import Dataset, ImageRecord, Words
from lorawiz.dataset.store import Applied, change_dataset
from lorawiz.dataset.subsets import is_class_image
from lorawiz.dataset.tag_selection import select_tags, spell_label
from lorawiz.dataset.words import Conflict, PartWords, find_conflicts, raw_words, settle
from lorawiz.paths import Project
from lorawiz.spec import Spec
from lorawiz.spec.cleaning import DropBelowRule, SortRule


@dataclass(frozen=True, slots=True)
class Settled:
    """The words of every image as models, rules and hands give them now."""

    records: Sequence[ImageRecord]
    """Those of the dataset, in its order, with their new words."""
    changed: Sequence[tuple[ImageRecord, ImageRecord]]
    """(before, after) of those whose words are others now."""
    conflicts: Sequence[Conflict]
    """Where a hand overruled a rule or a model."""


def settle_dataset(
    project: Project,
    spec: Spec,
    dataset: Dataset,
    on_rule: Callable[[RuleTrace], None] | None = None,
) -> Settled:
    """Replay evidence, rules and edits by hand over all images; nothing is written.

    Raises DatasetError for damaged evidence.
    """
    raw = load_raw_words(project, spec, dataset.records)
    cleaned = apply_rules(raw, spec.clean, spec.project, on_rule)
    records: list[ImageRecord] = []
    changed: list[tuple[ImageRecord, ImageRecord]] = []
    conflicts: list[Conflict] = []
    for record in dataset.records:
        words = raw.get(record.image_path)
        if words is None:
            records.append(record)
            continue
        machine = cleaned[record.image_path]
        # of a part that neither a model nor the user's files speak of, nothing is known
        known = PartWords(
            machine.caption if words.caption else None, machine.tags if words.tags else None
        )
        settled = settle(record, known)
        records.append(settled)
        if settled != record:
            changed.append((record, settled))
        if settled.hand.add or settled.hand.remove or settled.hand.caption:
            conflicts += find_conflicts(settled, Words(words.caption, words.tags), machine)
    return Settled(records, changed, conflicts)


def settle_words(project: Project, spec: Spec, what: str) -> Applied:
    """Put the words that models, rules and hands give now into the dataset, as one edit."""
    return change_dataset(
        project, what, lambda dataset: settle_dataset(project, spec, dataset).records
    )


def load_raw_words(
    project: Project, spec: Spec, records: Iterable[ImageRecord]
) -> dict[str, RawWords]:
    """What models said, or else what came with the image, by image path.

    Broken images are left out, and class images: their words stay as they came.
    """
    by_path = {
        record.image_path: record
        for record in records
        if record.status == "ok" and not is_class_image(record, spec.dataset)
    }
    captions = _load_captions(project, spec, by_path)
    tags = _load_tags(project, spec, by_path)
    raw: dict[str, RawWords] = {}
    for path, record in by_path.items():
        own = raw_words(record)
        tagged = tags.get(path)
        scores = tagged[1] if tagged else {}
        if tagged is None:
            used = own.tags
        elif spec.tag.append_tags:
            used = tuple(dict.fromkeys((*own.tags, *tagged[0])))
        else:
            used = tagged[0]
        raw[path] = RawWords(captions.get(path, own.caption), used, scores)
    return raw


def _load_captions(
    project: Project, spec: Spec, records: Mapping[str, ImageRecord]
) -> dict[str, str]:
    return {
        each.image_path: str(each.finding["caption"])
        for each in load_newest(project, "captions", spec.caption.model)
        if each.image_path in records and each.is_about(records[each.image_path])
    }


Tagged = tuple[tuple[str, ...], dict[str, float]]
"""Tags, and the score of each where a rule asks for it."""


def _load_tags(
    project: Project, spec: Spec, records: Mapping[str, ImageRecord]
) -> dict[str, Tagged]:
    wants_scores = any(
        isinstance(rule, DropBelowRule) or (isinstance(rule, SortRule) and rule.by == "score")
        for rule in spec.clean
    )
    found: dict[str, Tagged] = {}
    for each in load_newest(project, "tags", spec.tag.model):
        if each.image_path not in records or not each.is_about(records[each.image_path]):
            continue
        scores: Mapping[str, float] = each.finding["scores"]
        named: Mapping[str, Sequence[str]] = each.finding.get("categories", {})
        categories = {name: category for category, names in named.items() for name in names}
        # a tagger that orders by score has its scores in that order
        tags = select_tags(scores, categories, spec.tag, by_score=False)
        by_tag = _score_tags(scores, categories, spec) if wants_scores else {}
        found[each.image_path] = tags, {tag: by_tag[tag] for tag in tags if tag in by_tag}
    return found


def _score_tags(
    scores: Mapping[str, float], categories: Mapping[str, str], spec: Spec
) -> dict[str, float]:
    """The best score of each tag, spelled as it is used."""
    by_tag: dict[str, float] = {}
    for label, score in scores.items():
        for tag in spell_label(label, categories.get(label, "general"), spec.tag):
            by_tag[tag] = max(score, by_tag.get(tag, 0.0))
    return by_tag
