"""The picture at the cursor, as large as there is room for."""

import asyncio
from collections.abc import Sequence

from textual import events
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from lorawiz.dataset.buckets import Size
from lorawiz.dataset.records import Crop, ImageRecord
from lorawiz.errors import DatasetError
from lorawiz.paths import Project
from lorawiz.tui.images import ImageWidget, fit_size, measure_cells
from lorawiz.tui.review.pictures import Picture, PictureShelf, draw_picture
from lorawiz.tui.theme import STYLES, Tone


class PictureView(Container):
    """Shows one picture, and decodes its neighbours ahead, all in a thread."""

    DEFAULT_CSS = """
    PictureView {
        border: round $frame; align: center middle; overflow: hidden hidden;
        border-subtitle-color: $text-warning;
        Static { width: auto; max-width: 100%; height: auto; padding: 0 1; }
    }
    """

    def __init__(self, project: Project, image_widget: ImageWidget | None) -> None:
        super().__init__(id="picture")
        self._shelf = PictureShelf(project)
        self._image_widget = image_widget
        self._wanted: tuple[ImageRecord | None, Crop | None, Sequence[ImageRecord]]
        self._wanted = None, None, ()
        self._drawn: object = None

    def show(
        self, record: ImageRecord | None, crop: Crop | None, neighbours: Sequence[ImageRecord] = ()
    ) -> None:
        """Draw the image with `crop` on it; `neighbours` are decoded when it is on the screen."""
        self._wanted = record, crop, neighbours
        self.run_worker(self._draw(), exclusive=True)

    def on_resize(self, _event: events.Resize) -> None:
        self.show(*self._wanted)

    async def _draw(self) -> None:
        record, crop, neighbours = self._wanted
        drawn = record and (record.image_path, record.sha256, record.mask), crop, self.content_size
        if drawn == self._drawn or not self.content_size:
            return
        self.border_subtitle = ""
        if record is None:
            self.remove_children()
        elif self._image_widget is None:
            self._say("no pictures here (LORAWIZ_IMAGES=off)")
        elif record.status == "broken" or not (record.width and record.height):
            self._say("this file is broken", "warning")
        else:
            await self._draw_image(record, crop)
        self._drawn = drawn
        await self._load_ahead(neighbours)

    async def _draw_image(self, record: ImageRecord, crop: Crop | None) -> None:
        assert self._image_widget is not None
        size = record.width, record.height
        try:
            picture = await asyncio.to_thread(self._shelf.load, record, self._fit(size))
        except DatasetError as error:
            self._say(error.message, "warning")
            return
        self._mount(picture, size, crop)

    def _mount(self, picture: Picture, size: Size, crop: Crop | None) -> None:
        assert self._image_widget is not None
        shown = self._image_widget(draw_picture(picture, size, crop))
        columns, rows = fit_size(size, *self.content_size)
        shown.styles.width, shown.styles.height = columns, rows
        with self.app.batch_update():
            self.remove_children()
            self.mount(shown)
        self.border_subtitle = Content(picture.complaint)

    async def _load_ahead(self, neighbours: Sequence[ImageRecord]) -> None:
        if self._image_widget is None:
            return
        for record in neighbours:
            if record.status == "ok" and record.width and record.height:
                size_px = self._fit((record.width, record.height))
                try:
                    await asyncio.to_thread(self._shelf.load, record, size_px)
                except DatasetError:
                    continue  # it is told when it is looked at

    def _fit(self, size: Size) -> Size:
        """The pixels that a picture of `size` gets here."""
        assert self._image_widget is not None
        return measure_cells(self._image_widget, *fit_size(size, *self.content_size))

    def _say(self, text: str, tone: Tone = "note") -> None:
        self.remove_children()
        self.mount(Static(Content.styled(text, STYLES[tone]), markup=False))
