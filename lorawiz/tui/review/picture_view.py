"""The picture at the cursor, as large as there is room for, or a part of it closer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from textual import events
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from lorawiz.dataset.buckets import Size
from lorawiz.dataset.records import Crop, ImageRecord
from lorawiz.errors import DatasetError
from lorawiz.paths import Project
from lorawiz.tui.background import start_alone
from lorawiz.tui.images import ImageWidget, cells_for, fit_size, measure_cells
from lorawiz.tui.language import tr
from lorawiz.tui.review.pictures import PictureShelf, draw_picture
from lorawiz.tui.review.zoom import Zoom, find_view, fit_scale, measure_view, show_scale
from lorawiz.tui.theme import STYLES, Tone


@dataclass(frozen=True)
class _Wanted:
    record: ImageRecord | None = None
    crop: Crop | None = None
    neighbours: Sequence[ImageRecord] = ()
    zoom: Zoom = Zoom()  # noqa: RUF009 - frozen


class PictureView(Container):
    """Shows one picture, and decodes its neighbours ahead, all in a thread."""

    DEFAULT_CSS = """
    PictureView {
        border: round $frame; align: center middle; overflow: hidden hidden;
        border-title-color: $text-muted; border-subtitle-color: $text-warning;
        Static { width: auto; max-width: 100%; height: auto; padding: 0 1; }
    }
    """

    class Drawn(Message):
        """What was wanted stands on the screen."""

    def __init__(self, project: Project, image_widget: ImageWidget | None) -> None:
        super().__init__()
        self._shelf = PictureShelf(project)
        self._image_widget = image_widget
        self._wanted = _Wanted()
        self._drawn: object = None

    def show(
        self,
        record: ImageRecord | None,
        crop: Crop | None,
        neighbours: Sequence[ImageRecord] = (),
        zoom: Zoom = Zoom(),  # noqa: B008 - frozen
    ) -> None:
        """Draw the image with `crop` on it; `neighbours` are decoded when it is on the screen.

        Looked at closely, it is shown as it is, without crop and mask.
        """
        self._wanted = _Wanted(record, crop, neighbours, zoom)
        start_alone(self, self._draw)

    @property
    def can_show(self) -> bool:
        """Whether there are pictures in this terminal."""
        return self._image_widget is not None

    @property
    def view_px(self) -> Size:
        """The pixels that fit in here."""
        if self._image_widget is None or not self.content_size:
            return 1, 1
        return measure_cells(self._image_widget, *self.content_size)

    def find_fit_scale(self, record: ImageRecord) -> float:
        """Pixels of the screen for one of the picture, where the whole of it is shown."""
        return fit_scale((max(record.width, 1), max(record.height, 1)), self.view_px)

    def on_resize(self, _event: events.Resize) -> None:
        start_alone(self, self._draw)

    async def _draw(self) -> None:
        wanted, record = self._wanted, self._wanted.record
        file = record and (record.image_path, record.sha256, record.mask, record.status)
        drawn = file, wanted.crop, wanted.zoom, self.content_size
        if drawn == self._drawn or not self.content_size:
            return
        self.border_title = self.border_subtitle = ""
        if record is None:
            self.remove_children()
        elif self._image_widget is None:
            self._say(tr("no pictures here (LORAWIZ_IMAGES=off)"))
        elif not _has_picture(record):
            self._say(tr("this file is broken"), "warning")
        else:
            await self._draw_image(record, wanted)
        self._drawn = drawn
        self.post_message(self.Drawn())
        await self._load_ahead(wanted.neighbours)

    async def _draw_image(self, record: ImageRecord, wanted: _Wanted) -> None:
        try:
            if wanted.zoom.scale is None:
                await self._draw_whole(record, wanted.crop)
            else:
                await self._draw_part(record, wanted.zoom, wanted.zoom.scale)
        except DatasetError as error:
            self._say(error.message, "warning")

    async def _draw_whole(self, record: ImageRecord, crop: Crop | None) -> None:
        assert self._image_widget is not None
        size = record.width, record.height
        picture = await asyncio.to_thread(self._shelf.load, record, self._fit(size))
        drawn = draw_picture(picture, size, crop)
        self._mount(self._image_widget, drawn, fit_size(size, *self.content_size))
        self.border_subtitle = Content(picture.complaint)

    async def _draw_part(self, record: ImageRecord, zoom: Zoom, scale: float) -> None:
        assert self._image_widget is not None
        view = find_view((record.width, record.height), self.view_px, zoom)
        size_px = measure_view(view, scale)
        part = await asyncio.to_thread(self._shelf.load_part, record, view, scale, size_px)
        self._mount(self._image_widget, part, cells_for(self._image_widget, size_px))
        self.border_title = Content(show_scale(scale))

    def _mount(
        self, image_widget: ImageWidget, picture: Image.Image, cells: tuple[int, int]
    ) -> None:
        shown = image_widget(picture)
        shown.styles.width, shown.styles.height = cells
        with self.app.batch_update():
            self.remove_children()
            self.mount(shown)

    async def _load_ahead(self, neighbours: Sequence[ImageRecord]) -> None:
        if self._image_widget is None:
            return
        for record in neighbours:
            if _has_picture(record):
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


def _has_picture(record: ImageRecord) -> bool:
    return record.status == "ok" and record.width > 0 and record.height > 0
