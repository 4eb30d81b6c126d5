"""Images side by side with their figures, and a key for each that rejects it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.widgets import Static

from lorawiz.dataset.records import ImageRecord
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.language import tr
from lorawiz.tui.review.editing_session import name_image
from lorawiz.tui.review.figures import build_figures
from lorawiz.tui.review.picture_view import PictureView
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.review.zoom import ACTUAL, Zoom
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.key_lines import KeyLines

_PANE_CELLS = 38
_MOST_PANES = 4
_ORDER = ("toggle_keep(1)", "move(1)", "close", "undo", "help", "back")


class ComparePane(Vertical):
    """One image: its number, its picture, its figures."""

    DEFAULT_CSS = """
    ComparePane {
        width: 1fr;
        PictureView { height: 1fr; }
        .figures { height: 8; padding: 0 1; }
    }
    """

    def __init__(self, session: ReviewSession, image_widget: ImageWidget | None) -> None:
        super().__init__()
        self._session = session
        self._picture = PictureView(session.project, image_widget)
        self._figures = Static(classes="figures", markup=False)

    def compose(self) -> ComposeResult:
        yield self._picture
        yield self._figures

    def show(
        self, number: int, record: ImageRecord, others: Sequence[ImageRecord], is_close: bool
    ) -> None:
        """Draw an image; what is best among it and `others` is marked."""
        zoom = Zoom(ACTUAL, *self._find_middle(record)) if is_close else Zoom()
        self._picture.show(record, record.crop, zoom=zoom)
        mark = (tr("✗ rejected"), STYLES["error"]) if not record.keep else ("", "")
        title = Content.assemble(
            (f"{number} ", STYLES["accent"]), (name_image(record.image_path), "bold"), "  ", mark
        )
        figures = build_figures(self._session, record, others)
        self._figures.update(Content("\n").join([title, *figures]))

    def _find_middle(self, record: ImageRecord) -> tuple[float, float]:
        faces = (self._session.knowledge.faces or {}).get(record.image_path)
        if not faces:
            return 0.5, 0.5
        left, top, right, bottom, _ = faces[0]
        return (left + right) / 2, (top + bottom) / 2


class CompareImagesScreen(BaseScreen[None]):
    """As many images as there is room for, at most four at once; the others by arrows."""

    DEFAULT_CSS = """
    CompareImagesScreen {
        layers: base;
        #about { height: 1; padding: 0 1; }
        #panes { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "toggle_keep(1)", "reject", key_display="1…9", tooltip="reject or keep it"),
        *(Binding(str(number), f"toggle_keep({number})", show=False) for number in range(2, 10)),
        Binding("right,l,j,down", "move(1)", "next", key_display="→", tooltip="the next images"),
        Binding("left,h,k,up", "move(-1)", show=False, tooltip="the images before"),
        Binding("z", "close", "1:1", tooltip="one pixel on one of the screen, or the whole"),
        Binding("u,ctrl+z", "undo", "undo", tooltip="undo"),
        Binding("ctrl+r,ctrl+y", "redo", show=False, tooltip="redo"),
        Binding("escape", "back", "back", tooltip="back to the review"),
        Binding("q,equals_sign,ctrl+c,ctrl+q", "back", show=False, tooltip="back to the review"),
    ]

    def __init__(
        self,
        session: ReviewSession,
        images: Sequence[ImageRecord],
        image_widget: ImageWidget | None,
    ) -> None:
        super().__init__()
        self._session = session
        self._paths = [record.image_path for record in images]
        self._image_widget = image_widget
        self._first = 0
        self._is_close = False
        self._said = ""
        self._about = Static(id="about", markup=False)
        self._panes: list[ComparePane] = []

    def compose(self) -> ComposeResult:
        yield self._about
        yield Horizontal(id="panes")
        yield KeyLines(1, order=_ORDER)

    def on_mount(self) -> None:
        self.set_interval(1.0, self._watch)

    async def on_resize(self) -> None:
        """As many panes as fit."""
        num = max(1, min(self.size.width // _PANE_CELLS, len(self._paths), _MOST_PANES))
        if num != len(self._panes):
            try:
                holder = self.query_one("#panes", Horizontal)
            except NoMatches:
                return
            await holder.remove_children()
            self._panes = [ComparePane(self._session, self._image_widget) for _ in range(num)]
            await holder.mount(*self._panes)
        self.call_after_refresh(self.show_all)

    def show_all(self) -> None:
        """Draw what may have changed."""
        found = [self._session.find(path) for path in self._paths]
        images = [record for record in found if record is not None]
        if len(images) < len(self._paths):
            self._paths = [record.image_path for record in images]
        if not images:
            self.leave()
            return
        self._first = max(0, min(self._first, len(images) - len(self._panes)))
        shown = images[self._first : self._first + len(self._panes)]
        for number, (pane, record) in enumerate(
            zip(self._panes, shown, strict=False), self._first + 1
        ):
            pane.show(number, record, images, self._is_close)
        for number, pane in enumerate(self._panes):
            pane.display = number < len(shown)
        self._show_about(len(images), len(shown))
        self.refresh_bindings()

    def _show_about(self, num: int, num_shown: int) -> None:
        first, last = self._first + 1, self._first + num_shown
        place = tr("{first}–{last} of {num}", first=first, last=last, num=num)
        self._about.update(
            Content.assemble(
                (tr("Compare"), "bold"), "  ", place, "  ", (self._said, STYLES["note"])
            )
        )

    async def _watch(self) -> None:
        if self._session.is_changed_elsewhere():
            await self.work(self._session.reload_if_changed)
            self.show_all()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "toggle_keep":
            return isinstance(parameters[0], int) and parameters[0] <= len(self._paths)
        if action == "move":
            return len(self._paths) > len(self._panes)
        if action == "close":
            return self._image_widget is not None
        return super().check_action(action, parameters)

    async def action_toggle_keep(self, number: int) -> None:
        record = self._session.find(self._paths[number - 1])
        if record is None:
            return
        keep = not record.keep
        name = name_image(record.image_path)
        what = tr("keep {images}", images=name) if keep else tr("reject {images}", images=name)

        def job() -> int:
            return self._session.edit(
                what, [record], lambda found, _machine: replace(found, keep=keep)
            )

        if await self.work(job) is not None:
            self._said = what
        self.show_all()

    def action_move(self, step: int) -> None:
        self._first += step * len(self._panes)
        self.show_all()

    def action_close(self) -> None:
        self._is_close = not self._is_close
        self.show_all()

    async def action_undo(self) -> None:
        self._said = await self.work(self._session.undo) or self._said
        self.show_all()

    async def action_redo(self) -> None:
        self._said = await self.work(self._session.redo) or self._said
        self.show_all()

    def action_back(self) -> None:
        self.leave()
