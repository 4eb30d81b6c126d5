"""Figures of pictures: the same for the same picture, comparable between sizes, remembered."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from lorawiz.dataset import facts as facts_module
from lorawiz.dataset.facts import (
    PictureFacts,
    append_facts,
    compute_missing_facts,
    load_facts,
    measure_picture,
)
from lorawiz.dataset.images import decode_image
from lorawiz.dataset.records import ImageRecord, load_dataset
from lorawiz.paths import Project, file_sha256
from tests.support.projects import make_project, save_photo

PHOTOS = Path(str(files("lorawiz.demo"))) / "photos"


def measure(path: Path) -> PictureFacts:
    return measure_picture(decode_image(path)[1])


@pytest.fixture
def photo() -> Image.Image:
    with Image.open(PHOTOS / "astronaut-01.jpg") as image:
        return image.convert("RGB")


def test_the_same_pixels_in_another_file_are_the_same(tmp_path: Path, photo: Image.Image) -> None:
    photo.save(tmp_path / "a.bmp")
    photo.save(tmp_path / "b.png", compress_level=1)
    photo.save(tmp_path / "c.png", compress_level=9, dpi=(300, 300))
    turned = photo.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "d.png", exif=exif)
    found = [measure(path) for path in sorted(tmp_path.iterdir())]
    assert found == [found[0]] * 4
    assert file_sha256(tmp_path / "a.bmp") != file_sha256(tmp_path / "b.png")


def test_one_other_pixel_or_another_shape_is_another_picture(photo: Image.Image) -> None:
    changed = photo.copy()
    changed.putpixel((0, 0), (1, 2, 3))
    flat = Image.new("RGB", (6, 4))
    pictures = [photo, changed, flat, Image.new("RGB", (4, 6)), Image.new("RGB", (8, 3))]
    assert len({measure_picture(each).pixels for each in pictures}) == 5


def test_large_pictures_are_measured_in_strips_with_the_same_answer(
    photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure_picture(photo)
    monkeypatch.setattr(facts_module, "_STRIP_PIXELS", 1000)
    assert measure_picture(photo) == whole


def test_sharpness_falls_with_blur_and_stays_with_size(photo: Image.Image) -> None:
    def sharpness(image: Image.Image) -> float:
        return measure_picture(image).sharpness

    blurred = [sharpness(photo.filter(ImageFilter.GaussianBlur(r))) for r in (0, 1, 2, 4)]
    assert blurred == sorted(blurred, reverse=True)
    assert blurred[0] > 50 * blurred[2]
    large = photo.resize((2048, 2048), Image.Resampling.NEAREST)
    assert sharpness(large) == pytest.approx(sharpness(photo), rel=0.02)


def test_light_is_measured_from_black_to_white() -> None:
    black, white = Image.new("RGB", (9, 9)), Image.new("RGB", (9, 9), "white")
    half = Image.new("RGB", (8, 2))
    half.paste("white", (0, 0, 4, 2))
    assert (measure_picture(black).brightness, measure_picture(black).black_fraction) == (0, 1)
    assert (measure_picture(white).brightness, measure_picture(white).white_fraction) == (1, 1)
    found = measure_picture(half)
    assert (found.brightness, found.black_fraction, found.white_fraction) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (1, 4000), (4000, 1)])
def test_tiny_and_thin_pictures_have_figures(size: tuple[int, int]) -> None:
    assert measure_picture(Image.new("RGB", size, "red")).look is None


def test_the_look_hardly_changes_with_light(photo: Image.Image) -> None:
    looks = [
        measure_picture(each).look for each in (photo, ImageEnhance.Brightness(photo).enhance(0.9))
    ]
    assert looks[0] is not None and looks[1] is not None
    assert (looks[0] ^ looks[1]).bit_count() <= 6


def test_facts_are_remembered_and_found_by_image_path(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    records = load_dataset(project.dataset).records
    found = load_facts(project, records)
    assert set(found) == {record.image_path for record in records}
    for record in records:
        assert found[record.image_path] == measure(project.root / record.image_path)


def test_flat_pictures_are_remembered_too(tmp_path: Path) -> None:
    project = Project(tmp_path)
    flat = measure_picture(Image.new("RGB", (9, 9), "red"))
    append_facts(project, [("0" * 64, flat)])
    assert load_facts(project, [ImageRecord("a", "0" * 64, 9, 9)]) == {"a": flat}


def test_what_is_missing_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path)
    records = load_dataset(project.dataset).records
    known = load_facts(project, records)
    (project.work / "facts.jsonl").unlink()
    told: list[tuple[int, int]] = []
    assert compute_missing_facts(project, records, lambda *done: told.append(done)) == known
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    monkeypatch.setattr(facts_module, "decode_image", None)
    assert compute_missing_facts(project, records) == known


def test_what_is_not_the_file_that_was_added_has_no_facts(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    records = load_dataset(project.dataset).records
    (project.work / "facts.jsonl").unlink()
    (project.root / records[0].image_path).unlink()
    save_photo(project.root / records[1].image_path, seed=99)
    odd = replace(records[2], image_path="../outside.jpg")
    broken = replace(records[2], image_path="images/b.jpg", status="broken")
    found = compute_missing_facts(project, [*records[:2], odd, broken, records[3]])
    assert list(found) == [records[3].image_path]


def test_a_spoilt_cache_is_as_good_as_none(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    records = load_dataset(project.dataset).records
    path = project.work / "facts.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:50])
    assert len(load_facts(project, records)) == 3
    # a new line does not become one with the torn one
    assert len(compute_missing_facts(project, records)) == 4
    assert len(load_facts(project, records)) == 4
    for junk in (b"\0" * 100_000, b"[]\nnull\n{}\n\xff\n", whole.replace(b'"v": 1', b'"v": 0')):
        path.write_bytes(junk)
        assert load_facts(project, records) == {}


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    records = load_dataset(project.dataset).records
    (project.work / "facts.jsonl").unlink()
    (project.work / "facts.jsonl").mkdir()
    assert len(compute_missing_facts(project, records)) == 4


def test_a_line_holds_the_figures_as_numbers(tmp_path: Path) -> None:
    project = make_project(tmp_path, num_images=1)
    values = json.loads((project.work / "facts.jsonl").read_text())
    assert list(values) == [
        "v", "sha256", "sharpness", "brightness", "black_fraction", "white_fraction", "pixels", "look",
    ]  # fmt: skip
    assert len(values["look"]) == 32
    assert np.isfinite(values["sharpness"])
