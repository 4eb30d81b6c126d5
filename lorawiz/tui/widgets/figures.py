"""The column of figures: a label at the left, its value right-aligned."""

from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.runs.view import RunView
from lorawiz.tui.follow import RunFollower
from lorawiz.tui.format import format_loss, format_memory, format_rate, format_validation
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES
from lorawiz.wording import show_duration, show_speed

_NOT_YET = "–"
Figure = tuple[str, str]


class Figures(Widget):
    """Always in the same order; a value that is not known yet is a dash."""

    DEFAULT_CSS = "Figures { height: auto; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._figures: list[Figure] = []

    def show(self, follower: RunFollower) -> None:
        figures = build_figures(follower)
        if figures != self._figures:
            is_taller = len(figures) != len(self._figures)
            self._figures = figures
            self.refresh(layout=is_taller)

    def render(self) -> Content:
        return Content("\n").join(
            _render_figure(label, value, self.size.width) for label, value in self._figures
        )


def build_figures(follower: RunFollower) -> list[Figure]:
    """What is shown of a run in numbers."""
    view = follower.view
    elapsed_s, save_age_s = follower.elapsed_s(), follower.seconds_since_save()
    return [
        *_build_step_figures(view),
        *_build_validation(view),
        (tr("memory"), _build_memory(view)),
        (tr("speed"), _NOT_YET if view.step_s is None else show_speed(view.step_s)),
        (tr("elapsed"), _NOT_YET if elapsed_s is None else show_duration(elapsed_s)),
        (tr("images"), str(view.num_images) if view.num_images else _NOT_YET),
        (
            tr("saved"),
            _NOT_YET
            if save_age_s is None
            else tr(
                "e{epoch}, {time} ago",
                epoch=f"{view.saves[-1].epoch:04d}",
                time=show_duration(save_age_s),
            ),
        ),
        (
            tr("resumable"),
            _NOT_YET if view.state_step is None else tr("step {step}", step=view.state_step),
        ),
        (tr("device"), visible_text(view.device).removeprefix("NVIDIA ") or _NOT_YET),
    ]


def _build_step_figures(view: RunView) -> list[Figure]:
    if not view.steps:
        return [(tr("loss"), _NOT_YET), (tr("lr"), _NOT_YET), (tr("grad norm"), _NOT_YET)]
    last = view.steps[-1]
    return [
        (tr("loss"), format_loss(last.smooth_loss)),
        (tr("lr"), format_rate(last.lr)),
        (tr("grad norm"), f"{last.grad_norm:.2f}"),
    ]


def _build_validation(view: RunView) -> list[Figure]:
    """No row where nothing is validated."""
    if not view.validations:
        return []
    return [(tr("validation"), format_validation(view.validations[-1]))]


def _build_memory(view: RunView) -> str:
    if not view.memory_bytes:
        return _NOT_YET
    return format_memory(view.memory_bytes, view.device_memory_bytes)


def _render_figure(label: str, value: str, width: int) -> Content:
    label_cells = Content(label).cell_length
    room = max(width - label_cells - 1, 1)
    shown = Content(value).truncate(room, ellipsis=True)
    gap = max(width - label_cells - shown.cell_length, 1)
    return Content.assemble((label, STYLES["note"]), " " * gap, shown)
