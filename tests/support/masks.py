"""Masks for the images of a test's project."""

from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from lorawiz.dataset.masks import save_mask
from lorawiz.dataset.records import ImageRecord, load_dataset, save_dataset
from lorawiz.paths import Project


def mask_images(project: Project, draw: Callable[[ImageRecord], Image.Image | None]) -> None:
    """Give each image the mask that `draw` returns; None leaves it without one."""
    dataset = load_dataset(project.dataset)
    masked = []
    for record in dataset.records:
        mask = draw(record)
        if mask is not None:
            masked.append(replace(record, mask=save_mask(project, record, mask)))
    save_dataset(project.dataset, dataset.with_records(masked))


def white_mask(record: ImageRecord) -> Image.Image:
    """Everything is the subject."""
    return Image.new("L", (record.width, record.height), 255)


def left_half_mask(record: ImageRecord) -> Image.Image:
    """The left half is the subject."""
    mask = Image.new("L", (record.width, record.height), 0)
    mask.paste(255, (0, 0, record.width // 2, record.height))
    return mask
