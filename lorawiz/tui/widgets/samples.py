"""The newest sample images as thumbnails, side by side, the newest at the right."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from textual import events
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from lorawiz.errors import visible_text
from lorawiz.runs.view import SampleFile
from lorawiz.tui.images import ImageWidget, fit_cells, load_thumbnail
from lorawiz.tui.theme import STYLES

_MOST_SHOWN = 8
_GAP_CELLS = 2


class SampleStrip(Horizontal):
    """Hidden while there is no sample, no room or no way to draw."""

    DEFAULT_CSS = """
    SampleStrip {
        display: none; height: 8; padding: 0 1; overflow: hidden hidden;
        &.-filled { display: block; }
        .sample { width: auto; height: 100%; margin-right: 2; }
        .caption { height: 1; }
    }
    """

    def __init__(self, root: Path, image_widget: ImageWidget | None) -> None:
        super().__init__()
        self._root = root
        self._image_widget = image_widget
        self._samples: list[SampleFile] = []
        self._thumbnails: dict[SampleFile, Image.Image | None] = {}

    def show(self, samples: Sequence[SampleFile]) -> None:
        """Show the last of `samples`; pictures are read in a thread."""
        newest = list(samples[-_MOST_SHOWN:])
        if newest == self._samples or self._image_widget is None:
            return
        self._samples = newest
        self.run_worker(self._load(), exclusive=True)

    def on_resize(self, _event: events.Resize) -> None:
        self._place()

    async def _load(self) -> None:
        """Read the pictures that are new. A newer call may cancel it: it changes no widgets."""
        thumbnails = dict(self._thumbnails)
        for sample in self._samples:
            if sample not in thumbnails:
                path = self._root / sample.path
                thumbnails[sample] = await asyncio.to_thread(load_thumbnail, path)
        self._thumbnails = {sample: thumbnails[sample] for sample in self._samples}
        self.set_class(any(self._thumbnails.values()), "-filled")
        self._place()

    def _place(self) -> None:
        """Put as many cells as there is room for; being shown at first comes as a resize."""
        if self.content_size and self._thumbnails:
            self.remove_children()
            self.mount(*self._build_cells())

    def _build_cells(self) -> list[Widget]:
        """From the newest backwards while there is room, then in order."""
        assert self._image_widget is not None
        width, height = self.content_size
        room = width
        cells: list[Widget] = []
        for sample, thumbnail in reversed(self._thumbnails.items()):
            if thumbnail is None:
                continue
            columns, rows = fit_cells(thumbnail, width, max(height - 1, 1))
            if columns > room:
                break
            room -= columns + _GAP_CELLS
            picture = self._image_widget(thumbnail)
            picture.styles.width, picture.styles.height = columns, rows
            caption = Static(_build_caption(sample, columns), classes="caption", markup=False)
            cells.append(Vertical(picture, caption, classes="sample"))
        return cells[::-1]


def _build_caption(sample: SampleFile, columns: int) -> Content:
    text = f"step {sample.step} · {visible_text(sample.prompt)}"
    return Content.styled(text, STYLES["note"]).truncate(columns, ellipsis=True)
