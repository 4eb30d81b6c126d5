"""Pictures in the terminal: which way this one can draw them, and thumbnails to draw.

LORAWIZ_IMAGES=auto|kitty|sixel|half|off chooses. `auto` asks the terminal, which has to happen
before Textual reads the keyboard: call `choose_image_widget` before the app runs.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

from PIL import Image, ImageOps
from textual.widget import Widget

from lorawiz.errors import LorawizError, visible_text

IMAGES_VARIABLE = "LORAWIZ_IMAGES"
_WIDGET_NAMES = {"kitty": "TGPImage", "sixel": "SixelImage", "half": "HalfcellImage"}
_LARGEST_PX = 512
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)

ImageWidget = Callable[[Image.Image], Widget]
"""Builds the widget that shows a picture."""


def choose_image_widget() -> ImageWidget | None:
    """The textual-image widget for this terminal, or None where pictures are off.

    Raises LorawizError for a mode that does not exist.
    """
    mode = os.environ.get(IMAGES_VARIABLE) or "auto"
    if mode == "off":
        return None
    if mode not in {"auto", *_WIDGET_NAMES}:
        known = ", ".join(["auto", *_WIDGET_NAMES, "off"])
        raise LorawizError(f"{IMAGES_VARIABLE}={visible_text(mode)}: no such mode", f"use {known}")
    from textual_image import widget

    if mode == "auto":
        mode = _detect_mode()
    return cast(ImageWidget, getattr(widget, _WIDGET_NAMES[mode]))


def _detect_mode() -> str:
    from textual_image import renderable

    modes = {renderable.SixelImage: "sixel", renderable.TGPImage: "kitty"}
    return modes.get(renderable.Image, "half")


def load_thumbnail(path: Path) -> Image.Image | None:
    """A picture shrunk to at most 512 px, upright, RGB; None for one that cannot be read."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (_LARGEST_PX, _LARGEST_PX))
            image.thumbnail((_LARGEST_PX, _LARGEST_PX))
            return ImageOps.exif_transpose(image).convert("RGB")
    except _UNREADABLE:
        return None


def fit_cells(image: Image.Image, max_columns: int, max_rows: int) -> tuple[int, int]:
    """The largest size in cells (columns, rows) that keeps the picture's shape."""
    return fit_size(image.size, max_columns, max_rows)


def fit_size(size: tuple[int, int], max_columns: int, max_rows: int) -> tuple[int, int]:
    """What `fit_cells` says of a picture of `size` pixels."""
    from textual_image.widget import get_cell_size

    cell = get_cell_size()
    shape = size[0] / cell.width / (size[1] / cell.height)
    columns = max(min(max_columns, round(max_rows * shape)), 1)
    return columns, max(min(max_rows, round(columns / shape)), 1)


def measure_cells(image_widget: ImageWidget, columns: int, rows: int) -> tuple[int, int]:
    """The pixels (width, height) that the widget can show in so many cells."""
    from textual_image.widget import HalfcellImage, get_cell_size

    if image_widget is HalfcellImage:
        return columns, 2 * rows
    cell = get_cell_size()
    return columns * cell.width, rows * cell.height


def cells_for(image_widget: ImageWidget, size_px: tuple[int, int]) -> tuple[int, int]:
    """The cells (columns, rows) that so many pixels fill, the last ones maybe in part."""
    across, down = measure_cells(image_widget, 1, 1)
    return -(-size_px[0] // across), -(-size_px[1] // down)
