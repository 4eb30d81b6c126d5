"""The one image loader: every consumer sees the same upright RGB pixels."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from lorawiz.dataset.records import Crop
from lorawiz.errors import DatasetError, visible_text

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"}
)
MAX_PIXELS = 120_000_000
"""Ten times a 3000×4000 photo; what claims to be larger is refused from its header."""

_DECODER_ERRORS = (
    OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, TypeError,
    ValueError, IndexError, KeyError, AttributeError, EOFError, OverflowError, ZeroDivisionError,
    NotImplementedError, struct.error, MemoryError, RuntimeError, AssertionError,
)  # fmt: skip
"""What Pillow's decoders raise on malformed files (met in its own test-suite and fuzzers)."""

_UPRIGHT_SWAPS = {5, 6, 7, 8}
_ORIENTATION = 0x0112


class BrokenImageError(DatasetError):
    """A file that is no image, or one that cannot be decoded."""


@dataclass(frozen=True)
class ImageFacts:
    """What a decode of the whole image showed; sizes are upright pixels."""

    width: int
    height: int
    format: str


def probe_image(path: Path) -> ImageFacts:
    """Decode `path` once, in full. Raises BrokenImageError with the reason."""
    with _decoding(path), _open(path) as image:
        width, height = _upright_size(image)
        image.load()
        return ImageFacts(width, height, image.format or path.suffix.lstrip(".").upper())


def load_image(path: Path, crop: Crop | None = None, min_side: int | None = None) -> Image.Image:
    """The upright RGB pixels of `path`, cut to `crop`.

    `min_side` lets a JPEG be decoded at a reduced scale whose sides stay at least twice as long
    as needed to make the shorter side of the result `min_side` pixels: several times faster for
    phone photos. Transparency is laid on white; 16-bit and float greys are scaled to 8 bits.
    Raises BrokenImageError.
    """
    with _decoding(path), _open(path) as image:
        full_width, full_height = _upright_size(image)
        box = crop or (0, 0, full_width, full_height)
        if min_side is not None:
            _draft(image, 2 * min_side / min(box[2] - box[0], box[3] - box[1]))
        upright = ImageOps.exif_transpose(_to_rgb(image))
        if crop is None:
            return upright
        scale_x, scale_y = upright.width / full_width, upright.height / full_height
        left, top, right, bottom = box
        edges = (left * scale_x, top * scale_y, right * scale_x, bottom * scale_y)
        return upright.crop(tuple(round(edge) for edge in edges))  # type: ignore[arg-type]


def is_image_name(path: Path) -> bool:
    """Whether the name ends like an image's."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def _draft(image: Image.Image, scale: float) -> None:
    if scale < 1.0 and image.format == "JPEG":
        width, height = image.size
        image.draft("RGB", (max(1, int(width * scale)), max(1, int(height * scale))))


def _upright_size(image: Image.Image) -> tuple[int, int]:
    if image.getexif().get(_ORIENTATION) in _UPRIGHT_SWAPS:
        return image.height, image.width
    return image.size


def _to_rgb(image: Image.Image) -> Image.Image:
    exif = image.getexif()
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        converted = _scale_grey(image)
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        converted = Image.alpha_composite(white, rgba).convert("RGB")
    else:
        converted = image.convert("RGB")
    if _ORIENTATION in exif:
        converted.getexif()[_ORIENTATION] = exif[_ORIENTATION]
    return converted


def _scale_grey(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey as 8 bits; a bare convert would make it white."""
    floats = image.convert("F")
    low, high = floats.getextrema()
    assert isinstance(low, float) and isinstance(high, float)
    top = 255.0 if high <= 255.0 and image.mode == "I" else 65535.0
    if image.mode == "F":
        top = 1.0 if high <= 1.0 else 255.0 if high <= 255.0 else high
    return floats.point(lambda value: value * (255.0 / max(top, high)) + 0.0).convert("RGB")


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    if path.suffix.lower() in (".heic", ".heif"):
        _register_heif(path)
    with Image.open(path) as image:
        if image.width * image.height > MAX_PIXELS:
            raise BrokenImageError(
                f"{visible_text(path.name)}: {image.width}×{image.height} pixels, more than "
                f"{MAX_PIXELS // 1_000_000} million"
            )
        yield image


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turns whatever a decoder raises into one BrokenImageError."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata and of large images; the limit above decides
            warnings.simplefilter("ignore")
            yield
    except DatasetError:
        raise
    except _DECODER_ERRORS as error:
        reason = (
            visible_text(str(error).replace(str(path), path.name).strip()) or "cannot be decoded"
        )
        if isinstance(error, UnidentifiedImageError):
            reason = "empty file" if path.stat().st_size == 0 else "not an image"
        raise BrokenImageError(f"{visible_text(path.name)}: {reason[:200]}") from error


def _register_heif(path: Path) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise BrokenImageError(
            f"{visible_text(path.name)}: phone photos (HEIC) need the extra 'heif'",
            "pip install 'lorawiz[heif]'",
        ) from error
    register_heif_opener()
