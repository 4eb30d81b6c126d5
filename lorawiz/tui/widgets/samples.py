"""The samples of one step side by side, and the slider that moves through the steps.

Where a step has few prompts, the steps before it stand to its left, as in a film.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from lorawiz.errors import visible_text
from lorawiz.runs.logs import SampleFile
from lorawiz.tui.images import ImageWidget, fit_cells, load_thumbnail
from lorawiz.tui.language import tr
from lorawiz.tui.slider import SampleSlider
from lorawiz.tui.theme import STYLES, Tone

_MOST_STEPS = 8
_GAP_CELLS = 2
_FEWEST_CELLS = 6
"""A narrower picture shows nothing."""
_FEWEST_TRACK_CELLS = 8

Thumbnails = dict[SampleFile, Image.Image | None]


class SampleStrip(Vertical):
    """Hidden while there is no sample, no room or no way to draw."""

    DEFAULT_CSS = """
    SampleStrip {
        display: none; height: 9; padding: 0 1; overflow: hidden hidden;
        &.-filled { display: block; }
        #samples { height: 1fr; overflow: hidden hidden; }
        .sample { width: auto; height: 100%; margin-right: 2; }
        .caption { height: 1; }
    }
    """

    def __init__(self, root: Path, slider: SampleSlider, image_widget: ImageWidget | None) -> None:
        super().__init__()
        self._root = root
        self._slider = slider
        self._image_widget = image_widget
        self._line = SliderLine(slider)
        self._row = Horizontal(id="samples")
        self._wanted: list[tuple[SampleFile, ...]] = []
        self._thumbnails: Thumbnails = {}

    def compose(self) -> ComposeResult:
        yield self._line
        yield self._row

    def show(self) -> None:
        """Show what the slider has chosen; pictures are read in a thread."""
        self._line.refresh()
        wanted = self._slider.list_back(_MOST_STEPS)
        if wanted == self._wanted or self._image_widget is None:
            return
        self._wanted = wanted
        self._load()

    def on_resize(self, _event: events.Resize) -> None:
        self._place()

    @work(exclusive=True)
    async def _load(self) -> None:
        """Read the pictures that are new. A newer call may cancel it: it changes no widgets."""
        thumbnails = dict(self._thumbnails)
        samples = [sample for step in self._wanted for sample in step]
        for sample in samples:
            if sample not in thumbnails:
                path = self._root / sample.path
                thumbnails[sample] = await asyncio.to_thread(load_thumbnail, path)
        self._thumbnails = {sample: thumbnails[sample] for sample in samples}
        self.set_class(any(self._thumbnails.values()), "-filled")
        self._place()

    def _place(self) -> None:
        """Put as many cells as there is room for; being shown at first comes as a resize."""
        if self.content_size and self._thumbnails:
            self._row.remove_children()
            self._row.mount(*self._build_cells())

    def _build_cells(self) -> list[Widget]:
        """The chosen step, and those before it while there is room for a whole one."""
        width = self.content_size.width
        cells: list[Widget] = []
        for step in self._wanted:
            if not any(self._thumbnails[sample] for sample in step):
                continue
            tone: Tone = "note" if cells else "plain"
            placed, used = self._build_step(step, width, tone, must_fit=bool(cells))
            if not placed:
                break
            cells = placed + cells
            width -= used
        return cells

    def _build_step(
        self, step: Sequence[SampleFile], width: int, tone: Tone, must_fit: bool
    ) -> tuple[list[Widget], int]:
        """The cells of one step and the columns they take; none where a step does not fit.

        Of a step that need not fit, the pictures are made smaller, then as many shown as fit.
        """
        assert self._image_widget is not None
        drawn = [(sample, self._thumbnails[sample]) for sample in step]
        whole = [(sample, image) for sample, image in drawn if image is not None]
        room = self.content_size.width if must_fit else _share(width, len(whole))
        cells: list[Widget] = []
        used = 0
        height = max(self.content_size.height - 2, 1)
        for sample, image in whole:
            columns, rows = fit_cells(image, room, height)
            if used + columns > width:
                return ([], 0) if must_fit else (cells, used)
            picture = self._image_widget(image)
            picture.styles.width, picture.styles.height = columns, rows
            text = Static(
                _build_caption(sample, columns, tone, is_alone=len(step) == 1),
                classes="caption",
                markup=False,
            )
            cells.append(Vertical(picture, text, classes="sample"))
            used += columns + _GAP_CELLS
        return cells, used


class SliderLine(Widget):
    """Which step is shown, and where it is among the steps with samples."""

    DEFAULT_CSS = "SliderLine { height: 1; }"

    class Moved(Message):
        """The slider was clicked at the step of this index."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, slider: SampleSlider) -> None:
        super().__init__()
        self._slider = slider

    def render(self) -> Content:
        slider = self._slider
        if not slider.steps:
            return Content()
        at, num = slider.index, len(slider.steps)
        digits = len(str(slider.steps[-1]))
        step = tr("step {step}", step=f"{slider.steps[at]:>{digits}}")
        left = Content.assemble(
            (tr("samples"), STYLES["note"]), "  ", (step, "bold"),
            (f"  {at + 1:>{len(str(num))}}/{num}", STYLES["note"]),
        )  # fmt: skip
        right = Content() if slider.is_following else Content(f"  {tr('end: newest')}")
        track = self._build_track(left)
        room = self.size.width - left.cell_length - track.cell_length
        if right.cell_length > room:
            right = Content()
        return Content.assemble(left, track, right.stylize(STYLES["note"]))

    def on_click(self, event: events.Click) -> None:
        cells = self._track_cells()
        at = event.x - (self.render().plain.find("┠") + 1)
        if cells and 0 <= at < cells:
            num = len(self._slider.steps)
            self.post_message(self.Moved(round(at / max(cells - 1, 1) * (num - 1))))

    def _build_track(self, left: Content) -> Content:
        slider = self._slider
        cells = self._track_cells()
        if not cells or left.cell_length + cells + 4 > self.size.width:
            return Content()
        knob = round(slider.index / (len(slider.steps) - 1) * (cells - 1))
        return Content.assemble(
            "  ", ("┠" + "─" * knob, "$frame"), ("●", STYLES["accent"]),
            ("─" * (cells - 1 - knob) + "┨", "$frame"),
        )  # fmt: skip

    def _track_cells(self) -> int:
        """How long the track is; 0 where there is nothing to move through, or no room."""
        if len(self._slider.steps) < 2:
            return 0
        cells = min(self.size.width // 3, 40)
        return cells if cells >= _FEWEST_TRACK_CELLS else 0


def _share(width: int, num: int) -> int:
    """How wide each of `num` pictures may be."""
    return max((width + _GAP_CELLS) // num - _GAP_CELLS, min(_FEWEST_CELLS, width))


def _build_caption(sample: SampleFile, columns: int, tone: Tone, is_alone: bool) -> Content:
    """The step and the prompt; where a step has several prompts, the prompt alone."""
    prompt = visible_text(sample.prompt)
    step = tr("step {step}", step=sample.step)
    text = f"{step} · {prompt}" if is_alone else prompt
    return Content.styled(text, STYLES[tone]).truncate(columns, ellipsis=True)
