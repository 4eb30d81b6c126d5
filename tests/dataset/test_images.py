"""The one loader: upright sRGB pixels of every kind of file, and one kind of error."""

import os
import random
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageSequence

from lorawiz.dataset import images
from lorawiz.dataset.images import (
    BrokenImageError,
    decode_image,
    is_image_name,
    load_image,
    parse_colour,
    probe_image,
)
from tests.support.icc import grey_profile, ink_profile, screen_profile
from tests.support.projects import save_photo

KINDS = {
    ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF", ".gif": "GIF",
    ".avif": "AVIF", ".heic": "HEIF", ".jxl": "JXL",
}  # fmt: skip
ORIENTATION = 0x0112


def need_plugin(suffix: str) -> None:
    if suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if suffix == ".jxl":
        pytest.importorskip("pillow_jxl")


def quadrants(side: int = 20) -> Image.Image:
    """Twice as wide as high; red, green over blue, white: every rotation looks different."""
    image = Image.new("RGB", (2 * side, side))
    for index, colour in enumerate(("red", "lime", "blue", "white")):
        left, top = index % 2 * side, index // 2 * (side // 2)
        image.paste(colour, (left, top, left + side, top + side // 2))
    return image


def save_kind(path: Path, image: Image.Image, orientation: int = 1) -> Path:
    need_plugin(path.suffix)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image.save(path, KINDS[path.suffix], quality=95, exif=exif.tobytes())
    return path


Pixels = Image.Image | np.ndarray


def same_pixels(one: Pixels, other: Pixels) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))


