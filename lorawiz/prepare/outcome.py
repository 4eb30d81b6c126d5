"""What `crop`, `cutout`, `caption` and `tag` do: run the job, then settle the dataset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lorawiz.dataset.crops import choose_crop, is_crop_by_hand, set_crop
from lorawiz.dataset.evidence import Evidence, evidence_path, faces_of, iter_evidence
from lorawiz.dataset.records import Dataset, ImageRecord
from lorawiz.dataset.settling import settle_words
from lorawiz.dataset.store import change_dataset, read_dataset
from lorawiz.dataset.words import raw_words
from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project
from lorawiz.prepare.jobs import Job, JobReport, OnProgress, run_job
from lorawiz.prepare.kinds import (
    build_caption_job,
    build_face_job,
    build_mask_job,
    build_tag_job,
)
from lorawiz.prepare.shards import Shard, this_shard
from lorawiz.spec import Spec
from lorawiz.wording import show_count, show_duration

_PLAUSIBLE_SHARES = (0.03, 0.97)
"""Of the picture: a mask that covers less or more has hardly found the subject."""


@dataclass(frozen=True)
class Outcome:
    """What a command over the images came to."""

    did: str
    """`tagged`, `captioned`, `masked`, `looked at`."""
    model: str
    device: str
    shard: Shard
    report: JobReport
    num_changed: int
    remarks: Sequence[str]
    records: Sequence[ImageRecord]
    """All images, as the command left or would leave them."""

    def lines(self) -> list[str]:
        """What the user is told."""
        part = (
            f" (part {self.shard.index + 1} of {self.shard.count})" if self.shard.count > 1 else ""
        )
        parts = [f"{show_count(self.report.num_done, 'image')} {self.did}{part}"]
        parts += [f"{self.report.num_known} before"] if self.report.num_known else []
        failed = len(self.report.failures)
        parts += [f"{failed} failed"] if failed else []
        speed = ""
        if self.report.num_done:
            speed = f", {show_duration(self.report.loop_s)}"
        return [f"{', '.join(parts)}; {self.model} on {self.device}{speed}", *self.remarks]

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "device": self.device,
            "shard": [self.shard.index, self.shard.count],
            "done": self.report.num_done,
            "known": self.report.num_known,
            "own": self.report.num_own,
            "failed": {each.image_path: each.reason for each in self.report.failures},
            "changed": self.num_changed,
            "loop_s": round(self.report.loop_s, 3),
            "remarks": list(self.remarks),
        }


def run_tag(project: Project, spec: Spec, redo: bool, on_progress: OnProgress) -> Outcome:
    """Tag what has no tags yet, and clean. Raises LorawizError."""

    def has_own(record: ImageRecord) -> bool:
        return bool(raw_words(record).tags) and not spec.tag.append_tags

    job = build_tag_job(project, spec)
    return _run_words(project, spec, job, "tagged", has_own, redo, on_progress)


def run_caption(project: Project, spec: Spec, redo: bool, on_progress: OnProgress) -> Outcome:
    """Caption what has no caption yet. Raises LorawizError."""

    def has_own(record: ImageRecord) -> bool:
        return bool(raw_words(record).caption) or record.hand.caption

    job = build_caption_job(project, spec)
    return _run_words(project, spec, job, "captioned", has_own, redo, on_progress)


def run_crop(
    project: Project, spec: Spec, redo: bool, dry_run: bool, on_progress: OnProgress
) -> Outcome:
    """Find faces; set the boxes of images that have none, or with `redo` of all not set by hand.

    With `dry_run` the faces are kept as evidence and no box is set. Raises LorawizError.
    """
    job = build_face_job(project, spec)
    report = run_job(project, job, _usable(project), this_shard(), redo, on_progress)
    found = {each.image_path: each for each in _load(project, job)}

    def set_boxes(dataset: Dataset) -> list[ImageRecord]:
        return [
            _with_crop(record, found.get(record.image_path), spec, redo)
            for record in dataset.records
        ]

    if dry_run:
        before = read_dataset(project)
        after = set_boxes(before)
        changed = sum(old != new for old, new in zip(before.records, after, strict=True))
        remarks = [f"{show_count(changed, 'crop')} would be set"]
    else:
        changed = change_dataset(project, "crop", set_boxes).num_changed
        after = list(read_dataset(project).records)
        remarks = [f"{show_count(changed, 'crop')} set"] if changed else []
    return _outcome(
        "looked at", job, report, changed, [*remarks, *_face_remarks(found, after)], after
    )


def run_cutout(project: Project, spec: Spec, redo: bool, on_progress: OnProgress) -> Outcome:
    """Mask what has no mask yet. Raises LorawizError."""
    job = build_mask_job(project, spec)
    report = run_job(project, job, _usable(project), this_shard(), redo, on_progress)
    found = {each.image_path: each for each in _load(project, job)}

    def set_masks(dataset: Dataset) -> list[ImageRecord]:
        return [_with_mask(record, found.get(record.image_path)) for record in dataset.records]

    applied = change_dataset(project, "cutout", set_masks)
    remarks = []
    if spec.cutout.background == "keep":
        remarks.append(
            "training keeps the background: lorawiz set cutout.background blur (or white, #rrggbb)"
        )
    remarks += [
        f"{visible_text(path)}: the mask covers {each.finding['share']:.0%}: look at it (--preview)"
        for path, each in found.items()
        if not _PLAUSIBLE_SHARES[0] < each.finding["share"] < _PLAUSIBLE_SHARES[1]
    ]
    return _outcome(
        "masked", job, report, applied.num_changed, remarks, read_dataset(project).records
    )


def _run_words(
    project: Project,
    spec: Spec,
    job: Job,
    did: str,
    has_own: Callable[[ImageRecord], bool],
    redo: bool,
    on_progress: OnProgress,
) -> Outcome:
    # lines that were edited outside are told apart from the old evidence, before there is new
    before = settle_words(project, spec, "clean")
    report = run_job(project, job, _usable(project), this_shard(), redo, on_progress, has_own)
    after = settle_words(project, spec, did)
    num_changed = before.num_changed + after.num_changed
    remarks = [f"{show_count(num_changed, 'line')} of dataset.jsonl changed"]
    if report.num_own:
        remarks.append(f"{report.num_own} have their own and were left alone (--redo for all)")
    remarks += [
        f"{visible_text(path)}: edited meanwhile, left as it is"
        for path in (*before.gave_way, *after.gave_way)
    ]
    return _outcome(did, job, report, num_changed, remarks, ())


def _outcome(
    did: str,
    job: Job,
    report: JobReport,
    num_changed: int,
    remarks: Sequence[str],
    records: Sequence[ImageRecord],
) -> Outcome:
    return Outcome(
        did,
        job.model.name,
        job.annotator.device,
        this_shard(),
        report,
        num_changed,
        remarks,
        records,
    )


def _usable(project: Project) -> list[ImageRecord]:
    records = [record for record in read_dataset(project).records if record.is_trained]
    if not records:
        raise DatasetError("no images to look at", "lorawiz add PHOTOS…")
    return records


def _load(project: Project, job: Job) -> list[Evidence]:
    path = evidence_path(project, job.model)
    return list(iter_evidence(path)) if path.exists() else []


def _with_crop(
    record: ImageRecord, evidence: Evidence | None, spec: Spec, redo: bool
) -> ImageRecord:
    if evidence is None or not evidence.is_about(record) or is_crop_by_hand(record):
        return record
    if record.crop is not None and not redo:
        return record
    boxes = [(left, top, right, bottom) for left, top, right, bottom, _ in faces_of(evidence)]
    crop = choose_crop(boxes, (record.width, record.height), spec.crop, spec.dataset)
    return set_crop(record, crop)


def _with_mask(record: ImageRecord, evidence: Evidence | None) -> ImageRecord:
    if evidence is None or not evidence.is_about(record):
        return record
    return replace(record, mask=str(evidence.finding["mask"]))


def _face_remarks(found: dict[str, Evidence], records: Sequence[ImageRecord]) -> list[str]:
    """`faces: 41 with one, 1 with none; smallest 310 px`."""
    counts: dict[str, int] = {}
    smallest: float | None = None
    for record in records:
        evidence = found.get(record.image_path)
        if evidence is None or not evidence.is_about(record):
            continue
        faces = faces_of(evidence)
        word = {0: "none", 1: "one"}.get(len(faces), "several")
        counts[word] = counts.get(word, 0) + 1
        for left, _, right, _, _ in faces[:1]:
            side = (right - left) * record.width
            smallest = side if smallest is None else min(side, smallest)
    shown = [f"{counts[word]} with {word}" for word in ("one", "several", "none") if word in counts]
    if not shown:
        return []
    return [f"faces: {', '.join(shown)}" + (f"; smallest {smallest:.0f} px" if smallest else "")]
