"""The first line of the settings: the project, how much is changed, what happened last."""

from textual.content import Content

from lorawiz.errors import visible_text
from lorawiz.spec.document import find_value
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.settings.session import SettingsSession
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.saying_line import SayingLine

_GAP = "  "


class SettingsHeader(SayingLine):
    """One line; at its right end stands what happened last."""

    def __init__(self, session: SettingsSession) -> None:
        super().__init__()
        self._session = session

    def render(self) -> Content:
        state, width = self._session.state, self.size.width
        pieces = [Content.styled(tr("Settings"), "bold")]
        name = find_value(state.values, "project.name")
        if isinstance(name, str):
            pieces.append(Content(visible_text(name)))
        if state.failure is None:
            pieces.append(Content.styled(describe_changes(self._session), STYLES["note"]))
        if state.failure is not None or state.problems:
            num = len(state.problems) or 1
            wrong = tr_count(num, "⚠ {num} mistake", "⚠ {num} mistakes")
            pieces.append(Content.styled(wrong, STYLES["error"]))
        left = Content(_GAP).join(pieces)
        text, tone = self.said
        said = Content.styled(text, STYLES[tone]).truncate(max(width // 2, 1), ellipsis=True)
        left = left.truncate(max(width - said.cell_length - len(_GAP), 1), ellipsis=True)
        return Content.assemble(
            left, " " * max(width - left.cell_length - said.cell_length, 0), said
        )


def describe_changes(session: SettingsSession) -> str:
    """`12 changed from face-lora`."""
    baseline = session.state.baseline
    if baseline.template:
        template = visible_text(baseline.template)
        return tr("{num} changed from {template}", num=session.num_changed, template=template)
    return tr("{num} changed from the defaults", num=session.num_changed)
