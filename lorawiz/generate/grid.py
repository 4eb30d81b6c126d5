"""A labelled grid of pictures, for comparing steps, strengths or seeds."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_LABEL_PX = 18
_GAP_PX = 6
_MIN_CELL_PX = 192
"""Small samples are enlarged to this, so that a label fits and something can be seen."""


def save_grid(
    path: Path,
    rows: Sequence[Sequence[Path]],
    row_names: Sequence[str],
    column_names: Sequence[str],
) -> None:
    """Write a PNG with a row of pictures for each of `row_names`, a column a `column_names`."""
    cells = [[_load_cell(picture) for picture in row] for row in rows]
    width = max(cell.width for row in cells for cell in row)
    height = max(cell.height for row in cells for cell in row)
    grid = Image.new(
        "RGB",
        (
            len(column_names) * (width + _GAP_PX) + _GAP_PX,
            len(rows) * (height + _LABEL_PX + _GAP_PX) + _LABEL_PX + _GAP_PX,
        ),
        "white",
    )
    draw = ImageDraw.Draw(grid)
    for column, name in enumerate(column_names):
        draw.text((_GAP_PX + column * (width + _GAP_PX), 3), name, "black", _font())
    for index, (row, name) in enumerate(zip(cells, row_names, strict=True)):
        top = _LABEL_PX + index * (height + _LABEL_PX + _GAP_PX)
        draw.text((_GAP_PX, top + 2), _fit(name, grid.width), "black", _font())
        for column, cell in enumerate(row):
            grid.paste(cell, (_GAP_PX + column * (width + _GAP_PX), top + _LABEL_PX))
    temporary = path.with_suffix(".tmp")
    grid.save(temporary, format="PNG")
    temporary.replace(path)


def _load_cell(path: Path) -> Image.Image:
    with Image.open(path) as image:
        cell = image.convert("RGB")
    factor = -(-_MIN_CELL_PX // min(cell.size))
    if factor > 1:
        cell = cell.resize((cell.width * factor, cell.height * factor), Image.Resampling.NEAREST)
    return cell


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(12)


def _fit(text: str, width_px: int) -> str:
    """`text` cut so that it fits into the grid's width."""
    font = _font()
    while text and font.getlength(text) > width_px - 2 * _GAP_PX:
        text = text[:-2].rstrip("…") + "…"
    return text
