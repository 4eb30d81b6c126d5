"""The caches: an entry answers for exactly one content."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from lorawiz.dataset.batches import Item, epoch_batches
from lorawiz.dataset.masks import save_mask
from lorawiz.dataset.records import ImageRecord, load_dataset
from lorawiz.errors import DatasetError
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.spec.annotating import CutoutTable
from lorawiz.spec.document import build_spec
from lorawiz.train.caches import TensorCache, latents_key, load_pixels
from tests.support.projects import make_project

SPEC = build_spec({})


def first_item(project: Project) -> Item:
    spec = load_spec(project.spec)
    records = load_dataset(project.dataset).trained
    return epoch_batches(spec, records, 1)[0][0]


def test_what_is_put_is_found_to_the_bit(tmp_path: Path) -> None:
    cache = TensorCache(Project(tmp_path), "latents")
    value = torch.randn(8, 4, 4)
    assert cache.find("a", 1) is None
    cache.put(value, "a", 1)
    found = cache.find("a", 1)
    assert found is not None
    assert torch.equal(found, value)
    assert cache.find("a", 2) is None


@pytest.mark.parametrize("content", [b"", b"torn", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_entry_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    cache = TensorCache(Project(tmp_path), "latents")
    cache.put(torch.ones(1), "a")
    next((tmp_path / "work").rglob("*.safetensors")).write_bytes(content)
    assert cache.find("a") is None


def test_another_content_crop_bucket_flip_or_vae_is_another_entry(tmp_path: Path) -> None:
    item = first_item(make_project(tmp_path, num_images=1))

    def of(record: ImageRecord) -> tuple[object, ...]:
        return latents_key(replace(item, record=record), SPEC, "vae")

    masked = replace(item.record, mask="a" * 64)
    on_white = SPEC.model_copy(update={"cutout": CutoutTable(background="white")})
    keys = {
        latents_key(item, SPEC, "vae"),
        latents_key(item, SPEC, "other vae"),
        latents_key(replace(item, flipped=True), SPEC, "vae"),
        latents_key(replace(item, fit=replace(item.fit, bucket=(128, 64))), SPEC, "vae"),
        of(replace(item.record, sha256="1" * 64)),
        of(replace(item.record, crop=(0, 0, 9, 9))),
        latents_key(replace(item, record=masked), on_white, "vae"),
        latents_key(replace(item, record=replace(masked, mask="b" * 64)), on_white, "vae"),
    }
    assert len(keys) == 8
    # a mask whose background is kept changes no pixel
    assert of(masked) == of(item.record)
    # what does not change the pixels does not change the entry
    assert of(replace(item.record, caption="x", image_path="images/y.jpg")) == latents_key(
        item, SPEC, "vae"
    )


def test_pixels_are_those_of_the_bucket(tmp_path: Path) -> None:
    item = first_item(make_project(tmp_path, num_images=1, size=(200, 120)))
    project = Project(tmp_path)
    pixels = load_pixels(project, item, SPEC)
    assert pixels.shape == (3, *item.fit.bucket[::-1])
    assert pixels.dtype == torch.float32
    assert -1 <= pixels.min() < pixels.max() <= 1
    flipped = load_pixels(project, replace(item, flipped=True), SPEC)
    assert torch.equal(flipped.flip(-1), pixels)
    # the gradient of the photo runs to the right
    assert pixels[..., -8:].mean() > pixels[..., :8].mean()


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path, num_images=1)
    item = first_item(project)
    (project.root / item.record.image_path).write_bytes(b"other")
    with pytest.raises(DatasetError, match="not the file that was added"):
        load_pixels(project, item, SPEC)


def test_what_is_trained_is_cut_out_as_the_spec_says(tmp_path: Path) -> None:
    project = make_project(tmp_path, num_images=1)
    item = first_item(project)
    mask = Image.new("L", (96, 96))  # nothing of it is the subject
    masked = replace(item, record=replace(item.record, mask=save_mask(project, item.record, mask)))
    white = SPEC.model_copy(update={"cutout": CutoutTable(background="white")})
    assert load_pixels(project, masked, white).min() == 1.0
    assert load_pixels(project, masked, SPEC).min() < 0.5
