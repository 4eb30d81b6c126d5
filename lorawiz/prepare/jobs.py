"""One model over a project's images: what is pending, in shards, journaled, resumable."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from lorawiz.annotate.protocols import Annotator
from lorawiz.dataset.evidence import (
    Evidence,
    Journal,
    Model,
    evidence_path,
    iter_evidence,
    iter_journals,
    merge_journals,
)
from lorawiz.dataset.records import ImageRecord
from lorawiz.paths import Project
from lorawiz.prepare.feeding import Failure, LoadPicture, iter_findings
from lorawiz.prepare.shards import Shard

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Job:
    """A model and how it is used."""

    model: Model
    annotator: Annotator[Any, Any]
    batch_size: int
    load: LoadPicture
    """The picture that the model looks at."""
    view: Callable[[ImageRecord], str]
    """Names what of an image is looked at: another crop is another view."""
    as_json: Callable[[ImageRecord, Any], dict[str, Any]]
    """The finding as evidence; may write what is not JSON to its own place first."""
    is_there: Callable[[ImageRecord, Mapping[str, Any]], bool] | None = None
    """Whether what a finding left beside the evidence is still there."""


@dataclass
class JobReport:
    """What a job did."""

    num_done: int = 0
    num_known: int = 0
    """Images that had been looked at before."""
    num_own: int = 0
    """Images passed over because they have words of their own."""
    failures: list[Failure] = field(default_factory=list)
    loop_s: float = 0.0
    """Seconds spent on the images, the model's loading not counted."""


def run_job(
    project: Project,
    job: Job,
    records: Sequence[ImageRecord],
    shard: Shard,
    redo: bool = False,
    on_progress: OnProgress = lambda done, total: None,
    has_own: Callable[[ImageRecord], bool] = lambda record: False,
) -> JobReport:
    """Let the model look at this shard's images that it has not seen yet, or at all of them.

    Without `redo` it leaves those alone that have their own of what it would say. Findings are on the disk batch by batch; what a kill interrupts goes on with the next call.
    """
    mine = shard.take(records)
    # what an earlier, killed job had done counts
    merge_journals(project, job.model)
    seen = {} if redo else _looked_at(project, job)
    unseen = [record for record in mine if not _is_known(job, record, seen)]
    pending = [record for record in unseen if redo or not has_own(record)]
    report = JobReport(num_known=len(mine) - len(unseen), num_own=len(unseen) - len(pending))
    done = 0
    on_progress(done, len(pending))
    journal = Journal(project, job.model)
    started = time.monotonic()
    try:
        for batch in iter_findings(pending, job.load, job.annotator, job.batch_size):
            journal.append(_as_evidence(job, batch))
            report.failures += [value for _, value in batch if isinstance(value, Failure)]
            done += len(batch)
            on_progress(done, len(pending))
    finally:
        journal.close()
        merge_journals(project, job.model)
    report.num_done = done - len(report.failures)
    report.loop_s = time.monotonic() - started
    return report


def _as_evidence(job: Job, batch: Sequence[tuple[ImageRecord, Any]]) -> list[Evidence]:
    return [
        Evidence(record.image_path, record.sha256, job.view(record), job.as_json(record, value))
        for record, value in batch
        if not isinstance(value, Failure)
    ]


def _looked_at(project: Project, job: Job) -> dict[str, Evidence]:
    """What there is of each image, by its path; findings only where they are asked for."""
    seen: dict[str, Evidence] = {}
    target = evidence_path(project, job.model)
    written = iter_evidence(target) if target.exists() else iter(())
    for each in chain(written, iter_journals(project, job.model)):
        finding = each.finding if job.is_there else {}
        seen[each.image_path] = replace(each, finding=finding)
    return seen


def _is_known(job: Job, record: ImageRecord, seen: Mapping[str, Evidence]) -> bool:
    found = seen.get(record.image_path)
    if found is None or not found.is_about(record) or found.view != job.view(record):
        return False
    return job.is_there is None or job.is_there(record, found.finding)
