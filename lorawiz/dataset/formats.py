"""Which files are images: by their first bytes, by their header, and with which plug-in.

Only the kinds named here are opened, so that a file cannot pick a decoder that nobody asked
for: Pillow would start Ghostscript for an EPS that is called photo.jpg.
"""

import ctypes
import logging
import math
from functools import cache
from pathlib import Path
from typing import BinaryIO

from PIL import Image, PngImagePlugin

from lorawiz.errors import MissingExtraError

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic",
        ".heif", ".jxl",
    }
)  # fmt: skip
_BUILT_IN = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
"""What Pillow reads by itself; MPO, two pictures in one file, is opened as JPEG."""

_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_JXL_CODESTREAM = b"\xff\x0a"
_JXL_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_JXL_HEADER_BYTES = 24

# Pillow stops a text chunk at 1 MiB, all of them at 64; nobody's prompt is that long
PngImagePlugin.MAX_TEXT_MEMORY = 8 * 1024 * 1024

# without a handler Pillow's complaints would be written over the screen
logging.getLogger("PIL").addHandler(logging.NullHandler())


def find_decoders(file: BinaryIO) -> tuple[str, ...]:
    """The names that Pillow may open `file` with, told by its first bytes; none if unknown.

    Registers the plug-in of HEIC or JPEG XL. Raises MissingExtraError where it is not installed.
    """
    file.seek(0)
    head = file.read(64)
    if head.startswith((_JXL_CODESTREAM, _JXL_CONTAINER)):
        _register_jxl()
        return ("JXL",)
    is_avif = b"avif" in head[8:] or b"avis" in head[8:]
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and not is_avif:
        _register_heif()
        return ("HEIF",)
    if head.startswith((b"II", b"MM")):
        _silence_libtiff()
    return _BUILT_IN


def is_turned_by_decoder(image: Image.Image) -> bool:
    """Whether the decoder has applied the orientation already, whatever EXIF says.

    JPEG XL carries its own (ISO/IEC 18181-2 overrules EXIF by it), but a JPEG that was packed
    without loss is handed out as it was.
    """
    return image.format == "JXL" and not getattr(image, "jpeg", False)


def claimed_pixels(image: Image.Image) -> int:
    """How many pixels the decoder would have to hold at once, told by the header."""
    # a TIFF of 10×10 pixels may lie in one tile of 30,000×30,000
    tags = getattr(image, "tag_v2", {})
    sides = [tags.get(tag) for tag in (322, 323)]  # TileWidth, TileLength
    tile = math.prod(side if isinstance(side, int) else 0 for side in sides)
    return max(image.width * image.height, tile)


def find_jxl_size(file: BinaryIO) -> tuple[int, int] | None:
    """(width, height) in pixels as a JPEG XL file's first bytes claim them; None when torn.

    The plug-in decodes while it opens, so this is the only chance to refuse a bomb. Source:
    ISO/IEC 18181-1, SizeHeader, and 18181-2 for the boxes. Not turned by the orientation.
    """
    file.seek(0)
    if not file.read(2).startswith(_JXL_CODESTREAM):
        _seek_codestream(file)
        if file.read(2) != _JXL_CODESTREAM:
            return None
    bits = _Bits(file.read(_JXL_HEADER_BYTES))
    is_small = bits.take(1)
    height = _jxl_side(bits, is_small)
    ratio = bits.take(3)
    if ratio == 0:
        width = _jxl_side(bits, is_small)
    else:
        up, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        width = height * up // down
    return None if bits.are_spent else (width, height)


def _jxl_side(bits: "_Bits", is_small: int) -> int:
    if is_small:
        return 8 * (bits.take(5) + 1)
    return bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


def _seek_codestream(file: BinaryIO) -> None:
    """Move to where the codestream begins among the boxes, or to the end."""
    file.seek(0)
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        header = 8
        if length == 1:  # the length follows as 64 bits
            length, header = int.from_bytes(file.read(8), "big"), 16
        if kind == b"jxlc":
            return
        if kind == b"jxlp":  # a part, behind its number
            file.seek(4, 1)
            return
        if length < header:  # 0: to the end of the file
            break
        file.seek(min(length - header, 2**40), 1)
    file.seek(0, 2)


class _Bits:
    """Bits of `data`, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return taken

    @property
    def are_spent(self) -> bool:
        """Whether more was taken than there was."""
        return self._left < 0


def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise MissingExtraError("HEIC, the format of iPhone photos,", "heif") from error
    register_heif_opener()


def _register_jxl() -> None:
    try:
        import pillow_jxl  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("JPEG XL", "jxl") from error


@cache
def _silence_libtiff() -> None:
    """Stop libtiff from writing to the terminal, over the screen; Pillow reports errors itself.

    Python cannot redirect what C code prints, and moving the file descriptor aside would take
    the screen's own output with it. Where the library is not found, nothing is done.
    """
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for path in {line.split(maxsplit=5)[-1] for line in maps.splitlines() if "libtiff" in line}:
        try:
            ctypes.CDLL(path).TIFFSetErrorHandler(None)
        except (OSError, AttributeError):
            continue
