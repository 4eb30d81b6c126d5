"""Masks: where they lie, how they are made, and that they are the right ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lorawiz.dataset.crops import Shares
from lorawiz.dataset.masks import build_mask, load_mask, mask_path, save_mask
from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import DatasetError
from lorawiz.paths import Project


def record_of(image_path: str, mask: str = "") -> ImageRecord:
    return ImageRecord(image_path, "0" * 64, 40, 30, mask=mask)


def segment_bright(image: Image.Image) -> NDArray[np.float32]:
    """A stand-in for a network: what is bright is the subject, seen at 32 px a side."""
    grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX))
    return (grey > 127).astype(np.float32)


def bright_box(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGB", size)
    image.paste("white", box)
    return image


@pytest.mark.parametrize(
    ("image_path", "expected"),
    [
        ("images/a.jpg", "masks/a.jpg.png"),
        ("images/a.png", "masks/a.png.png"),
        ("images/day one/IMG.1.heic", "masks/day one/IMG.1.heic.png"),
        ("other/a.jpg", "masks/other/a.jpg.png"),
    ],
)
def test_a_mask_lies_as_its_image_does(tmp_path: Path, image_path: str, expected: str) -> None:
    path = mask_path(Project(tmp_path), record_of(image_path))
    assert path.relative_to(tmp_path).as_posix() == expected


def test_no_mask_lies_outside_the_project(tmp_path: Path) -> None:
    for image_path in ("../a.jpg", "images/../../a.jpg", "/etc/a.jpg"):
        with pytest.raises(DatasetError, match="outside the project"):
            mask_path(Project(tmp_path), record_of(image_path))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((3000, 4000), (768, 1024)), ((400, 300), (400, 300)), ((9000, 3), (1024, 1))],
)
def test_a_mask_has_the_shape_of_the_whole_picture(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    mask = build_mask(segment_bright, Image.new("RGB", size), None, 0.0)
    assert (mask.mode, mask.size) == ("L", expected)


def test_white_is_the_subject() -> None:
    mask = build_mask(segment_bright, bright_box((320, 320), (100, 100, 200, 200)), None, 0.0)
    assert mask.getpixel((150, 150)) == 255
    assert mask.getpixel((20, 20)) == 0


def test_what_the_crop_keeps_is_segmented_more_finely() -> None:
    # 320 px seen at 32: a box of 3 px is invisible, until 40 px are looked at
    image = bright_box((320, 320), (120, 120, 123, 123))
    assert build_mask(segment_bright, image, None, 0.0).getextrema() == (0, 0)
    crop = (100 / 320, 100 / 320, 140 / 320, 140 / 320)
    mask = build_mask(segment_bright, image, crop, 0.0)
    left, top, right, bottom = mask.point(lambda value: 255 * (value > 127)).getbbox() or (0,) * 4
    assert (left, top, right, bottom) == pytest.approx((120, 120, 123, 123), abs=1)


def test_outside_the_crop_the_mask_of_the_whole_stays() -> None:
    image = bright_box((320, 320), (0, 0, 50, 320))
    mask = build_mask(segment_bright, image, (0.5, 0.5, 1.0, 1.0), 0.0)
    assert mask.getpixel((20, 300)) == 255
    assert mask.getpixel((300, 300)) == 0


@pytest.mark.parametrize("crop", [(0.0, 0.0, 1e-6, 1e-6), (1.0, 1.0, 1.0, 1.0), (0.0, 0, 1, 1)])
def test_the_smallest_crop_is_a_pixel(crop: tuple[float, float, float, float]) -> None:
    assert build_mask(segment_bright, Image.new("RGB", (50, 70)), crop, 0.0).size == (50, 70)


def test_a_crop_at_the_edge_stays_in_the_mask() -> None:
    image = bright_box((2048, 64), (2047, 0, 2048, 64))
    mask = build_mask(segment_bright, image, (2047 / 2048, 0.0, 1.0, 1.0), 0.0)
    assert mask.size == (1024, 32)
    assert (mask.getpixel((1023, 16)), mask.getpixel((1021, 16))) == (255, 0)


def test_feather_softens_the_edge_by_a_share_of_what_is_kept() -> None:
    def num_soft_px(size: tuple[int, int], feather: float, crop: Shares | None = None) -> int:
        half = bright_box(size, (0, 0, size[0] // 2, size[1]))
        row = np.asarray(build_mask(segment_bright, half, crop, feather))[size[1] // 2]
        return int(((row > 12) & (row < 243)).sum())

    hard = num_soft_px((320, 320), 0.0)
    soft = num_soft_px((320, 320), 0.05)
    assert soft > hard + 20
    assert num_soft_px((960, 960), 0.05) == pytest.approx(3 * soft, abs=6)
    middle = (0.25, 0.25, 0.75, 0.75)
    assert num_soft_px((960, 960), 0.05, middle) == pytest.approx(1.5 * soft, abs=6)


def test_the_same_picture_gives_the_same_file(tmp_path: Path) -> None:
    project, record = Project(tmp_path), record_of("images/a.jpg")
    image = bright_box((320, 200), (100, 50, 200, 150))
    sums = [
        save_mask(project, record, build_mask(segment_bright, image, (0.2, 0.2, 0.9, 0.9), 0.01))
        for _ in range(2)
    ]
    assert sums[0] == sums[1]


def test_a_saved_mask_is_loaded_again(tmp_path: Path) -> None:
    project, record = Project(tmp_path), record_of("images/deep/a.jpg")
    mask = build_mask(segment_bright, bright_box((40, 30), (10, 10, 20, 20)), None, 0.0)
    digest = save_mask(project, record, mask)
    path = tmp_path / "masks/deep/a.jpg.png"
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    loaded = load_mask(project, replace(record, mask=digest))
    assert loaded is not None
    assert loaded.tobytes() == mask.tobytes()


def test_no_mask_is_none_even_when_a_file_is_there(tmp_path: Path) -> None:
    project, record = Project(tmp_path), record_of("images/a.jpg")
    save_mask(project, record, Image.new("L", (4, 4)))
    assert load_mask(project, record) is None


def test_a_missing_mask_names_the_command(tmp_path: Path) -> None:
    record = record_of("images/a\x1b[31m.jpg", mask="0" * 64)
    with pytest.raises(DatasetError) as caught:
        load_mask(Project(tmp_path), record)
    assert caught.value.message == "masks/a␛[31m.jpg.png: no such mask"
    assert "lorawiz cutout" in caught.value.hint


def test_another_mask_is_refused(tmp_path: Path) -> None:
    project, record = Project(tmp_path), record_of("images/a.jpg")
    digest = save_mask(project, record, Image.new("L", (4, 4)))
    save_mask(project, record, Image.new("L", (4, 4), 255))
    with pytest.raises(
        DatasetError, match=r"masks/a\.jpg\.png: not the mask that dataset"
    ) as caught:
        load_mask(project, replace(record, mask=digest))
    assert "lorawiz cutout --redo" in caught.value.hint


def test_the_whole_is_segmented_once_and_the_crop_once() -> None:
    seen: list[Sequence[int]] = []

    def note(image: Image.Image) -> NDArray[np.float32]:
        seen.append(image.size)
        return segment_bright(image)

    build_mask(note, Image.new("RGB", (200, 100)), (0.25, 0.0, 0.75, 1.0), 0.0)
    assert seen == [(200, 100), (100, 100)]
