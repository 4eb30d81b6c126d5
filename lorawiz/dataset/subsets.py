"""Which subset of the spec an image is of, and what follows from it."""

from collections.abc import Sequence

from lorawiz.dataset.records import ImageRecord
from lorawiz.spec.subsets import SubsetTable
from lorawiz.spec.tables import DatasetTable


def find_subset(record: ImageRecord, table: DatasetTable) -> SubsetTable | None:
    """The subset whose folder the image lies in, the deepest where there are several."""
    found = [each for each in table.subsets if record.image_path.startswith(f"{each.image_dir}/")]
    return max(found, key=lambda each: len(each.image_dir), default=None)


def is_class_image(record: ImageRecord, table: DatasetTable) -> bool:
    """Whether an image shows the class without the trigger (`is_reg`)."""
    subset = find_subset(record, table)
    return subset is not None and subset.is_reg


def split_class_images(
    records: Sequence[ImageRecord], table: DatasetTable
) -> tuple[list[ImageRecord], list[ImageRecord]]:
    """(those of the subject, class images), each in their order."""
    if not table.subsets:
        return list(records), []
    subject: list[ImageRecord] = []
    of_class: list[ImageRecord] = []
    for record in records:
        (of_class if is_class_image(record, table) else subject).append(record)
    return subject, of_class


def count_repeats(record: ImageRecord, table: DatasetTable) -> int:
    """How often an image of the subject is seen in one epoch."""
    subset = find_subset(record, table)
    return (subset.num_repeats if subset else None) or table.num_repeats
