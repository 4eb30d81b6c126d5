"""Which images a step sees: a pure function of the seed and the epoch."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lorawiz.dataset.buckets import BucketFit, Size, fit_bucket
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
    batches_per_epoch: int
    steps_per_epoch: int
    num_epochs: int
    """Epochs begun; the last one may end early when max_train_steps decides."""
    total_steps: int


def count_steps(spec: Spec, records: Sequence[ImageRecord]) -> StepCount:
    """How long the run is. Partial batches count, as each bucket ends with one."""
    sizes: dict[Size, int] = {}
    for record in records:
        bucket = fit_bucket(record.content_size, spec.dataset).bucket
        sizes[bucket] = sizes.get(bucket, 0) + spec.dataset.num_repeats
    per_epoch = sum(math.ceil(count / spec.dataset.batch_size) for count in sizes.values())
    steps = math.ceil(per_epoch / spec.train.gradient_accumulation_steps)
    if steps == 0:
        return StepCount(len(records), 0, 0, 0, 0)
    if spec.train.max_train_epochs is not None:
        total = steps * spec.train.max_train_epochs
    else:
        total = spec.train.max_train_steps
    return StepCount(len(records), per_epoch, steps, math.ceil(total / steps), total)


def iter_steps(spec: Spec, records: Sequence[ImageRecord]) -> Iterator[StepPlan]:
    """Every optimizer step of the run, in order."""
    count = count_steps(spec, records)
    size = spec.train.gradient_accumulation_steps
    step = 0
    for epoch in range(1, count.num_epochs + 1):
        batches = epoch_batches(spec, records, epoch)
        for start in range(0, len(batches), size):
            step += 1
            if step > count.total_steps:
                return
            group = tuple(batches[start : start + size])
            yield StepPlan(step, epoch, start + size >= len(batches), group)


def epoch_batches(spec: Spec, records: Sequence[ImageRecord], epoch: int) -> list[Batch]:
    """The batches of one epoch: shuffled inside each bucket, then among each other."""
    order = random.Random(derive_seed(spec.train.seed, "order", epoch))
    buckets: dict[Size, list[Item]] = {}
    for record in records:
        fit = fit_bucket(record.content_size, spec.dataset)
        for repeat in range(spec.dataset.num_repeats):
            flipped = spec.dataset.flip_aug and _flips(spec.train.seed, record, epoch, repeat)
            item = Item(record, repeat, epoch, flipped, fit)
            buckets.setdefault(fit.bucket, []).append(item)
    batches: list[Batch] = []
    for _, items in sorted(buckets.items()):
        order.shuffle(items)
        size = spec.dataset.batch_size
        batches += [tuple(items[i : i + size]) for i in range(0, len(items), size)]
    order.shuffle(batches)
    return batches


def _flips(seed: int, record: ImageRecord, epoch: int, repeat: int) -> bool:
    return derive_seed(seed, "flip", record.image_path, epoch, repeat) % 2 == 1
