"""The check screen: the plan, the findings worst first, and the words of one of them."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from lorawiz.paths import Project
from lorawiz.preflight.fixes import Action, ByHand
from lorawiz.tui.background import run_in_background
from lorawiz.tui.check.acting import ActingScreen
from lorawiz.tui.check.checking import AbandonedError, Progress, make_check
from lorawiz.tui.check.details import FindingDetails
from lorawiz.tui.check.finding_list import FindingList
from lorawiz.tui.check.header import CheckHeader
from lorawiz.tui.check.plan_view import PlanView
from lorawiz.tui.check.words import describe_action, describe_changes
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.screens.dialogs import Choice, ChoiceScreen
from lorawiz.tui.settings.words import visible_lines
from lorawiz.tui.theme import Tone
from lorawiz.tui.widgets.key_lines import KeyLines

_WATCH_S = 1.0
_MOST_LISTED = 12
_WIDTHS = [(0, "-narrow"), (110, "-wide")]
"""From which width in cells on the screen has a class."""
_HEIGHTS = [(0, "-low"), (20, "-usual"), (32, "-high")]
"""From how many lines on it has one."""

_ON_FINDINGS = {"do", "fix", "fix_all", "other_ways", "infos", "move", "go_to"}
"""What is not done while the plan hides the findings."""


class CheckScreen(ActingScreen):
    """Draws a CheckSession; leaves with "run" when the run is to be started."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    DEFAULT_CSS = """
    CheckScreen {
        layers: base;
        #body, #left, #findings { height: 1fr; }
        #plan { height: 3; margin-bottom: 1; }
        #details { height: 8; }
        &.-low #plan { display: none; }
        &.-low #details { height: 6; }
        &.-high #details { height: 10; }
        &.-plan #plan { display: block; height: 1fr; margin-bottom: 0; }
        &.-plan #left { display: none; }
        &.-wide #plan {
            dock: right; display: block; width: 48; height: 1fr; margin-bottom: 0;
            border-left: solid $frame;
        }
        &.-wide.-plan #plan { dock: none; width: 1fr; border-left: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "do", "fix", tooltip="fix what is at the cursor, or start the run"),
        Binding("f", "fix", show=False, tooltip="fix the finding at the cursor"),
        Binding("o", "other_ways", "other ways", tooltip="the other ways to mend it"),
        Binding("F", "fix_all", "fix all", tooltip="fix all that settings can, after a list"),
        Binding("u,ctrl+z", "undo", "undo", tooltip="take the last fix back"),
        Binding("e", "settings", "settings", tooltip="the settings, at what the finding is about"),
        Binding("i", "infos", "infos", tooltip="hide the infos, or show them again"),
        Binding("p", "plan", "plan", tooltip="the whole plan, or the findings again"),
        Binding("r", "check", "check again", tooltip="check again"),
        Binding("R", "start", "start", tooltip="start the run"),
        Binding("down,j", "move(1)", show=False, tooltip="next finding"),
        Binding("up,k", "move(-1)", show=False, tooltip="finding before"),
        Binding("ctrl+d,pagedown", "move(10)", show=False, tooltip="ten findings on"),
        Binding("ctrl+u,pageup", "move(-10)", show=False, tooltip="ten findings back"),
        Binding("g,home", "go_to(0)", show=False, tooltip="first finding"),
        Binding("G,end", "go_to(-1)", show=False, tooltip="the line that starts the run"),
        Binding("escape", "back", "back", tooltip="back"),
        Binding("q,ctrl+q,ctrl+c", "quit", show=False, tooltip="leave; everything is saved"),
    ]

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._header = CheckHeader(self.session)
        self._plan = PlanView(self.session)
        self._findings = FindingList(self.session)
        self._details = FindingDetails(self.session)

    def compose(self) -> ComposeResult:
        yield self._header
        with Vertical(id="body"):
            yield self._plan
            with Vertical(id="left"):
                yield self._findings
                yield self._details
        yield KeyLines()

    def on_mount(self) -> None:
        self.set_interval(_WATCH_S, self._watch)
        self.check_again()

    def on_unmount(self) -> None:
        self.session.abandon()

    # checking and drawing

    def say(self, text: str, tone: Tone = "note") -> None:
        self._header.say(text, tone)

    def show_all(self) -> None:
        """Draw everything that may have changed."""
        for widget in (self._header, self._plan, self._findings, self._details):
            widget.refresh()
        self.refresh_bindings()

    def check_again(self) -> None:
        self.run_worker(self._check(self.session.begin()), group="check")
        self.show_all()

    async def _check(self, progress: Progress) -> None:
        project = self.project
        try:
            result = await run_in_background(lambda: make_check(project, progress))
        except AbandonedError:
            return
        if self.session.take(result, progress):
            self.show_all()

    def _watch(self) -> None:
        """Check again what another session, an editor or git changed."""
        if self.is_current and self.session.is_outdated():
            self.say(tr("changed elsewhere: checked again"))
            self.check_again()

    # moving

    def action_move(self, step: int) -> None:
        self.session.move(step)
        self.show_all()

    def action_go_to(self, place: int) -> None:
        self.session.go_to(place % self.session.num_lines)
        self.show_all()

    @on(FindingList.Scrolled)
    def _scroll(self, event: FindingList.Scrolled) -> None:
        self.action_move(event.step)

    @on(FindingList.Chosen)
    async def _go_to_clicked(self, event: FindingList.Chosen) -> None:
        if event.place == self.session.cursor:
            await self.action_do()
        else:
            self.session.go_to(event.place)
            self.show_all()

    def action_infos(self) -> None:
        self.session.toggle_infos()
        self.show_all()

    def action_plan(self) -> None:
        self.toggle_class("-plan")
        self.refresh_bindings()

    # fixing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        session, current = self.session, self.session.current
        if self.has_class("-plan") and action in _ON_FINDINGS:
            return False
        can_fix = current is not None and not session.is_healed(current)
        can_do = {
            "fix": can_fix,
            "do": session.can_start if current is None else can_fix,
            "other_ways": current is not None and len(current.fix.ways) > 1,
            "fix_all": action == "fix_all" and bool(session.list_settings_fixes()),
            "start": session.can_start,
            "infos": bool(session.count("info")),
            "plan": session.result is not None and session.result.failure is None,
        }
        return can_do.get(action, super().check_action(action, parameters))

    async def action_do(self) -> None:
        if self.session.current is None:
            self.action_start()
        else:
            await self.action_fix()

    async def action_fix(self) -> None:
        finding = self.session.current
        if finding is not None and not self.session.is_healed(finding):
            await self.act(finding.fix.action, finding)

    def action_other_ways(self) -> None:
        finding = self.session.current
        assert finding is not None
        ways = [way for way in finding.fix.ways if not isinstance(way.action, ByHand)]
        choices = [
            Choice(str(number), self._describe(way.action), number)
            for number, way in enumerate(ways[:9], 1)
        ]
        choices.append(Choice("escape", tr("leave it as it is"), 0))

        async def obey(number: int | None) -> None:
            if number:
                await self.act(ways[number - 1].action, finding)

        self.app.push_screen(ChoiceScreen(visible_lines(finding.message), choices), obey)

    def _describe(self, action: Action) -> str:
        result = self.session.result
        assert result is not None
        return "; ".join(describe_action(action, result.settings).splitlines())

    def action_fix_all(self) -> None:
        """Show what will change, and change it when that is wanted."""
        found, result = self.session.list_settings_fixes(), self.session.result
        assert result is not None
        lines = [line for _, action in found for line in describe_changes(action, result.settings)]
        shown = lines[:_MOST_LISTED]
        if len(lines) > len(shown):
            shown.append(tr("and {num} more", num=len(lines) - len(shown)))
        question = tr_count(len(lines), "Change {num} setting?", "Change {num} settings?")
        choices = [
            Choice("y", tr("yes: u takes it back"), True),
            Choice("n", tr("no: leave it as it is"), False),
        ]

        async def obey(is_sure: bool | None) -> None:
            if is_sure:
                await self.change_settings(
                    [action for _, action in found], [finding for finding, _ in found]
                )

        self.app.push_screen(ChoiceScreen("\n".join([question, "", *shown]), choices), obey)

    async def action_undo(self) -> None:
        await self.undo()

    def action_settings(self) -> None:
        current = self.session.current
        self.open_settings(current.key if current is not None else "")

    # leaving

    def action_check(self) -> None:
        self.say("")
        self.check_again()

    def action_start(self) -> None:
        """Leave with what the run is started by; never on a check of other files."""
        if self.session.is_changed:
            self.say(tr("changed elsewhere: checked again"), "warning")
            self.check_again()
        elif self.session.can_start:
            self.leave("run")

    def action_back(self) -> None:
        if self.has_class("-plan"):
            self.action_plan()
        else:
            self.action_quit()

    def action_quit(self) -> None:
        self.leave()
