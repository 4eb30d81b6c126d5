"""What the settings screen shows, without a screen: the groups, the lines, the cursor, the search."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lorawiz.paths import Project
from lorawiz.spec.form import build_form
from lorawiz.tui.settings.file import SettingsFile
from lorawiz.tui.settings.rows import Row, build_rows, matches
from lorawiz.tui.settings.state import SpecState


@dataclass(frozen=True)
class GroupEntry:
    """One line of the rail."""

    name: str
    num_changed: int
    is_wrong: bool


class SettingsSession:
    """A cursor over the lines of the form. The lines of one group are shown, or what is found."""

    def __init__(self, project: Project, at_key: str = "") -> None:
        self.file = SettingsFile(project)
        self.form = build_form()
        self.search = ""
        self.only_changed = False
        self._key = ""
        self.rows: list[Row] = []
        self.shown: list[Row] = []
        self.groups: list[GroupEntry] = []
        self.refresh()
        self.go_to(at_key)

    @property
    def state(self) -> SpecState:
        return self.file.state

    @property
    def is_filtered(self) -> bool:
        """Whether lines of all groups are shown together."""
        return self.only_changed or bool(self.search.strip())

    @property
    def cursor(self) -> int:
        """The place among the lines shown; -1 where there is none."""
        return _find(self.shown, self._key)

    @property
    def current(self) -> Row | None:
        return self.shown[self.cursor] if self.cursor >= 0 else None

    @property
    def group(self) -> str:
        """The group of the line at the cursor."""
        return self.current.group if self.current is not None else ""

    @property
    def group_help(self) -> str:
        return next((group.help for group in self.form if group.name == self.group), "")

    @property
    def num_changed(self) -> int:
        return sum(row.differs for row in self.rows)

    def refresh(self) -> None:
        """Take in what the file says now; the cursor stays at its line, or near it."""
        place = max(self.cursor, 0)
        had_key = self._key
        self.rows = [] if self.state.failure is not None else build_rows(self.form, self.state)
        self.groups = [
            GroupEntry(
                group.name,
                sum(row.differs for row in self.rows if row.group == group.name),
                any(row.is_wrong for row in self.rows if row.group == group.name),
            )
            for group in self.form
        ]
        group = next((row.group for row in self.rows if row.key == had_key), "")
        if not group and had_key:  # a rule that is gone
            group = had_key.rpartition(".")[0]
        self._show(group)
        if self.shown and self.cursor < 0:
            self._key = self.shown[min(place, len(self.shown) - 1)].key

    def _show(self, group: str) -> None:
        if self.is_filtered:
            self.shown = [
                row
                for row in self.rows
                if matches(row, self.search)
                and (not self.only_changed or row.differs or row.is_wrong)
            ]
            return
        known = {row.group for row in self.rows}
        wanted = group if group in known else next((row.group for row in self.rows), "")
        self.shown = [row for row in self.rows if row.group == wanted]

    # the cursor

    def go_to(self, key: str) -> None:
        """Put the cursor at a key, or at the first line of what is nearest to it."""
        parts = key.split(".")
        while parts:
            wanted = ".".join(parts)
            for row in self.rows:
                if wanted in (row.key, row.group):
                    self._set_cursor(row)
                    return
            parts.pop()
        if self.rows and self.cursor < 0:
            self._set_cursor(self.rows[0])

    def show_key(self, key: str) -> None:
        """Put the cursor at a key; where it is not among what was found, all is shown again."""
        if self.is_filtered and _find(self.shown, key) < 0:
            self.search, self.only_changed = "", False
        self.go_to(key)

    def go_to_mistake(self) -> None:
        """Put the cursor at the first line that is wrong, if one is."""
        row = next((row for row in self.rows if row.is_wrong), None)
        if row is not None:
            self.show_key(row.key)

    def move(self, step: int) -> None:
        """So many lines on; past the end of a group comes the next one."""
        order = self.shown if self.is_filtered else self.rows
        if order:
            at = max(_find(order, self._key), 0)
            self._set_cursor(order[max(0, min(at + step, len(order) - 1))])

    def move_to_end(self, is_last: bool) -> None:
        """The first or last line that is shown."""
        if self.shown:
            self._set_cursor(self.shown[-1 if is_last else 0])

    def move_group(self, step: int) -> None:
        """The first line of the next group, or of the one before; around at the ends."""
        order = self.shown if self.is_filtered else self.rows
        names = list(dict.fromkeys(row.group for row in order))
        if names:
            at = names.index(self.group) if self.group in names else 0
            self.go_to_group(names[(at + step) % len(names)])

    def go_to_group(self, name: str) -> None:
        """The first line of a group; where only found lines are shown and none is in it, all."""
        row = next((row for row in self.shown if row.group == name), None)
        if row is None:
            self.search, self.only_changed = "", False
            row = next((row for row in self.rows if row.group == name), None)
        if row is not None:
            self._set_cursor(row)

    def go_to_place(self, place: int) -> None:
        """A line by its place among those that are shown."""
        if 0 <= place < len(self.shown):
            self._set_cursor(self.shown[place])

    def _set_cursor(self, row: Row) -> None:
        self._key = row.key
        if not self.is_filtered:
            self._show(row.group)

    # what is shown

    def find(self, text: str) -> None:
        """Show only what matches, of all groups; an empty text shows the group again.

        The cursor stays at its line, or goes to the first that is found.
        """
        had_key = self._key
        self.search = text
        self.refresh()
        if self.is_filtered and _find(self.shown, had_key) < 0:
            self.move_to_end(is_last=False)

    def show_changed(self, only_changed: bool) -> None:
        """Show only what the template says otherwise, of all groups."""
        self.only_changed = only_changed
        self.refresh()

    def find_line(self) -> int | None:
        """The line of the file to look at: of its failure, else of the setting at the cursor."""
        if self.state.failure is not None:
            said = re.search(r":(\d+):", self.state.failure.message)
            return int(said[1]) if said else None
        if self.current is None:
            return None
        lines = self.state.lines
        return lines.get(self.current.key, lines.get(self.current.group))


def _find(rows: Sequence[Row], key: str) -> int:
    return next((place for place, row in enumerate(rows) if row.key == key), -1)
