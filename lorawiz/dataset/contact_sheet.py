"""Many images on one sheet, with their names, to look over before they are used."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from lorawiz.errors import DatasetError, visible_text

_CELL_PX = 240
_GAP_PX = 12
_LABEL_PX = 22
_FONT_PX = 14
_SHEET = (118, 118, 118)
"""A grey on which white, black and photographs all show their edges."""
_INK = (255, 255, 255)


def build_contact_sheet(images: Sequence[tuple[Image.Image, str]], columns: int) -> Image.Image:
    """Every (image, caption) in a cell of its own, row by row. Raises DatasetError for none."""
    if not images:
        raise DatasetError("no images to show", "lorawiz add brings images in")
    columns = min(columns, len(images))
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    shrunk = [[(_shrink(image), name) for image, name in row] for row in rows]
    heights = [max(image.height for image, _ in row) + _LABEL_PX + _GAP_PX for row in shrunk]
    width = columns * (_CELL_PX + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, sum(heights) + _GAP_PX), _SHEET)
    top = _GAP_PX
    for row, height in zip(shrunk, heights, strict=True):
        for column, (image, name) in enumerate(row):
            left = _GAP_PX + column * (_CELL_PX + _GAP_PX)
            _draw_cell(sheet, image, name, (left, top + height - _GAP_PX - _LABEL_PX))
        top += height
    return sheet


def _shrink(image: Image.Image) -> Image.Image:
    """`image` to fit into a cell; a small one is not enlarged."""
    shrunk = image.convert("RGB")
    shrunk.thumbnail((_CELL_PX, _CELL_PX))
    return shrunk


def _draw_cell(sheet: Image.Image, image: Image.Image, name: str, corner: tuple[int, int]) -> None:
    """The image stands on the line of its label, whose top left is `corner`."""
    left, baseline = corner
    sheet.paste(image, (left + (_CELL_PX - image.width) // 2, baseline - image.height))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_PX)
    label = _shorten(visible_text(name), draw, font)
    middle = (left + _CELL_PX / 2, baseline + _LABEL_PX / 2)
    draw.text(middle, label, fill=_INK, font=font, anchor="mm")


def _shorten(
    text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> str:
    """`text` with its middle left out where a cell is too narrow: names differ at the end."""
    if draw.textlength(text, font=font) <= _CELL_PX:
        return text
    keep = len(text) // 2
    while keep > 1 and draw.textlength(_elide(text, keep), font=font) > _CELL_PX:
        keep -= 1
    return _elide(text, keep)


def _elide(text: str, keep: int) -> str:
    return f"{text[:keep]}…{text[-keep:]}"
