"""Below the settings: what the one at the cursor does, what it may be, where it stands."""

from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.spec.form import OWN_KEYS, FormField
from lorawiz.tui.language import tr
from lorawiz.tui.settings.rows import Row
from lorawiz.tui.settings.session import SettingsSession
from lorawiz.tui.settings.words import describe_kind, visible_lines
from lorawiz.tui.theme import STYLES

_LONG_CELLS = 24
"""Values that are longer are told in full here."""


class FieldHelp(Widget):
    """The words of one line of the form."""

    DEFAULT_CSS = "FieldHelp { padding: 0 1; border-top: solid $frame; }"

    def __init__(self, session: SettingsSession) -> None:
        super().__init__(id="help")
        self._session = session

    def render(self) -> Content:
        row = self._session.current
        if row is None:
            return Content()
        lines = [self._build_title(row)]
        lines += [
            Content.styled(f"⚠ {visible_lines(text)}", STYLES["error"])
            for text in self._list_problems(row)
        ]
        if row.help:
            lines.append(Content(tr(row.help)))
        if row.field is not None:
            lines.append(Content.styled(describe_kind(row.field), STYLES["note"]))
            lines.append(Content.styled(self._describe_values(row.field), STYLES["note"]))
        else:
            lines.append(Content.styled(self._advise(row), STYLES["note"]))
        if Content(row.value).cell_length > _LONG_CELLS:
            lines.append(Content.assemble((tr("now "), STYLES["note"]), row.value))
        return Content("\n").join(lines)

    def _build_title(self, row: Row) -> Content:
        """The key, and at the right end its line in the file."""
        line = self._session.state.lines.get(row.key)
        file = self._session.file.project.spec.name
        where = f"{file}:{line}" if line else tr("not in {file}", file=file)
        place = Content.styled(where, STYLES["note"])
        width = self.size.width
        key = Content.styled(visible_text(row.key), "bold").truncate(
            max(width - place.cell_length - 2, 1), ellipsis=True
        )
        gap = " " * max(width - key.cell_length - place.cell_length, 1)
        return Content.assemble(key, gap, place)

    def _list_problems(self, row: Row) -> list[str]:
        return [
            f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
            for problem in self._session.state.list_problems(row.key)
        ]

    def _describe_values(self, setting: FormField) -> str:
        """The default and the template's value."""
        pieces = [tr("default {value}", value=_show(setting, setting.default))]
        baseline = self._session.state.baseline
        if setting.key in OWN_KEYS:
            pieces.append(tr("each project has its own"))
        elif baseline.template:
            value = _show(setting, baseline.value_of(setting))
            mark = "◆ " if self._session.state.differs(setting) else ""
            pieces.append(mark + tr("template {value}", value=value))
        elif baseline.missing:
            template = visible_text(baseline.missing)
            pieces.append(tr("the template {template} is not on this machine", template=template))
        return "   ".join(pieces)

    def _advise(self, row: Row) -> str:
        if any(group.is_list and group.name == row.group for group in self._session.form):
            return tr("edited with e in the file; cleaning rules on the tags screen too")
        return tr("e opens the file there")


def _show(setting: FormField, value: object) -> str:
    if value is None:
        return tr("not set")
    return visible_text(setting.format(value)) or '""'
