"""The one image loader: every consumer sees the same upright sRGB pixels."""

import errno
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from lorawiz.dataset.colours import WHITE, Colour, parse_colour, to_srgb
from lorawiz.dataset.formats import (
    IMAGE_SUFFIXES,
    claimed_pixels,
    find_decoders,
    find_jxl_size,
    is_turned_by_decoder,
)
from lorawiz.dataset.records import Crop
from lorawiz.errors import DatasetError, MissingExtraError, visible_text

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "BrokenImageError",
    "Colour",
    "ImageFacts",
    "decode_image",
    "is_image_name",
    "load_image",
    "parse_colour",
    "probe_image",
]

MAX_PIXELS = 120_000_000
"""Ten times a 3000×4000 photo; what claims to be larger is refused from its header."""
_MAX_SIDE_PX = 65_535
_MAX_FILE_BYTES = 2**30
"""MAX_PIXELS of 8 bytes; some decoders read the whole file before they look at it."""

_DECODER_ERRORS = (
    OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, TypeError,
    ValueError, IndexError, KeyError, AttributeError, EOFError, OverflowError, ZeroDivisionError,
    NotImplementedError, struct.error, MemoryError, RuntimeError, AssertionError,
)  # fmt: skip
"""What Pillow's decoders raise on malformed files (met in its own test-suite and fuzzers)."""

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by EXIF's orientation."""
_SIDEWAYS = {5, 6, 7, 8}


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
    return decode_image(path)[0]


def decode_image(path: Path, background: Colour = WHITE) -> tuple[ImageFacts, Image.Image]:
    """The facts of `path` and its upright RGB pixels, of one decode. Raises BrokenImageError."""
    with _decoding(path), _open(path) as image:
        upright = _to_upright(image, background)
        return ImageFacts(upright.width, upright.height, image.format or ""), upright


def load_image(
    path: Path,
    crop: Crop | None = None,
    min_side: int | None = None,
    background: Colour = WHITE,
) -> Image.Image:
    """The upright RGB pixels of `path`, cut to `crop`, with no metadata.

    `min_side` lets a JPEG be decoded at a reduced scale whose sides stay at least twice as long
    as needed to make the shorter side of the result `min_side` pixels: several times faster for
    phone photos. What is transparent is laid on `background`; other colour spaces become sRGB;
    16-bit and float greys are scaled to 8 bits. Of an animation, the first frame.
    Raises BrokenImageError.
    """
    with _decoding(path), _open(path) as image:
        reduction = (1.0, 1.0)
        if min_side is not None and image.format in ("JPEG", "MPO"):
            reduction = _draft(image, crop, min_side)
        upright = _to_upright(image, background)
        if crop is None:
            return upright
        left, top, right, bottom = crop
        across, down = reduction
        return upright.crop(
            (round(left * across), round(top * down), round(right * across), round(bottom * down))
        )


def is_image_name(path: Path) -> bool:
    """Whether the name ends like an image's."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def _draft(image: Image.Image, crop: Crop | None, min_side: int) -> tuple[float, float]:
    """Choose the scale of the decode; returns it as (across, down) of the upright picture."""
    width, height = image.size
    is_sideways = _orientation(image) in _SIDEWAYS
    box = crop or (0, 0, width, height)
    scale = 2 * min_side / min(box[2] - box[0], box[3] - box[1])
    if scale < 1.0:
        image.draft("RGB", (max(1, int(width * scale)), max(1, int(height * scale))))
    across, down = image.width / width, image.height / height
    return (down, across) if is_sideways else (across, down)


def _to_upright(image: Image.Image, background: Colour) -> Image.Image:
    # TIFF turns itself while it loads: the orientation counts afterwards
    image.load()
    turn = None if is_turned_by_decoder(image) else _TURNS.get(_orientation(image))
    picture = to_srgb(image, background)
    if turn is not None:
        picture = picture.transpose(turn)
    elif picture is image:
        picture = picture.copy()
    # saved again, the old profile would be applied twice, and EXIF tells where somebody lives
    picture.info = {}
    return picture


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except (SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return 1  # torn metadata is no reason to refuse the picture
    return orientation if isinstance(orientation, int) else 1


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    if not path.is_file():  # pipes and devices are never opened
        raise _refuse(path, "not a regular file" if path.exists() else "no such file")
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise _refuse(path, "empty file")
    if size_bytes > _MAX_FILE_BYTES:
        raise _refuse(path, f"larger than {_MAX_FILE_BYTES // 2**20} MiB")
    # not by its name: Pillow would map it, and a file that shrinks then ends the process
    with path.open("rb") as file:
        decoders = find_decoders(file)
        if decoders == ("JXL",):
            _check_jxl(path, file)
        with Image.open(file, formats=decoders) as image:
            _check_size(path, image.size, claimed_pixels(image))
            yield image


def _check_jxl(path: Path, file: BinaryIO) -> None:
    size = find_jxl_size(file)
    if size is None:
        raise _refuse(path, "its header is torn")
    _check_size(path, size, size[0] * size[1])


def _check_size(path: Path, size: tuple[int, int], num_pixels: int) -> None:
    if max(size) > _MAX_SIDE_PX:
        raise _refuse(path, f"{size[0]}×{size[1]}: a side of more than {_MAX_SIDE_PX} pixels")
    if num_pixels > MAX_PIXELS:
        raise _refuse(path, f"{size[0]}×{size[1]}, {_TOO_MANY_PIXELS}")


_TOO_MANY_PIXELS = f"more than {MAX_PIXELS // 1_000_000} million pixels to decode"


def _refuse(path: Path, reason: str) -> BrokenImageError:
    return BrokenImageError(f"{visible_text(path.name)}: {reason}")


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turns whatever a decoder raises into one BrokenImageError."""
    try:
        with _quiet:
            yield
    except MissingExtraError as error:
        raise BrokenImageError(f"{visible_text(path.name)}: {error.message}", error.hint) from error
    except DatasetError:
        raise
    except _DECODER_ERRORS as error:
        raise _refuse(path, visible_text(_reason(error))[:200]) from error


def _reason(error: Exception) -> str:
    """What a decoder's complaint says to somebody who did not write the decoder."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known kind, or damaged at its start"
    if isinstance(error, Image.DecompressionBombError):
        return _TOO_MANY_PIXELS
    if isinstance(error, OSError) and error.errno:
        return error.strerror or errno.errorcode.get(error.errno, "cannot be read")
    text = str(error).strip()
    if "MAX_TEXT" in text:
        return "its text or profile unpacks to more than 1 MiB"
    if isinstance(error, (OSError, ValueError, SyntaxError, RuntimeError)) and text:
        return "its data is damaged" if text.startswith("decoder error") else text
    return f"cannot be decoded ({type(error).__name__})"


class _QuietDecoders:
    """No warnings while anybody decodes: the limits above decide, not Pillow's.

    `warnings.catch_warnings` alone is not for threads: two that overlap may restore each
    other's filters, and all warnings would stay off for good. So the last one out restores.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._catcher = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._num_inside == 0:
                self._catcher = warnings.catch_warnings()
                self._catcher.__enter__()
                warnings.simplefilter("ignore")
            self._num_inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._num_inside -= 1
            if self._num_inside == 0:
                self._catcher.__exit__(None, None, None)


_quiet = _QuietDecoders()
