"""Files that unpack to far more than they weigh: refused by their header, at no cost."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.slow

Tag = tuple[int, int]
"""A TIFF tag of one 32-bit value."""


def png(width: int, height: int, *chunks: tuple[bytes, bytes], before: bool = True) -> bytes:
    """A PNG of one row's pixels that claims a size; `chunks` stand before or after the pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = [(b"IDAT", zlib.compress(bytes(31)))]
    order = [*chunks, *pixels] if before else [*pixels, *chunks]
    parts = [(b"IHDR", header), *order, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def tiff(width: int, height: int, *tags: Tag, offset_tag: int, data: bytes) -> bytes:
    """A grey TIFF, deflated, whose strip or tile is `data`."""
    basic: list[Tag] = [(256, width), (257, height), (258, 8), (259, 8), (262, 1), (277, 1)]
    num_tags = len(basic) + len(tags) + 1
    start = 8 + 2 + 12 * num_tags + 4
    entries = sorted([*basic, *tags, (offset_tag, start)])
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", num_tags) + directory + bytes(4) + data


def gif(screen: int, frame: int) -> bytes:
    sizes = struct.pack("<HHBBB", screen, screen, 0x80, 0, 0) + bytes(6)
    return b"GIF89a" + sizes + b"," + struct.pack("<HHHHB", 0, 0, frame, frame, 0) + b"\2\2L\1\0;"


def webp() -> bytes:
    """An animation on a canvas of 16,384×16,384 whose frame is tiny."""
    side = (16_383).to_bytes(3, "little")
    tiny = saved("WEBP", 16, lossless=True)[12:]
    frame = bytes(6) + (15).to_bytes(3, "little") * 2 + bytes(4) + tiny
    chunks = [(b"VP8X", b"\2\0\0\0" + side * 2), (b"ANIM", bytes(6)), (b"ANMF", frame)]
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(d)) + d for k, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp(side: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 154, 0, 0, 54) + info + bytes(100)


def saved(kind: str, side: int, **options: object) -> bytes:
    file = BytesIO()
    Image.new("L", (side, side)).save(file, kind, **options)
    return file.getvalue()


def jpeg(side: int) -> bytes:
    content = bytearray(saved("JPEG", 16))
    size = content.index(b"\xff\xc0") + 5
    content[size : size + 4] = struct.pack(">HH", side, side)
    return bytes(content)


def boxed(kind: str, side: int) -> bytes:
    """An AVIF or HEIC whose size box lies."""
    content = bytearray(saved(kind, 64))
    size = content.index(b"ispe") + 8
    content[size : size + 8] = struct.pack(">II", side, side)
    return bytes(content)


def heic() -> bytes:
    pytest.importorskip("pillow_heif").register_heif_opener()
    return boxed("HEIF", 60_000)


def jxl(side: int) -> bytes:
    pytest.importorskip("pillow_jxl")
    return saved("JXL", side, lossless=True, effort=1)


def jxl_in_boxes(side: int) -> bytes:
    stream = jxl(side)
    kind = b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
    exif = struct.pack(">I4s", 1008, b"Exif") + bytes(1000)
    part = struct.pack(">I4sI", len(stream) + 12, b"jxlp", 0x80000000) + stream
    return b"\0\0\0\x0cJXL \r\n\x87\n" + kind + exif + part


def zeros(num_bytes: int) -> bytes:
    return zlib.compress(bytes(num_bytes), 9)


MIB = 2**20
MANY_TEXTS = [(b"zTXt", b"%d\0\0" % i + zlib.compress(b"a" * MIB, 9)) for i in range(100)]
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "pixels.png": ("million pixels", lambda: png(100_000, 100_000)),
    "just-over.png": ("11000×11000, more than 120 million", lambda: png(11_000, 11_000)),
    "side.png": ("a side of more than 65535", lambda: png(70_000, 10)),
    "text.png": ("1 MiB", lambda: png(10, 1, (b"zTXt", b"k\0\0" + zeros(200 * MIB)))),
    "itext.png": ("1 MiB", lambda: png(10, 1, (b"iTXt", b"k\0\1\0\0\0" + zeros(200 * MIB)))),
    "profile.png": ("1 MiB", lambda: png(10, 1, (b"iCCP", b"k\0\0" + zeros(200 * MIB)))),
    "texts.png": ("1 MiB", lambda: png(10, 1, *MANY_TEXTS)),
    "texts-after.png": ("1 MiB", lambda: png(10, 1, *MANY_TEXTS, before=False)),
    "pixels.tif": (
        "million pixels",
        lambda: tiff(60_000, 60_000, (278, 60_000), offset_tag=273, data=zeros(10)),
    ),
    "strip.tif": (  # harmless: only what the picture needs is unpacked
        "ok",
        lambda: tiff(
            10, 10, (278, 10**8), (279, 200_000), offset_tag=273, data=zeros(200 * MIB)
        ),
    ),
    "tile.tif": (
        "10×10, more than 120 million",
        lambda: tiff(
            10, 10, (322, 20_000), (323, 20_000), (325, 400_000), offset_tag=324,
            data=zeros(400_000_000),
        ),
    ),
    "screen.gif": ("million pixels", lambda: gif(65_535, 65_535)),
    "frame.gif": ("million pixels", lambda: gif(10, 65_535)),
    "canvas.webp": ("million pixels", webp),
    "real.webp": ("million pixels", lambda: saved("WEBP", 11_000, lossless=True, quality=0, method=0)),
    "pixels.bmp": ("million pixels", lambda: bmp(50_000)),
    "pixels.jpg": ("million pixels", lambda: jpeg(65_535)),
    "box.avif": ("", lambda: boxed("AVIF", 60_000)),
    "box.heic": ("million pixels", heic),
    "pixels.jxl": ("11008×11008, more than 120 million", lambda: jxl(11_008)),
    "odd.jxl": ("11001×11001, more than 120 million", lambda: jxl(11_001)),
    "boxes.jxl": ("11001×11001, more than 120 million", lambda: jxl_in_boxes(11_001)),
}  # fmt: skip

CHILD = """
import json, sys
from pathlib import Path
from PIL import Image
from lorawiz.dataset.images import BrokenImageError, probe_image

def peak_kib(reset):
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

Image.init()
bomb, harmless = map(Path, sys.argv[1:])
probe_image(harmless)  # what decoders and libraries need anyway
before = peak_kib(True)
try:
    probe_image(bomb)
    verdict = "ok"
except BrokenImageError as error:
    verdict = error.message
print(json.dumps([verdict, (peak_kib(False) - before) / 1024]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_its_header_and_costs_no_memory(tmp_path: Path, name: str) -> None:
    said, build = BOMBS[name]
    bomb, harmless = tmp_path / name, tmp_path / f"harmless{Path(name).suffix}"
    bomb.write_bytes(build())
    kinds = {".tif": "TIFF", ".jpg": "JPEG", ".heic": "HEIF"}
    kind = kinds.get(bomb.suffix, bomb.suffix[1:].upper())
    harmless.write_bytes(saved(kind, 64))
    child = [sys.executable, "-c", CHILD, str(bomb), str(harmless)]
    ended = subprocess.run(child, capture_output=True, text=True, check=True, timeout=60)
    verdict, grown_mib = json.loads(ended.stdout)
    assert said in verdict
    assert (verdict == "ok") == (said == "ok")
    assert grown_mib <= 50
    assert ended.stderr == ""