def distance(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of a channel, of 255."""
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize("suffix", KINDS)
def test_every_kind_is_read_and_told_by_its_content(tmp_path: Path, suffix: str) -> None:
    picture = quadrants(64)
    path = save_kind(tmp_path / f"a{suffix}", picture)
    renamed = path.rename(tmp_path / "a.JPG")
    facts, decoded = decode_image(renamed)
    assert (facts.width, facts.height, facts.format) == (128, 64, KINDS[suffix])
    assert probe_image(renamed) == facts
    assert decoded.mode == "RGB"
    assert decoded.info == {}
    assert distance(decoded, picture) < 4
    assert same_pixels(decoded, load_image(renamed))
    assert is_image_name(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif", ".heic"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_sizes_agree(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    path = save_kind(tmp_path / f"a{suffix}", quadrants(64), orientation)
    upright = load_image(path)
    facts = probe_image(path)
    assert (facts.width, facts.height) == upright.size
    assert upright.size == ((64, 128) if orientation >= 5 else (128, 64))
    # where the stored top left corner (red) lands, by the EXIF specification
    x, y = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (1, 0), (1, 1), (0, 1)][orientation - 1]
    place = ((1 + 2 * x) * upright.width // 4, (1 + 2 * y) * upright.height // 4)
    red, green, blue = np.asarray(upright)[place[::-1]]
    assert (red > 200, green < 60, blue < 60) == (True, True, True)


def test_jpeg_xl_heeds_its_own_orientation_and_not_that_of_exif(tmp_path: Path) -> None:
    path = save_kind(tmp_path / "a.jxl", quadrants(64), orientation=6)
    assert load_image(path).size == (128, 64)
    # a JPEG packed without loss comes out as the JPEG that it was
    photo = save_kind(tmp_path / "b.jpg", quadrants(64), orientation=6)
    with Image.open(photo) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.save(tmp_path / "b.jxl", lossless_jpeg=True)
    assert same_pixels(load_image(tmp_path / "b.jxl"), load_image(photo))


def test_torn_metadata_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    quadrants().save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert load_image(path).size == (40, 20)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_plain_pictures_keep_every_bit(tmp_path: Path, suffix: str) -> None:
    path = save_photo(tmp_path / f"a{suffix}", (96, 70))
    with Image.open(path) as image:
        stored = np.asarray(image.convert("RGB"))
    assert same_pixels(load_image(path), stored)
    assert same_pixels(load_image(path, crop=(5, 6, 50, 60)), stored[6:60, 5:50])


def test_a_crop_is_cut_from_the_upright_image(tmp_path: Path) -> None:
    path = save_kind(tmp_path / "a.png", quadrants(), orientation=6)
    crop = load_image(path, crop=(10, 0, 20, 20))
    assert crop.size == (10, 20)
    assert set(np.asarray(crop).reshape(-1, 3).max(0)) == {255, 0}
    assert crop.getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_draft_decode_is_smaller_and_looks_like_the_whole(
    tmp_path: Path, kind: str, orientation: int
) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo = Image.open(save_photo(tmp_path / "photo.png", (1600, 1200)))
    second = {"save_all": True, "append_images": [photo]} if kind == "MPO" else {}
    photo.save(path, kind, quality=92, exif=exif, **second)
    assert probe_image(path).format == kind
    small, full = load_image(path, min_side=128), load_image(path)
    assert 256 <= min(small.size) < 1200
    size = (150, 200) if orientation == 6 else (200, 150)
    assert distance(small.resize(size, 3), full.resize(size, 3)) < 1.0
    # a crop names pixels of the full picture
    crop = (100, 200, 900, 1100)
    near, whole = load_image(path, crop, min_side=128), load_image(path, crop)
    assert near.width < whole.width == 800
    assert distance(near.resize((160, 180), 3), whole.resize((160, 180), 3)) < 1.5


def test_a_crop_of_a_turned_draft_reaches_the_edges(tmp_path: Path) -> None:
    # 33 pixels become 5, not 4.125: the two sides shrink unequally
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (1601, 33)).save(tmp_path / "a.jpg", exif=exif)
    crop = load_image(tmp_path / "a.jpg", crop=(0, 0, 33, 1601), min_side=2)
    assert crop.size == (5, 201) == load_image(tmp_path / "a.jpg", min_side=2).size


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGB"])
def test_what_is_transparent_lies_on_the_background(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.tif" if mode == "PA" else "a.png")
    grey = Image.new("L", (6, 4), 200)
    grey.paste(60, (0, 0, 3, 4))
    if mode in ("P", "RGB"):  # one palette entry, one colour
        image = grey.convert("RGB").quantize(2) if mode == "P" else grey.convert("RGB")
        image.save(path, transparency=image.getpixel((5, 3)))
    else:
        alpha = Image.new("L", (6, 4), 0)
        alpha.paste(255, (0, 0, 3, 4))
        image = grey.convert({"RGBA": "RGB", "LA": "L", "PA": "P"}[mode])
        image.putalpha(alpha)
        assert image.mode == mode
        image.save(path)
    loaded = load_image(path, background=(10, 20, 30))
    assert loaded.getpixel((0, 0)) == (60, 60, 60)
    assert loaded.getpixel((5, 3)) == (10, 20, 30)
    assert load_image(path).getpixel((5, 3)) == (255, 255, 255)


def test_half_transparent_is_mixed(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (200, 100, 0, 128)).save(tmp_path / "a.png")
    mixed = load_image(tmp_path / "a.png", background=(0, 0, 100)).getpixel((1, 1))
    assert mixed == pytest.approx((100, 50, 50), abs=1)


def save_grey(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


RAMP = np.linspace(0, 1, 1024).reshape(32, 32)


@pytest.mark.parametrize(
    ("suffix", "values"),
    [
        (".png", (RAMP * 65535).astype(np.uint16)),
        (".tif", (RAMP * 65535).astype(np.uint16)),
        (".tif", (RAMP * 65535).astype(">u2")),
        (".tif", (RAMP * 4095).astype(np.uint16)),  # a camera's 12 bits
        (".tif", (RAMP * 255).astype(np.uint16)),
        (".tif", (60_000 + RAMP * 500).astype(np.uint16)),  # would be one shade of white
        (".tif", (291 + RAMP * 403).astype(np.uint16)),  # would be nearly black
        (".tif", (RAMP * 255).astype(np.int32)),
        (".tif", (RAMP * 2e9 - 1e9).astype(np.int32)),
        (".tif", (2e9 + RAMP * 5000).astype(np.int32)),
        (".tif", RAMP.astype(np.float32)),
        (".tif", (RAMP * 255).astype(np.float32)),
        (".tif", (RAMP * 1e-5).astype(np.float32)),
        (".tif", (RAMP * 8 - 4).astype(np.float32)),
    ],
)
def test_deep_greys_are_scaled_and_never_clipped(
    tmp_path: Path, suffix: str, values: np.ndarray
) -> None:
    loaded = np.asarray(load_image(save_grey(tmp_path / f"a{suffix}", values)), float)
    assert np.abs(loaded[..., 0] - RAMP * 255).max() <= 1.5
    assert same_pixels(loaded[..., 0], loaded[..., 2])


def test_floats_that_are_no_numbers_are_black_and_infinities_the_ends(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    values[0, :3] = (np.nan, np.inf, -np.inf)
    loaded = np.asarray(load_image(save_grey(tmp_path / "a.tif", values)))[..., 0]
    assert loaded[0, :3].tolist() == [0, 255, 0]
    assert abs(int(loaded[16, 16]) - 255 * RAMP[16, 16]) <= 1
    nothing = np.full((4, 4), np.nan, np.float32)
    assert load_image(save_grey(tmp_path / "b.tif", nothing)).getextrema() == ((0, 0),) * 3


def test_dark_16_bit_photos_stay_dark(tmp_path: Path) -> None:
    values = (RAMP * 20_000).astype(np.uint16)
    loaded = load_image(save_grey(tmp_path / "a.png", values))
    assert np.asarray(loaded).max() == round(20_000 / 65_535 * 255)


@pytest.mark.parametrize("values", [RAMP * 65535, RAMP * 4095])
def test_a_16_bit_tiff_in_which_0_is_white_is_no_negative(
    tmp_path: Path, values: np.ndarray
) -> None:
    path = save_grey(tmp_path / "a.tif", values.astype(np.uint16))
    content = path.read_bytes()
    one, zero = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (1, 0))
    assert content.count(one) == 1
    path.write_bytes(content.replace(one, zero))
    assert np.abs(np.asarray(load_image(path), float)[..., 0] - (1 - RAMP) * 255).max() <= 1.5


def test_one_transparent_value_of_a_16_bit_grey_is_laid_on_the_background(tmp_path: Path) -> None:
    values = (RAMP * 65535).astype(np.uint16)
    values[5, 5] = 777
    Image.fromarray(values).save(tmp_path / "a.png", transparency=777)
    loaded = load_image(tmp_path / "a.png", background=(1, 2, 3))
    assert loaded.getpixel((5, 5)) == (1, 2, 3)
    assert loaded.getpixel((31, 31)) == (255, 255, 255)


def test_a_profile_is_applied(tmp_path: Path) -> None:
    # a screen whose red lamp is green: the oracle needs no colour arithmetic
    swapped = screen_profile(swap_red_and_green=True)
    expected = Image.fromarray(np.asarray(quadrants(64))[..., [1, 0, 2]])
    for suffix in (".png", ".jpg", ".webp", ".tif", ".avif"):
        path = tmp_path / f"a{suffix}"
        quadrants(64).save(path, icc_profile=swapped, quality=100)
        assert distance(load_image(path), expected) < 3, suffix
    transparent = quadrants().convert("RGBA")
    transparent.putpixel((0, 0), (9, 9, 9, 0))
    transparent.save(tmp_path / "b.png", icc_profile=swapped)
    loaded_on_black = load_image(tmp_path / "b.png", background=(0, 0, 0))
    assert loaded_on_black.getpixel((0, 0)) == (0, 0, 0)
    assert loaded_on_black.getpixel((5, 5)) == pytest.approx((0, 255, 0), abs=2)


@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_a_grey_or_a_palette_with_a_screens_profile_is_converted(tmp_path: Path, mode: str) -> None:
    image = quadrants().convert(mode)
    image.save(tmp_path / "a.png", icc_profile=screen_profile(gamma=1.0))
    image.save(tmp_path / "b.png")
    managed, plain = (np.asarray(load_image(tmp_path / n), float) for n in ("a.png", "b.png"))
    linear = plain / 255
    expected = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(managed - 255 * expected).max() <= 2


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile_is_applied(tmp_path: Path, mode: str) -> None:
    image = Image.new("L", (4, 4), 64)
    if mode == "LA":
        image.putalpha(Image.new("L", (4, 4), 255))
    if mode == "I;16":
        ramp = np.full((4, 4), 64 * 257, np.uint16)
        ramp[0, 0] = 65535
        image = Image.fromarray(ramp)
    image.save(tmp_path / "a.png", icc_profile=grey_profile(gamma=1.0))
    assert load_image(tmp_path / "a.png").getpixel((3, 3)) == pytest.approx((137,) * 3, abs=2)


def test_the_profile_of_srgb_itself_changes_no_bit(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    content = bytearray(srgb.tobytes())
    red = content.index(b"rXYZ") + 4
    (start,) = struct.unpack_from(">I", content, red)
    struct.pack_into(">i", content, start + 8, 28_576 + 160)  # as another maker rounds its numbers
    photo = Image.open(save_photo(tmp_path / "a.png"))
    near = ImageCms.ImageCmsProfile(BytesIO(content))
    assert not same_pixels(ImageCms.profileToProfile(photo, near, srgb) or photo, photo)
    photo.save(tmp_path / "b.png", icc_profile=bytes(content))
    assert same_pixels(load_image(tmp_path / "b.png"), photo)


@pytest.mark.parametrize("profile", [b"no profile", screen_profile()[:150], ink_profile()])
def test_a_profile_that_is_torn_or_of_another_kind_is_ignored(
    tmp_path: Path, profile: bytes
) -> None:
    photo = Image.open(save_photo(tmp_path / "a.png"))
    photo.save(tmp_path / "b.png", icc_profile=profile)
    assert same_pixels(load_image(tmp_path / "b.png"), photo)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_print_colours_are_read_with_and_without_their_profile(tmp_path: Path, suffix: str) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    cyan.save(tmp_path / f"a{suffix}", quality=100)
    assert load_image(tmp_path / f"a{suffix}").getpixel((8, 8)) == pytest.approx(
        (0, 255, 255), abs=3
    )
    cyan.save(tmp_path / f"c{suffix}", quality=100, icc_profile=b"torn")
    assert load_image(tmp_path / f"c{suffix}").getpixel((8, 8)) == pytest.approx(
        (0, 255, 255), abs=3
    )
    # on this press only the black ink shows
    cyan.save(tmp_path / f"b{suffix}", quality=100, icc_profile=ink_profile())
    assert load_image(tmp_path / f"b{suffix}").getpixel((8, 8)) == pytest.approx(
        (255, 255, 255), abs=4
    )


def test_lab_and_ycbcr_are_converted(tmp_path: Path) -> None:
    # L* 53.39 is the grey 127; a* and b* are stored with 128 added
    Image.new("LAB", (8, 8), (round(53.39 * 2.55), 128, 128)).save(tmp_path / "a.tif")
    assert load_image(tmp_path / "a.tif").getpixel((4, 4)) == pytest.approx((127,) * 3, abs=2)
    Image.new("RGB", (8, 8), (200, 30, 30)).convert("YCbCr").save(tmp_path / "b.tif")
    assert load_image(tmp_path / "b.tif").getpixel((4, 4)) == pytest.approx((200, 30, 30), abs=3)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif", ".avif"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "lime")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with Image.open(path) as image:
        assert len(list(ImageSequence.Iterator(image))) == 3
    assert load_image(path).getpixel((32, 32)) == pytest.approx((255, 0, 0), abs=4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (b"\x89PNG\r\n\x1a\n1234", ""),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"\xff\x0a", "header is torn"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x08free", "header is torn"),
    ],
)
def test_what_is_no_image_gives_one_error_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    if content.startswith((b"\xff", b"\0")):
        need_plugin(".jxl")
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BrokenImageError, match=rf"^a\.png: .*{reason}"):
        probe_image(path)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    save_kind(path, Image.fromarray(noise))
    content = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(BrokenImageError):
            probe_image(path)


@pytest.mark.parametrize("suffix", KINDS)
def test_damaged_bytes_give_one_kind_of_error_and_print_nothing(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = save_kind(tmp_path / f"a{suffix}", quadrants(32))
    content = path.read_bytes()
    dice = random.Random(suffix)
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(dice.choice((1, 3, 20))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        try:
            load_image(path, min_side=8)
        except BrokenImageError as error:
            refused += 1
            assert str(tmp_path) not in error.message
            assert " object at 0x" not in error.message
    assert refused
    assert capfd.readouterr() == ("", "")


def test_a_damaged_tiff_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tif"
    quadrants(64).save(path, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[8:middle] = b"\xaa" * (middle - 8)
    path.write_bytes(content)
    with pytest.raises(BrokenImageError, match="damaged"):
        probe_image(path)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    for name in ("pipe.jpg", "folder.jpg", "device.jpg"):
        with pytest.raises(BrokenImageError, match=f"^{name}: not a regular file"):
            probe_image(tmp_path / name)
    for name in ("loop.jpg", "gone.jpg", "a\0b.jpg"):
        with pytest.raises(BrokenImageError, match="no such file"):
            load_image(tmp_path / name)
    with pytest.raises(BrokenImageError, match="name too long"):
        load_image(tmp_path / ("a" * 300 + ".jpg"))


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = save_photo(tmp_path / "a.jpg")
    path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:  # nothing is forbidden to root
        os.seteuid(65534)
    try:
        with pytest.raises(BrokenImageError, match=r"^a\.jpg: Permission denied$"):
            probe_image(path)
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("width", [20_000, 11_000])
def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path, width: int) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (16, 16)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", width, 11_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(BrokenImageError, match="more than 120 million pixels"):
        probe_image(path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = save_photo(tmp_path / "a.png")
    os.truncate(path, 2**30 + 1)
    with pytest.raises(BrokenImageError, match="larger than 1024 MiB"):
        probe_image(path)


@pytest.mark.parametrize(
    ("suffix", "module", "extra"), [(".heic", "pillow_heif", "heif"), (".jxl", "pillow_jxl", "jxl")]
)
def test_a_missing_plug_in_is_named_with_the_way_to_get_it(
    tmp_path: Path, suffix: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_kind(tmp_path / f"a{suffix}", quadrants(32)).rename(tmp_path / "a.jpg")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BrokenImageError) as caught:
        probe_image(path)
    assert f"'{extra}'" in caught.value.message
    assert caught.value.hint == f"pip install 'lorawiz[{extra}]'"


def test_threads_leave_the_filters_of_warnings_as_they_were(tmp_path: Path) -> None:
    path = save_photo(tmp_path / "a.jpg", (40, 40))
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: probe_image(path), range(200)))
    assert list(warnings.filters) == before


def test_no_decoder_takes_part_of_a_file_for_the_whole(tmp_path: Path) -> None:
    from PIL import ImageFile

    assert images.MAX_PIXELS == 120_000_000
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_colours_are_named_or_written_in_hexadecimal() -> None:
    assert parse_colour("white") == (255, 255, 255)
    assert parse_colour("black") == (0, 0, 0)
    assert parse_colour("#0aFf10") == (10, 255, 16)
    for text in ("", "grey", "#12345", "#1234567", "#12345g", "123456", "#１23456", "#12345\n"):
        with pytest.raises(ValueError, match="neither white, black nor #rrggbb"):
            parse_colour(text)
