"""Which images a step sees: a pure function of the seed and the epoch.

`records` are the images of a run; what is held out for validation is in no step.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lorawiz.dataset.buckets import BucketFit, Size, fit_bucket
from lorawiz.dataset.holdout import split_records
from lorawiz.dataset.prompts import DrawnPrompt, RunStep, draw_prompt
from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.seeds import derive_seed
from lorawiz.spec.tables import Spec


@dataclass(frozen=True)
class Item:
    """One view of an image in one epoch."""

    record: ImageRecord
    repeat: int
    """0 to num_repeats - 1."""
    epoch: int
    """Counted from 1."""
    flipped: bool
    fit: BucketFit
    at: RunStep
    """The optimizer step that it is seen at."""

    def draw_prompt(self, spec: Spec) -> DrawnPrompt:
        """What the text encoder reads with this view."""
        return draw_prompt(self.record, spec, self.epoch, self.repeat, self.at)


Batch = tuple[Item, ...]


@dataclass(frozen=True)
class StepPlan:
    """One optimizer step: its batches are accumulated into one update."""

    step: int
    """Counted from 1, over the whole run."""
    epoch: int
    """Counted from 1."""
    ends_epoch: bool
    batches: tuple[Batch, ...]


@dataclass(frozen=True)
class StepCount:
    """The arithmetic of a run: images × repeats ÷ batch ÷ accumulation × epochs."""

    num_images: int
    """Those that are trained."""
    batches_per_epoch: int
    steps_per_epoch: int
    num_epochs: int
    """Epochs begun; the last one may end early when max_train_steps decides."""
    total_steps: int


def count_steps(spec: Spec, records: Sequence[ImageRecord]) -> StepCount:
    """How long the run is. Partial batches count, as each bucket ends with one."""
    sizes: dict[Size, int] = {}
    trained = split_records(spec.validation, records).trained
    for record in trained:
        bucket = fit_bucket(record.content_size, spec.dataset).bucket
        sizes[bucket] = sizes.get(bucket, 0) + spec.dataset.num_repeats
    per_epoch = sum(math.ceil(count / spec.dataset.batch_size) for count in sizes.values())
    steps = math.ceil(per_epoch / spec.train.gradient_accumulation_steps)
    if steps == 0:
        return StepCount(len(trained), 0, 0, 0, 0)
    total = _total_steps(spec, steps)
    return StepCount(len(trained), per_epoch, steps, math.ceil(total / steps), total)


def iter_steps(spec: Spec, records: Sequence[ImageRecord]) -> Iterator[StepPlan]:
    """Every optimizer step of the run, in order."""
    for epoch in range(1, count_steps(spec, records).num_epochs + 1):
        yield from iter_epoch(spec, records, epoch)


def iter_epoch(spec: Spec, records: Sequence[ImageRecord], epoch: int) -> Iterator[StepPlan]:
    """The optimizer steps of one epoch, in order; none behind the end of the run."""
    batches = epoch_batches(spec, records, epoch)
    size = spec.train.gradient_accumulation_steps
    for start in range(0, len(batches), size):
        group = tuple(batches[start : start + size])
        at = group[0][0].at
        if at.step > at.total_steps:
            return
        yield StepPlan(at.step, epoch, start + size >= len(batches), group)


def epoch_batches(spec: Spec, records: Sequence[ImageRecord], epoch: int) -> list[Batch]:
    """The batches of one epoch: shuffled inside each bucket, then among each other.

    Those that would lie behind the end of the run are there as well.
    """
    order = random.Random(derive_seed(spec.train.seed, "order", epoch))
    groups: list[list[_View]] = []
    for _, views in sorted(_views_by_bucket(spec, records).items()):
        order.shuffle(views)
        size = spec.dataset.batch_size
        groups += [views[i : i + size] for i in range(0, len(views), size)]
    order.shuffle(groups)
    per_step = spec.train.gradient_accumulation_steps
    num_steps = math.ceil(len(groups) / per_step)
    total = _total_steps(spec, num_steps)
    batches: list[Batch] = []
    for index, group in enumerate(groups):
        at = RunStep((epoch - 1) * num_steps + index // per_step + 1, total)
        batches.append(tuple(_build_item(spec, view, epoch, at) for view in group))
    return batches


def build_validation_views(spec: Spec, held_out: Sequence[ImageRecord]) -> list[Item]:
    """Each held-out image as it is measured: once, not mirrored, in no epoch."""
    return [
        Item(record, 0, 0, False, fit_bucket(record.content_size, spec.dataset), RunStep(1, 1))
        for record in held_out
    ]


_View = tuple[ImageRecord, int, BucketFit]
"""(record, repeat, fit)."""


def _views_by_bucket(spec: Spec, records: Sequence[ImageRecord]) -> dict[Size, list[_View]]:
    buckets: dict[Size, list[_View]] = {}
    for record in split_records(spec.validation, records).trained:
        fit = fit_bucket(record.content_size, spec.dataset)
        views = [(record, repeat, fit) for repeat in range(spec.dataset.num_repeats)]
        buckets.setdefault(fit.bucket, []).extend(views)
    return buckets


def _build_item(spec: Spec, view: _View, epoch: int, at: RunStep) -> Item:
    record, repeat, fit = view
    flipped = spec.dataset.flip_aug and _flips(spec.train.seed, record, epoch, repeat)
    return Item(record, repeat, epoch, flipped, fit, at)


def _total_steps(spec: Spec, steps_per_epoch: int) -> int:
    if spec.train.max_train_epochs is not None:
        return steps_per_epoch * spec.train.max_train_epochs
    return spec.train.max_train_steps


def _flips(seed: int, record: ImageRecord, epoch: int, repeat: int) -> bool:
    return derive_seed(seed, "flip", record.image_path, epoch, repeat) % 2 == 1
