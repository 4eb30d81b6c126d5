"""Thumbnails and the choice of how to draw them."""

from pathlib import Path

import pytest
from PIL import Image

from lorawiz.errors import LorawizError
from lorawiz.tui.images import choose_image_widget, fit_cells, load_thumbnail


def test_each_mode_has_its_own_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    from textual_image import widget

    expected = {"kitty": widget.TGPImage, "sixel": widget.SixelImage, "half": widget.HalfcellImage}
    for mode, image_widget in {**expected, "off": None}.items():
        monkeypatch.setenv("LORAWIZ_IMAGES", mode)
        assert choose_image_widget() is image_widget
    monkeypatch.setenv("LORAWIZ_IMAGES", "auto")
    assert choose_image_widget() in expected.values()


def test_an_unknown_mode_is_an_error_that_names_the_known_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LORAWIZ_IMAGES", "ascii\x1b")
    with pytest.raises(LorawizError) as caught:
        choose_image_widget()
    assert caught.value.message == "LORAWIZ_IMAGES=ascii␛: no such mode"
    assert caught.value.hint == "use auto, kitty, sixel, half, off"


def test_a_thumbnail_is_small_upright_and_rgb(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("L", (2000, 1000)).save(path, exif=exif)
    thumbnail = load_thumbnail(path)
    assert thumbnail is not None
    assert (thumbnail.size, thumbnail.mode) == ((256, 512), "RGB")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_what_is_no_picture_has_no_thumbnail(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sample.png"
    path.write_bytes(content)
    assert load_thumbnail(path) is None
    assert load_thumbnail(tmp_path / "gone.png") is None


def test_a_picture_with_a_spoilt_middle_has_no_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "sample.png"
    Image.effect_noise((600, 600), 64).save(path)
    first, second, *rest = path.read_bytes().split(b"IDAT")
    path.write_bytes(first + b"IDAT" + second + b"\0\1\2\3" + b"IDAT".join(rest))
    assert load_thumbnail(path) is None


def test_a_picture_keeps_its_shape_in_cells() -> None:
    assert fit_cells(Image.new("RGB", (512, 512)), 40, 7) == (14, 7)
    assert fit_cells(Image.new("RGB", (1024, 512)), 14, 7) == (14, 4)
    assert fit_cells(Image.new("RGB", (1, 1000)), 14, 7) == (1, 7)
