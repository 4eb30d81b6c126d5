"""The first line: which project, of which kind, where it lies, and that all is saved."""

from pathlib import Path

from textual.content import Content

from lorawiz.errors import visible_text
from lorawiz.paths import Project
from lorawiz.preflight.survey import Survey
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.saying_line import SayingLine

_GAP = "  "
_LEAST_ROOT_CELLS = 8


class WizardHeader(SayingLine):
    """One line; at its right end stands what happened last, else that everything is saved."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._root = visible_text(_from_home(project.root))
        self._survey: Survey | None = None

    def show(self, survey: Survey) -> None:
        self._survey = survey
        self.refresh()

    def render(self) -> Content:
        width, survey = self.size.width, self._survey
        kinds = (survey.name, survey.template, survey.family) if survey is not None else ()
        about = " · ".join(part for part in kinds if part)
        left = Content.assemble(("lorawiz", STYLES["note"]), _GAP, (about, "bold"))
        text, tone = self.said
        if text:
            right = Content.styled(text, STYLES[tone])
            right = right.truncate(max(width * 2 // 3, 1), ellipsis=True)
        else:
            right = Content.styled(f"● {tr('saved')}", STYLES["accent"])
            room = width - left.cell_length - right.cell_length - 2 * len(_GAP)
            if room >= _LEAST_ROOT_CELLS:
                root = Content.styled(_shorten(self._root, room), STYLES["note"])
                right = Content.assemble(root, _GAP, right)
        left = left.truncate(max(width - right.cell_length - len(_GAP), 1), ellipsis=True)
        gap = " " * max(width - left.cell_length - right.cell_length, 0)
        return Content.assemble(left, gap, right)


def _from_home(root: Path) -> str:
    """`~/loras/lyq`."""
    try:
        return f"~/{root.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(root)


def _shorten(path: str, cells: int) -> str:
    """The end of a path says more than its beginning."""
    while Content(path).cell_length > cells:
        path = f"…{path[2:]}"
    return path
