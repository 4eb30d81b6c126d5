"""Full-width lines that are there only when there is something to say."""

from textual.content import Content
from textual.widgets import Static

from lorawiz.errors import visible_text
from lorawiz.tui.language import tr
from lorawiz.tui.states import Notice
from lorawiz.tui.theme import STYLES


class NoticeLines(Static):
    """What somebody who looks must be told: what was missed, how it ended, what to do."""

    DEFAULT_CSS = "NoticeLines { height: auto; max-height: 6; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._shown: tuple[str, Notice] | None = None

    def show(self, meanwhile: str, notice: Notice) -> None:
        if self._shown == (meanwhile, notice):
            return
        self._shown = (meanwhile, notice)
        lines = [Content.styled(meanwhile, STYLES["note"])] if meanwhile else []
        lines += [Content.styled(line, STYLES[notice.tone]) for line in notice.lines]
        if notice.hint:
            lines.append(Content(f"→ {notice.hint}"))
        self.display = bool(lines)
        self.update(Content("\n").join(lines))


class WarningLines(Static):
    """The newest warnings, the last at the bottom, and how many there are in all."""

    DEFAULT_CSS = "WarningLines { height: auto; max-height: 3; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._shown: tuple[int, int] | None = None

    def show(self, warnings: list[str], num_lines: int) -> None:
        if self._shown == (len(warnings), num_lines):
            return
        self._shown = (len(warnings), num_lines)
        newest = [f"⚠ {visible_text(warning)}" for warning in warnings[-num_lines:]]
        num_earlier = len(warnings) - len(newest)
        if num_earlier:
            newest[-1] += tr(" (and {num} before)", num=num_earlier)
        self.display = bool(warnings)
        self.update(Content.styled("\n".join(newest), STYLES["warning"]))
