"""Pixels of any mode as 8-bit sRGB: profiles, deep greys, CMYK, LAB and transparency."""

import io
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsProfile, ImageCmsTransform

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

WHITE: Colour = (255, 255, 255)

_NAMED: dict[str, Colour] = {"white": WHITE, "black": (0, 0, 0)}
_MODE_OF_SPACE = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_LAB = "LAB"
_ROWS_PIXELS = 4_000_000
_INVISIBLE = 2
"""Of 255: a profile that moves no colour further than this is sRGB by another name."""


def parse_colour(text: str) -> Colour:
    """The colour that "white", "black" or "#rrggbb" names. Raises ValueError for others."""
    if text in _NAMED:
        return _NAMED[text]
    if re.fullmatch("#[0-9a-fA-F]{6}", text) is None:
        raise ValueError(f"{text!r} is neither white, black nor #rrggbb")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def to_srgb(image: Image.Image, background: Colour) -> Image.Image:
    """`image` as RGB in sRGB, what is transparent laid on `background`.

    An embedded profile is applied (perceptual); one that cannot be read is ignored, as browsers
    do. Deep greys are scaled to 8 bits: see `_grey_range`. An RGB image that needs nothing is
    returned itself, and the pixels of `image` may be changed.
    """
    profile = image.info.get("icc_profile")
    plain = _as_plain_mode(image)
    managed = _apply_profile(plain, profile) if isinstance(profile, bytes) else plain
    if managed.mode == _LAB:
        managed = _lab_to_rgb(managed)
    if managed.mode in ("LA", "RGBA"):
        coloured = managed.convert("RGBA")
        canvas = Image.new("RGB", image.size, background)
        canvas.paste(coloured, mask=coloured)
        return canvas
    return managed if managed.mode == "RGB" else managed.convert("RGB")


def _as_plain_mode(image: Image.Image) -> Image.Image:
    """`image` in one of L, LA, RGB, RGBA, CMYK, LAB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _grey_to_8_bits(image)
    if image.mode == "La":
        return image.convert("LA")
    if image.has_transparency_data and image.mode != "LA":
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "LA", "RGB", "CMYK", _LAB) else image.convert("RGB")


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode == "LA":
        coloured = _apply_profile(image.getchannel("L"), profile)
        if coloured.mode == "RGB":
            coloured.putalpha(image.getchannel("A"))
            return coloured
        return image
    transform = _find_transform(profile, has_alpha=image.mode == "RGBA")
    if transform is None:
        return image
    if (image.mode, transform.input_mode) == ("L", "RGB"):  # grey with the profile of a screen
        image = image.convert("RGB")
    if image.mode != transform.input_mode:
        return image
    from PIL import ImageCms

    in_place = transform.input_mode == transform.output_mode
    try:
        return ImageCms.applyTransform(image, transform, inPlace=in_place) or image
    except ImageCms.PyCMSError:
        return image


@lru_cache(maxsize=16)
def _find_transform(profile: bytes, has_alpha: bool) -> "ImageCmsTransform | None":
    """The way from `profile` to sRGB; None from sRGB itself and from what is broken."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODE_OF_SPACE[source.profile.xcolor_space]
        if mode == "RGB" and _is_srgb(source):
            return None
        modes = ("RGBA", "RGBA") if has_alpha and mode == "RGB" else (mode, "RGB")
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), *modes)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError):
        return None


def _is_srgb(profile: "ImageCmsProfile") -> bool:
    """Whether a grid of colours stays where it is."""
    from PIL import ImageChops, ImageCms

    levels = range(0, 256, 51)
    grid = bytes(level for colour in product(levels, repeat=3) for level in colour)
    colours = Image.frombytes("RGB", (len(grid) // 3, 1), grid)
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    moved = ImageChops.difference(colours, ImageCms.applyTransform(colours, transform) or colours)
    return max(moved.tobytes()) <= _INVISIBLE


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(lab, srgb, _LAB, "RGB")
    return ImageCms.applyTransform(image, transform) or image


def _grey_to_8_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey as L, or LA where one value is transparent."""
    import numpy as np

    values = np.asarray(image)
    levels = np.empty(values.shape, np.uint8)
    black, white = _grey_range(values, is_float=image.mode == "F")
    for rows in _row_blocks(values.shape):
        scaled = (values[rows].astype(np.float64) - black) * (255.0 / (white - black))
        finite = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
        levels[rows] = np.clip(finite + 0.5, 0, 255)
    if getattr(image, "tag_v2", {}).get(262) == 0:  # WhiteIsZero; Pillow heeds it up to 8 bits
        np.subtract(255, levels, out=levels)
    grey = Image.fromarray(levels)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _grey_range(values: Any, is_float: bool) -> tuple[float, float]:
    """What becomes black and what becomes white.

    The white of the smallest usual range that holds the picture: 12 bits often lie in 16. The
    picture's own darkest and brightest value where it fits in none, or would be left with less
    than 32 of 256 levels. Never NaN, and black < white.
    """
    import numpy as np

    low, high = np.inf, -np.inf
    for rows in _row_blocks(values.shape):
        block = values[rows]
        known = block[np.isfinite(block)] if is_float else block
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    if low > high:  # nothing but NaN
        return 0.0, 1.0
    usual = (1.0, 255.0, 65535.0) if is_float else (255.0, 4095.0, 65535.0)
    white = next((white for white in usual if high <= white), None)
    if white is not None and low >= 0 and (high - low >= white / 8 or high == low):
        return 0.0, white
    return low, high if high > low else low + 1.0


def _row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows in blocks of a few megapixels, so that floats of the whole are never held."""
    rows = max(1, _ROWS_PIXELS // max(1, shape[1]))
    for top in range(0, shape[0], rows):
        yield slice(top, top + rows)
