"""Below the findings: all words of the one at the cursor, and what its fix will do."""

from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.preflight.finding import Finding
from lorawiz.preflight.fixes import ByHand
from lorawiz.preflight.report_lines import MARKS
from lorawiz.tui.check.session import CheckSession
from lorawiz.tui.check.words import TONES, describe_action
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.settings.words import visible_lines
from lorawiz.tui.theme import STYLES


class FindingDetails(Widget):
    """The finding at the cursor in full."""

    DEFAULT_CSS = "FindingDetails { padding: 0 1; border-top: solid $frame; }"

    def __init__(self, session: CheckSession) -> None:
        super().__init__(id="details")
        self._session = session

    def render(self) -> Content:
        session = self._session
        if session.result is None or session.result.failure is not None:
            return Content()
        finding = session.current
        lines = self._describe_start() if finding is None else self._describe(finding)
        return Content("\n").join(lines)

    def _describe(self, finding: Finding) -> list[Content]:
        """What it is, what its fix does, why it matters: what is cut off last is least needed."""
        assert self._session.result is not None
        settings = self._session.result.settings
        place = " ".join(filter(None, (finding.where, f"[{finding.code}]")))
        tone = STYLES[TONES[finding.severity]]
        lines = [
            Content.assemble(
                (f"{MARKS[finding.severity]} ", tone), visible_lines(finding.message),
                (f"  {visible_text(place)}", STYLES["note"]),
            )
        ]  # fmt: skip
        first, *others = finding.fix.ways
        does = describe_action(first.action, settings)
        if first.words != "{}" and not isinstance(first.action, ByHand):
            does += f"  ({visible_text(first.text)})"
        key = "" if isinstance(first.action, ByHand) else "f "
        for line in does.splitlines():
            lines.append(Content.assemble((key, STYLES["accent"]), line))
            key = "  " if key else ""
        if isinstance(first.action, ByHand):
            lines[-1] = Content.assemble(
                visible_lines(first.text), "  ", lines[-1].stylize(STYLES["note"])
            )
        lines += [
            Content.assemble((tr("or "), STYLES["note"]), visible_lines(way.text)) for way in others
        ]
        lines.append(Content.styled(finding.reason, STYLES["note"]))
        return lines

    def _describe_start(self) -> list[Content]:
        session = self._session
        assert session.result is not None
        errors = session.count("error")
        if errors:
            said = tr_count(errors, "{num} error keeps the run from starting.", "{num} errors keep the run from starting.")  # fmt: skip
        elif session.shown:
            said = tr("Nothing keeps the run from starting; what is left above is advice.")
        else:
            said = tr("Nothing is in the way of the run.")
        lines = [Content(said)]
        if not errors:
            lines.append(
                Content.assemble(
                    ("R ", STYLES["accent"]), tr("starts it; it goes on without this terminal")
                )
            )
        lines += [
            Content.styled(tr("not checked here: {what}", what=visible_text(text)), STYLES["note"])
            for text in session.result.not_checked
        ]
        return lines
