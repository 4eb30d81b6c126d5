"""The images that are hardest to learn, where the trainer tells losses by image."""

from pathlib import PurePosixPath

from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.runs.logs import ImageLoss
from lorawiz.runs.view import RunView
from lorawiz.tui.format import format_loss
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES

_STRIKING_FACTOR = 2.0
_ROOMY_CELLS = 32
_FEWEST_LINES = 3
"""A title and two images: with less room, nothing is shown."""


class ImageLosses(Widget):
    """As many images as there is room for, the highest mean loss first."""

    DEFAULT_CSS = """
    ImageLosses { display: none; height: 1fr; padding: 0 1; margin-top: 1; }
    ImageLosses.-filled { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._ranked: list[ImageLoss] = []
        self._told: object = None

    def show(self, view: RunView) -> None:
        """Rank anew when an epoch has been told."""
        if view.image_losses is not self._told:
            self._told = view.image_losses
            self._ranked = view.rank_image_losses()
            self.set_class(bool(self._ranked), "-filled")
            self.refresh()

    def render(self) -> Content:
        width, height = self.size
        if height < _FEWEST_LINES:
            return Content()
        title = _line(tr("highest losses"), tr("× mean"), width).stylize(STYLES["note"])
        shown = self._ranked[: height - 1]
        return Content("\n").join([title, *(_build_line(image, width) for image in shown)])


def _build_line(image: ImageLoss, width: int) -> Content:
    name = visible_text(PurePosixPath(image.image_path).name)
    is_striking = image.factor >= _STRIKING_FACTOR
    mark = "⚠ " if is_striking else "  "
    value = f"{image.factor:>4.1f}×"
    if width >= _ROOMY_CELLS:
        value = f"{format_loss(image.loss)} {value}"
    line = _line(mark + name, value, width)
    return line.stylize(STYLES["warning"]) if is_striking else line


def _line(left: str, right: str, width: int) -> Content:
    room = max(width - Content(right).cell_length - 1, 1)
    return Content.assemble(Content(left).truncate(room, ellipsis=True, pad=True), " ", right)
