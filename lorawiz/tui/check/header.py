"""The first line of the check: how it stands, and whether it is being looked at."""

from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.tui.check.session import CheckSession
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.theme import STYLES, Tone

_GAP = "  "
_SIGNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SIGN_S = 0.2


class CheckHeader(Widget):
    """One line; at its right end stands how far the check is, or what happened last."""

    DEFAULT_CSS = "CheckHeader { height: 1; padding: 0 1; }"

    def __init__(self, session: CheckSession) -> None:
        super().__init__()
        self._session = session
        self._said: tuple[str, Tone] = ("", "note")
        self._sign = 0
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        self._timer = self.set_interval(_SIGN_S, self._move_sign)

    def say(self, text: str, tone: Tone = "note") -> None:
        """Say what happened; it stays until something else does."""
        self._said = visible_text(text), tone
        self.refresh()

    def _move_sign(self) -> None:
        if self._session.progress is not None:
            self._sign = (self._sign + 1) % len(_SIGNS)
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        text, tone = self._said
        said = Content.styled(text, STYLES[tone])
        progress = self._session.progress
        if progress is not None:
            sign = f"{_SIGNS[self._sign]} {self._describe_progress()}"
            said = Content(_GAP).join(
                [*([said] if text else []), Content.styled(sign, STYLES["accent"])]
            )
        left = Content(_GAP).join([Content.styled(tr("Check"), "bold"), *self._build_counts()])
        said = said.truncate(
            max(width - left.cell_length - len(_GAP), width // 3, 1), ellipsis=True
        )
        left = left.truncate(max(width - said.cell_length - len(_GAP), 1), ellipsis=True)
        gap = " " * max(width - left.cell_length - said.cell_length, 0)
        return Content.assemble(left, gap, said)

    def _describe_progress(self) -> str:
        progress = self._session.progress
        if progress is None or not progress.total:
            return tr("checking")
        width = len(str(progress.total))
        return tr("checking {done}/{total}", done=f"{progress.done:>{width}}", total=progress.total)

    def _build_counts(self) -> list[Content]:
        session = self._session
        if session.result is None:
            return []
        if session.result.failure is not None:
            return [Content.styled(tr("✗ not possible"), STYLES["error"])]
        errors, warnings = session.count("error"), session.count("warning")
        infos = session.count("info")
        pieces = []
        if errors:
            said = tr_count(errors, "✗ {num} error", "✗ {num} errors")
            pieces.append(Content.styled(said, STYLES["error"]))
        else:
            pieces.append(Content.styled(tr("✓ ok"), STYLES["accent"]))
        if warnings:
            said = tr_count(warnings, "⚠ {num} warning", "⚠ {num} warnings")
            pieces.append(Content.styled(said, STYLES["warning"]))
        if infos:
            said = tr_count(infos, "· {num} info", "· {num} infos")
            hidden = f" {tr('(hidden)')}" if session.are_infos_hidden else ""
            pieces.append(Content.styled(said + hidden, STYLES["note"]))
        return pieces
