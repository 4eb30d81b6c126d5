"""Which images are held out of training: a function of a seed and each image's own bytes.

So it does not depend on the other images, their order or their names: what was held out once stays
so when images are added, and one file under two names is never on both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.seeds import derive_seed
from lorawiz.dataset.subsets import split_class_images
from lorawiz.spec.tables import Spec
from lorawiz.spec.validating import ValidationTable

_SEED_RANGE = 1 << 63
"""What `derive_seed` stays below."""


@dataclass(frozen=True)
class Split:
    """The images of a run, in their order."""

    trained: Sequence[ImageRecord]
    held_out: Sequence[ImageRecord]


def split_records(spec: Spec, records: Sequence[ImageRecord]) -> Split:
    """Who is trained and who is held out. Some image is always trained, class images all are.

    Splitting what is trained once more holds nothing out.
    """
    table = spec.validation
    subject, of_class = split_class_images(records, spec.dataset)
    if table.split == 0 or not subject:
        return Split(records, ())
    found = _split_subject(table, subject)
    return Split([*found.trained, *of_class], found.held_out)


def _split_subject(table: ValidationTable, records: Sequence[ImageRecord]) -> Split:
    places = [find_place(table.seed, record) for record in records]
    # where the draw would take all, what is last in line is trained after all
    limit = min(table.split, max(places))
    return Split(
        [record for record, place in zip(records, places, strict=True) if place >= limit],
        [record for record, place in zip(records, places, strict=True) if place < limit],
    )


def find_place(seed: int, record: ImageRecord) -> float:
    """Where an image stands in 0…1: it is held out below the split."""
    return derive_seed(seed, "validation", record.sha256) / _SEED_RANGE
