"""One sample as large as the terminal: through the steps sideways, through the prompts down."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from PIL import Image
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from lorawiz.dataset.images import load_image
from lorawiz.errors import LorawizError, visible_text
from lorawiz.runs.logs import SampleFile
from lorawiz.tui.images import ImageWidget, fit_size, measure_cells
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.slider import SampleSlider
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.key_lines import KeyLines
from lorawiz.tui.widgets.samples import SliderLine

_WATCH_S = 0.5


class SampleScreen(BaseScreen[None]):
    """Shows what the slider has chosen, and follows it as new samples come."""

    DEFAULT_CSS = """
    SampleScreen {
        layers: base;
        #prompt { height: 1; padding: 0 1; }
        SliderLine { padding: 0 1; }
        #sample { height: 1fr; align: center middle; overflow: hidden hidden; }
        #sample Static { width: auto; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "step", key_display="←→", tooltip="the step before"),
        Binding("right,l", "move(1)", show=False, tooltip="the next step"),
        Binding("down,j", "turn(1)", "prompt", key_display="↑↓", tooltip="the next prompt"),
        Binding("up,k", "turn(-1)", show=False, tooltip="the prompt before"),
        Binding("home,g", "move_to(0)", show=False, tooltip="the first step"),
        Binding("end,G", "move_to(-1)", "newest", key_display="end", tooltip="the newest step"),
        Binding("escape,enter", "back", "back", tooltip="back to the panel"),
        Binding("q,ctrl+q,ctrl+c", "back", show=False, tooltip="back to the panel"),
    ]

    def __init__(
        self, root: Path, slider: SampleSlider, image_widget: ImageWidget, poll: Callable[[], None]
    ) -> None:
        """`poll` takes in what is new for the slider."""
        super().__init__()
        self._root, self._slider, self._poll = root, slider, poll
        self._image_widget = image_widget
        self._prompt = Static(id="prompt", markup=False)
        self._line = SliderLine(slider)
        self._picture = Container(id="sample")
        self._index = 0
        """Which of the step's samples."""
        self._wanted: object = None

    def compose(self) -> ComposeResult:
        yield self._prompt
        yield self._picture
        yield self._line
        yield KeyLines(1)

    def on_mount(self) -> None:
        self.call_after_refresh(self.show)
        self.set_interval(_WATCH_S, self._watch)

    def on_resize(self, _event: events.Resize) -> None:
        self.call_after_refresh(self.show)

    def show(self) -> None:
        """Name the sample at once; its picture is read in a thread."""
        self._line.refresh()
        samples = self._slider.chosen
        if not samples:
            return
        sample = samples[min(self._index, len(samples) - 1)]
        num = Content.styled(f"{samples.index(sample) + 1}/{len(samples)}  ", STYLES["note"])
        self._prompt.update(Content.assemble(num, visible_text(sample.prompt)))
        wanted = sample, self._picture.content_size
        if wanted != self._wanted and wanted[1]:
            self._wanted = wanted
            self._draw(sample)

    @work(exclusive=True)
    async def _draw(self, sample: SampleFile) -> None:
        try:
            image = await asyncio.to_thread(load_image, self._root / sample.path)
        except LorawizError as error:
            shown = Static(Content.styled(error.message, STYLES["warning"]), markup=False)
            await self._put(shown)
        else:
            await self._put_image(image)

    async def _put_image(self, image: Image.Image) -> None:
        columns, rows = fit_size(image.size, *self._picture.content_size)
        image.thumbnail(measure_cells(self._image_widget, columns, rows))
        shown = self._image_widget(image)
        shown.styles.width, shown.styles.height = columns, rows
        await self._put(shown)

    async def _put(self, shown: Widget) -> None:
        with self.app.batch_update():
            await self._picture.remove_children()
            await self._picture.mount(shown)

    def _watch(self) -> None:
        self._poll()
        self.show()

    def action_move(self, by: int) -> None:
        self._slider.move(by)
        self.show()

    def action_move_to(self, index: int) -> None:
        self._slider.move_to(index % max(len(self._slider.steps), 1))
        self.show()

    def on_slider_line_moved(self, event: SliderLine.Moved) -> None:
        self._slider.move_to(event.index)
        self.show()

    def action_turn(self, by: int) -> None:
        num = len(self._slider.chosen)
        if num:
            self._index = (min(self._index, num - 1) + by) % num
            self.show()

    def action_back(self) -> None:
        self.leave()
