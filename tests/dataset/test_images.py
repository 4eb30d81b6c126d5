"""The one loader: upright, RGB, and one kind of error."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorawiz.dataset.images import BrokenImageError, load_image, probe_image
from tests.support.projects import save_photo


def quadrants() -> Image.Image:
    """40×20: red, green over blue, white: every rotation looks different."""
    image = Image.new("RGB", (40, 20))
    for index, colour in enumerate(("red", "lime", "blue", "white")):
        left, top = index % 2 * 20, index // 2 * 10
        image.paste(colour, (left, top, left + 20, top + 10))
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_sizes_agree(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    quadrants().save(path, exif=exif)
    upright = load_image(path)
    facts = probe_image(path)
    assert (facts.width, facts.height) == upright.size
    assert upright.size == ((20, 40) if orientation >= 5 else (40, 20))
    # where the stored top left corner (red) lands, by the EXIF specification
    corner = {
        1: (0, 0),
        2: (1, 0),
        3: (1, 1),
        4: (0, 1),
        5: (0, 0),
        6: (1, 0),
        7: (1, 1),
        8: (0, 1),
    }
    x, y = corner[orientation]
    place = (x * (upright.width - 1), y * (upright.height - 1))
    assert upright.getpixel(place) == (255, 0, 0)


def test_a_crop_is_cut_from_the_upright_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    quadrants().save(path, exif=exif)
    crop = load_image(path, crop=(10, 0, 20, 20))
    assert crop.size == (10, 20)
    assert set(np.asarray(crop).reshape(-1, 3).max(0)) == {255, 0}
    assert crop.getpixel((5, 5)) == (255, 0, 0)


def test_a_draft_decode_is_smaller_but_not_too_small(tmp_path: Path) -> None:
    path = save_photo(tmp_path / "a.jpg", (1600, 1200))
    small = load_image(path, min_side=128)
    assert 256 <= min(small.size) < 1200
    full = load_image(path).resize((170, 128), 3)
    difference = np.abs(np.asarray(small.resize((170, 128), 3), float) - np.asarray(full, float))
    assert difference.mean() < 2.0


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 200, 255))
    image.save(tmp_path / "a.png")
    loaded = load_image(tmp_path / "a.png")
    assert loaded.getpixel((3, 3)) == (255, 255, 255)
    assert loaded.getpixel((0, 0)) == (0, 0, 200)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).repeat(4).reshape(32, 32)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    loaded = np.asarray(load_image(tmp_path / "a.png"))
    assert 120 < loaded.mean() < 135
    assert (loaded.min(), loaded.max()) == (0, 255)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"hello", "not an image"), (b"\x89PNG\r\n\x1a\n1234", "")],
)
def test_what_is_no_image_gives_one_error_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BrokenImageError, match=rf"^a\.png: .*{reason}"):
        probe_image(path)


def test_a_truncated_jpeg_is_refused(tmp_path: Path) -> None:
    path = save_photo(tmp_path / "a.jpg", (200, 200))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(BrokenImageError, match="truncated"):
        probe_image(path)


@pytest.mark.parametrize(("side", "said"), [(11_000, "million"), (20_000, "bomb")])
def test_a_bomb_is_refused_from_its_header(tmp_path: Path, side: int, said: str) -> None:
    Image.new("1", (side, side)).save(tmp_path / "a.png")
    with pytest.raises(BrokenImageError, match=said):
        probe_image(tmp_path / "a.png")


@pytest.mark.slow
def test_foreign_images_give_a_verdict_each_and_nothing_else(corpora: Path, tmp_path: Path) -> None:
    with tarfile.open(corpora / "exif.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    images = sorted(p for p in tmp_path.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    assert len(images) == 18
    for path in images:
        facts = probe_image(path)
        upright = load_image(path)
        assert upright.size == (facts.width, facts.height)
        is_portrait = "portrait" in path.name.lower()
        assert (upright.height > upright.width) == is_portrait, path.name
