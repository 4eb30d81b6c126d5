"""The rail at the left: the tables of the spec, with how many settings of each are changed."""

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from lorawiz.tui.settings.session import GroupEntry, SettingsSession
from lorawiz.tui.theme import STYLES


class GroupList(Widget):
    """One line a group; a click goes there."""

    DEFAULT_CSS = "GroupList { padding: 0 1; }"

    @dataclass
    class Chosen(Message):
        """A group was clicked."""

        name: str

    def __init__(self, session: SettingsSession) -> None:
        super().__init__(id="groups")
        self._session = session
        self._first = 0

    def render(self) -> Content:
        groups, height = self._session.groups, self.size.height
        names = [group.name for group in groups]
        at = names.index(self._session.group) if self._session.group in names else 0
        self._first = max(0, min(at - height // 2, len(groups) - height))
        lines = [self._build_line(each) for each in groups[self._first : self._first + height]]
        return Content("\n").join(lines)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and 0 <= self._first + offset.y < len(self._session.groups):
            self.post_message(self.Chosen(self._session.groups[self._first + offset.y].name))

    def _build_line(self, group: GroupEntry) -> Content:
        is_current = group.name == self._session.group
        count = str(group.num_changed) if group.num_changed else ""
        room = max(self.size.width - 2 - 2 - max(len(count), 2), 1)
        # a list inside a table stands below it
        own_name = group.name.rpartition(".")[2]
        name = Content(own_name).truncate(room, ellipsis=True, pad=True)
        line = Content.assemble(
            ("▸ " if is_current else "  ", STYLES["accent"]),
            name,
            ("⚠ " if group.is_wrong else "  ", STYLES["error"]),
            (f"{count:>2}", STYLES["note"]),
        )
        return line.stylize("bold") if is_current else line
