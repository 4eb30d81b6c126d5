"""Contact sheets: every image in its cell, with its name."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lorawiz.dataset.contact_sheet import build_contact_sheet
from lorawiz.errors import DatasetError

RED, BLUE = (255, 0, 0), (0, 0, 255)


def boxes_of(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    found = (np.asarray(sheet) == colour).all(axis=2)
    return Image.fromarray(found).getbbox()


def test_images_stand_side_by_side_then_below() -> None:
    images = [(Image.new("RGB", (300, 400), "tan"), f"{index}.jpg") for index in range(5)]
    images[1] = (Image.new("RGB", (300, 400), RED), "red.jpg")
    images[4] = (Image.new("RGB", (400, 300), BLUE), "blue.jpg")
    sheet = build_contact_sheet(images, columns=2)
    red, blue = boxes_of(sheet, RED), boxes_of(sheet, BLUE)
    assert red is not None and blue is not None
    assert red[0] > sheet.width / 2 and red[3] < sheet.height / 2
    assert blue[2] < sheet.width / 2 and blue[1] > sheet.height / 2
    # both in cells of one width, with their shapes
    assert (red[2] - red[0], red[3] - red[1]) == (180, 240)
    assert (blue[2] - blue[0], blue[3] - blue[1]) == (240, 180)


def test_the_sheet_is_no_wider_than_its_images() -> None:
    one = [(Image.new("RGB", (100, 50)), "a.jpg")]
    assert build_contact_sheet(one, columns=6).width < 300


def test_small_images_are_not_enlarged_and_grey_ones_are_shown() -> None:
    sheet = build_contact_sheet([(Image.new("L", (20, 10), 255), "")], columns=1)
    assert boxes_of(sheet, (255, 255, 255)) is not None
    left, top, right, bottom = boxes_of(sheet, (255, 255, 255)) or (0, 0, 0, 0)
    assert (right - left, bottom - top) == (20, 10)


def drawn(monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    """The label that is written for `name`."""
    written: list[str] = []
    text = ImageDraw.ImageDraw.text

    def note(self: ImageDraw.ImageDraw, xy: object, label: str, **how: object) -> None:
        written.append(label)
        text(self, xy, label, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    build_contact_sheet([(Image.new("RGB", (30, 30)), name)], columns=1)
    return written[0]


def test_a_name_is_written_below(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, "IMG_0012.jpg") == "IMG_0012.jpg"


def test_a_long_name_keeps_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    label = drawn(monkeypatch, "a very long name " * 10 + "0012.jpg")
    assert label.startswith("a very long") and label.endswith("0012.jpg") and "…" in label
    assert len(label) < 60


def test_control_characters_are_made_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, "a\x1b\nb.jpg") == "a␛␊b.jpg"


def test_nothing_to_show_is_said() -> None:
    with pytest.raises(DatasetError, match="no images to show"):
        build_contact_sheet([], columns=6)
