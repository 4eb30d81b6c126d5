"""The panel of the step at the cursor: its figures, its findings, what can be done there."""

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from lorawiz.preflight.survey import Step, Survey
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.theme import STYLES
from lorawiz.tui.wizard.rail import TITLES

_MOST_FINDINGS = 200


class StepPanel(VerticalScroll, can_focus=False):
    """Plain lines; J and K scroll what does not fit."""

    DEFAULT_CSS = """
    StepPanel { padding: 0 1; scrollbar-size: 1 1; }
    StepPanel Static { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__(id="panel")
        self._text = Static(markup=False)
        self._shown = ""

    def compose(self) -> ComposeResult:
        yield self._text

    def show(self, survey: Survey, step: Step, actions: list[tuple[str, str]]) -> None:
        """`actions` are (what it does, its key)."""
        if step.name != self._shown:
            self._shown = step.name
            self.scroll_home(animate=False)
        self._text.update(Content("\n").join(build_lines(survey, step, actions)))

    def show_wait(self) -> None:
        self._text.update(Content.styled(tr("looking at the project…"), STYLES["note"]))


def build_lines(survey: Survey, step: Step, actions: list[tuple[str, str]]) -> Iterator[Content]:
    """Title, figures, findings, actions; a project that cannot be read says why first."""
    yield Content.styled(tr(TITLES[step.name]), "bold")
    yield Content()
    if survey.failure:
        yield from (Content.styled(f"✗ {line}", STYLES["error"]) for line in [survey.failure])
        yield Content()
    for line in step.lines:
        yield Content(line)
    if step.lines:
        yield Content()
    yield from _build_actions(actions)
    if step.findings:
        yield Content()
        num = len(step.findings)
        yield Content.styled(tr_count(num, "{num} finding", "{num} findings"), STYLES["note"])
        for finding in step.findings[:_MOST_FINDINGS]:
            yield Content.styled(f"⚠ {finding}", STYLES["warning"])
    if step.command:
        yield Content()
        said = tr("without the wizard: {command}", command=step.command)
        yield Content.styled(said, STYLES["note"])


def _build_actions(actions: list[tuple[str, str]]) -> Iterator[Content]:
    width = max((Content(text).cell_length for text, _ in actions), default=0)
    for text, key in actions:
        gap = " " * (width - Content(text).cell_length + 3)
        yield Content.assemble(text, gap, (key, STYLES["accent"]))
