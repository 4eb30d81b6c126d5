"""The first line of the settings: the project, how much is changed, what happened last."""

from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.spec.document import find_value
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.settings.session import SettingsSession
from lorawiz.tui.theme import STYLES, Tone

_GAP = "  "


class SettingsHeader(Widget):
    """One line; at its right end stands what happened last."""

    DEFAULT_CSS = "SettingsHeader { height: 1; padding: 0 1; }"

    def __init__(self, session: SettingsSession) -> None:
        super().__init__()
        self._session = session
        self._said: tuple[str, Tone] = ("", "note")

    def say(self, text: str, tone: Tone = "note") -> None:
        """Say what happened; it stays until something else does."""
        self._said = visible_text(text), tone
        self.refresh()

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
        text, tone = self._said
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
