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
from lorawiz.dataset.subsets import count_repeats, split_class_images
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
    """The arithmetic of a run: images × repeats ÷ batch ÷ accumulation ÷ processes × epochs."""

    num_images: int
    """Those of the subject that are trained."""
    num_class_images: int
    """Those that show the class alone."""
    batches_per_epoch: int
    steps_per_epoch: int
    num_epochs: int
    """Epochs begun; the last one may end early when max_train_steps decides."""
    total_steps: int


def count_steps(spec: Spec, records: Sequence[ImageRecord]) -> StepCount:
    """How long the run is. Partial batches count, as each bucket ends with one."""
    sizes: dict[Size, int] = {}
    trained = split_records(spec, records).trained
    subject, of_class = split_class_images(trained, spec.dataset)
    for record, _ in _iter_views(spec, trained):
        bucket = fit_bucket(record.content_size, spec.dataset).bucket
        sizes[bucket] = sizes.get(bucket, 0) + 1
    per_epoch = sum(math.ceil(count / spec.dataset.batch_size) for count in sizes.values())
    steps = math.ceil(per_epoch / spec.batches_per_step)
    if steps == 0:
        return StepCount(len(subject), len(of_class), 0, 0, 0, 0)
    total = _total_steps(spec, steps)
    num_epochs = math.ceil(total / steps)
    return StepCount(len(subject), len(of_class), per_epoch, steps, num_epochs, total)


def count_views(spec: Spec, records: Sequence[ImageRecord], wanted: Sequence[ImageRecord]) -> int:
    """How many views of the `wanted` images a whole epoch has."""
    paths = {record.image_path for record in wanted}
    trained = split_records(spec, records).trained
    return sum(record.image_path in paths for record, _ in _iter_views(spec, trained))


def find_unused(spec: Spec, records: Sequence[ImageRecord]) -> set[str]:
    """The image paths of class images that no epoch sees: there are more than of the subject."""
    trained = split_records(spec, records).trained
    used = {record.image_path for record, _ in _iter_views(spec, trained)}
    return {record.image_path for record in trained} - used


def iter_steps(spec: Spec, records: Sequence[ImageRecord]) -> Iterator[StepPlan]:
    """Every optimizer step of the run, in order."""
    for epoch in range(1, count_steps(spec, records).num_epochs + 1):
        yield from iter_epoch(spec, records, epoch)


def iter_epoch(spec: Spec, records: Sequence[ImageRecord], epoch: int) -> Iterator[StepPlan]:
    """The optimizer steps of one epoch, in order; none behind the end of the run."""
    batches = epoch_batches(spec, records, epoch)
    size = spec.batches_per_step
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
    per_step = spec.batches_per_step
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
    for record, repeat in _iter_views(spec, split_records(spec, records).trained):
        fit = fit_bucket(record.content_size, spec.dataset)
        buckets.setdefault(fit.bucket, []).append((record, repeat, fit))
    return buckets


def _iter_views(spec: Spec, trained: Sequence[ImageRecord]) -> Iterator[tuple[ImageRecord, int]]:
    """(record, repeat) of everything that one epoch sees; each epoch sees the same.

    Of class images as many as of the subject, the first of them where there are more, as in
    sd-scripts.
    """
    subject, of_class = split_class_images(trained, spec.dataset)
    num = 0
    for record in subject:
        repeats = count_repeats(record, spec.dataset)
        num += repeats
        yield from ((record, repeat) for repeat in range(repeats))
    if of_class:
        yield from ((of_class[at % len(of_class)], at // len(of_class)) for at in range(num))


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
