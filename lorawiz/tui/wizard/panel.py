"""The panel of the step at the cursor: its figures, what can be done there, its findings."""

from collections.abc import Iterator, Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from lorawiz.preflight.standing import Found, Step
from lorawiz.preflight.survey import Survey
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.theme import STYLES
from lorawiz.tui.wizard.words import show_phrase, show_title

_MOST_FINDINGS = 200
_NAME_CELLS = 24


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

    def show(self, survey: Survey, step: Step, actions: Sequence[tuple[str, str]]) -> None:
        """`actions` are (what it does, its key)."""
        if step.name != self._shown:
            self._shown = step.name
            self.scroll_home(animate=False)
        self._text.update(Content("\n").join(build_lines(survey, step, actions)))

    def show_wait(self) -> None:
        self._text.update(Content.styled(tr("looking at the project…"), STYLES["note"]))


def build_lines(
    survey: Survey, step: Step, actions: Sequence[tuple[str, str]]
) -> Iterator[Content]:
    """Title, figures, actions, the command, findings; what cannot be read says why."""
    yield Content.styled(show_title(step.name), "bold")
    if step.state == "unknown":
        yield from _build_error(survey.failure)
    lines = [Content(show_phrase(line)) for line in step.lines]
    if step.findings and step.lines:
        num = len(step.findings)
        said = tr_count(num, "{num} finding", "{num} findings")
        lines[0] = Content.assemble(lines[0], ", ", (said, STYLES["warning"]))
    yield from lines
    yield Content()
    yield from _build_actions(actions)
    if step.command:
        said = tr("without the wizard: {command}", command=step.command)
        yield Content.styled(said, STYLES["note"])
    if step.findings:
        yield Content()
        yield from _build_findings(step.findings)


def _build_error(failure: str) -> Iterator[Content]:
    for number, line in enumerate(failure.splitlines()):
        yield Content.styled(f"{'✗ ' if not number else '  '}{line}", STYLES["error"])


def _build_actions(actions: Sequence[tuple[str, str]]) -> Iterator[Content]:
    """What it does, and its key at the right."""
    width = max((Content(text).cell_length for text, _ in actions), default=0)
    for text, key in actions:
        gap = " " * (width - Content(text).cell_length + 3)
        yield Content.assemble(" ", text, gap, (key, STYLES["accent"]))
    if actions:
        yield Content()


def _build_findings(findings: Sequence[Found]) -> Iterator[Content]:
    shown = findings[:_MOST_FINDINGS]
    width = min(max(Content(each.name).cell_length for each in shown), _NAME_CELLS)
    for each in shown:
        if not each.name:
            yield from _build_error(each.text)
            continue
        name = Content(each.name).truncate(width, ellipsis=True, pad=True)
        yield Content.assemble(("⚠ ", STYLES["warning"]), name, "  ", each.text)
    rest = len(findings) - len(shown)
    if rest:
        said = tr("and {num} more: the review finds them with ]", num=rest)
        yield Content.styled(said, STYLES["note"])
