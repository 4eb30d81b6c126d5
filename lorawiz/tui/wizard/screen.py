"""The home screen: the rail of steps, and the panel of the one at the cursor."""

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from lorawiz.paths import Project
from lorawiz.preflight.survey import STEPS, Step, StepName, Survey, survey_project
from lorawiz.tui.background import run_in_background
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.language import tr
from lorawiz.tui.theme import Tone
from lorawiz.tui.widgets.key_lines import KeyLines
from lorawiz.tui.wizard.doing import DoingScreen
from lorawiz.tui.wizard.header import WizardHeader
from lorawiz.tui.wizard.panel import StepPanel
from lorawiz.tui.wizard.place import find_place, keep_place
from lorawiz.tui.wizard.rail import StepRail
from lorawiz.tui.wizard.watching import sign_project

_WATCH_S = 1.0
_WIDTHS = [(0, "-narrow"), (56, "-normal"), (110, "-wide")]
"""From which width in cells on the screen has a class."""

_ON_STEP: dict[str, frozenset[StepName]] = {
    "add_photos": frozenset({"images"}),
    "type_photos": frozenset({"images"}),
    "review": frozenset({"images", "review", "captions", "tags"}),
    "choose_file": frozenset({"base"}),
    "type_base": frozenset({"base"}),
    "redo": frozenset({"crop", "captions", "tags"}),
    "cutout": frozenset({"crop"}),
    "background": frozenset({"crop"}),
    "choose_model": frozenset({"captions", "tags"}),
    "tags": frozenset({"tags", "review"}),
    "apply_rules": frozenset({"clean"}),
    "start": frozenset({"run"}),
    "resume": frozenset({"run"}),
    "undo": frozenset({"crop", "captions", "tags", "clean"}),
}
"""At which steps a key does something."""


class WizardScreen(DoingScreen):
    """Owns no state: what it shows is read from the project's files, and read again."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    DEFAULT_CSS = """
    WizardScreen {
        layers: base;
        #body { height: 1fr; margin-top: 1; }
        #rail { width: 26; border-right: solid $frame; }
        #panel { width: 1fr; }
        &.-narrow #rail { width: 22; }
        &.-wide #rail { width: 32; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="open this step"),
        Binding("a", "add_photos", "add photos", tooltip="add photos"),
        Binding("p", "type_photos", "path", tooltip="add photos by a typed path or pattern"),
        Binding("f", "choose_file", "file", tooltip="pick a base model from the disk"),
        Binding("i", "type_base", "hub id", tooltip="type a name, a path or a hub id"),
        Binding("o", "cutout", "cut out", tooltip="mask the subject"),
        Binding("b", "background", "background", tooltip="what stands behind the subject"),
        Binding("m", "choose_model", "model", tooltip="choose the model"),
        Binding("x", "redo", "redo all", tooltip="do it again for all images"),
        Binding("w", "apply_rules", "apply", tooltip="apply the rules"),
        Binding("t", "tags", "tags", tooltip="all tags"),
        Binding("r", "review", "review", tooltip="review the images"),
        Binding("s", "start", "start", tooltip="start a new run"),
        Binding("z", "resume", "resume", tooltip="go on with a stopped run"),
        Binding("u,ctrl+z", "undo", "undo", tooltip="undo the last change of images and words"),
        Binding("n", "next_due", "next due", tooltip="next step that is due"),
        Binding("e", "settings", "settings", show=False, tooltip="the settings"),
        Binding("down,j", "move(1)", show=False, tooltip="next step"),
        Binding("up,k", "move(-1)", show=False, tooltip="step before"),
        Binding("g,home", "go_to(0)", show=False, tooltip="first step"),
        Binding("G,end", "go_to(-1)", show=False, tooltip="last step"),
        Binding("J,pagedown", "scroll_panel(5)", show=False, tooltip="scroll the findings down"),
        Binding("K,pageup", "scroll_panel(-5)", show=False, tooltip="scroll the findings up"),
        Binding("escape", "quit", "quit", tooltip="leave; everything is saved"),
        Binding("q,ctrl+q,ctrl+c", "quit", show=False, tooltip="leave; everything is saved"),
    ]

    def __init__(self, project: Project, image_widget: ImageWidget | None) -> None:
        super().__init__(project, image_widget)
        self.survey: Survey | None = None
        self.current: StepName = "project"
        self._header = WizardHeader(project)
        self._rail = StepRail()
        self._panel = StepPanel()
        self._seen: object = None
        self._is_looking = False

    def compose(self) -> ComposeResult:
        yield self._header
        with Horizontal(id="body"):
            yield self._rail
            yield self._panel
        yield KeyLines(2)

    def on_mount(self) -> None:
        self._panel.show_wait()
        self.look_again()
        self.set_interval(_WATCH_S, self._watch)

    def on_screen_resume(self) -> None:
        self.look_again()

    @property
    def has_images(self) -> bool:
        images = self.survey.find("images") if self.survey is not None else None
        return images is not None and images.state == "done"

    # what is shown

    def say(self, text: str, tone: Tone = "note") -> None:
        self._header.say(text, tone)

    def look_again(self) -> None:
        """Read the project anew, in the background."""
        if not self._is_looking:
            self.run_worker(self._look(), group="look")

    async def _look(self) -> None:
        self._is_looking = True
        try:
            # signed before it is read: what changes meanwhile is read once more
            seen = sign_project(self.project)
            survey = await run_in_background(lambda: survey_project(self.project))
        finally:
            self._is_looking = False
        if self.survey is None:
            self.current = find_place(self.project, survey)
        self.survey, self._seen = survey, seen
        self._header.show(survey)
        self.show_step()

    def _watch(self) -> None:
        if self.is_current and sign_project(self.project) != self._seen:
            self.look_again()

    @property
    def step(self) -> Step | None:
        return self.survey.find(self.current) if self.survey is not None else None

    def show_step(self) -> None:
        """Draw the rail and the panel."""
        self._rail.show(self.survey, self.current)
        self.refresh_bindings()
        if self.survey is not None and self.step is not None:
            self._panel.show(self.survey, self.step, self._list_actions())

    def _list_actions(self) -> list[tuple[str, str]]:
        """What can be done at this step, and its key."""
        listed = [(self._describe_opening(), self._show_key("enter"))]
        for binding in self.BINDINGS:
            assert isinstance(binding, Binding)
            if self.current in _ON_STEP.get(binding.action, ()) and self._is_on(binding.action):
                listed.append((tr(binding.tooltip), self._show_key(binding.key.split(",")[0])))
        return listed

    def _describe_opening(self) -> str:
        return {
            "project": tr("name, trigger and class word"),
            "images": tr("look at the images") if self.has_images else tr("add photos"),
            "base": tr("choose a base model that is here"),
            "crop": tr("find faces and set crop boxes"),
            "captions": tr("caption the images that have none"),
            "tags": tr("tag the images that have none"),
            "clean": tr("show what the rules would change"),
            "review": tr("review the images"),
            "settings": tr("all settings"),
            "check": tr("check everything, with fixes"),
            "run": tr("watch the newest run, or start one"),
        }[self.current]

    def _show_key(self, key: str) -> str:
        return {"enter": "⏎"}.get(key, key)

    # keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _ON_STEP:
            return self.current in _ON_STEP[action] and self._is_on(action)
        return super().check_action(action, parameters)

    def _is_on(self, action: str) -> bool:
        """Whether there is something to do it with."""
        if action in ("review", "tags", "redo", "cutout", "apply_rules"):
            return self.has_images
        if action == "resume":
            return self.step is not None and "resume" in self.step.command
        return True

    def go_to(self, name: StepName) -> None:
        """Put the cursor on a step, and land there next time."""
        if name != self.current:
            self.current = name
            self.say("")
            keep_place(self.project, name)
        self.show_step()

    @on(StepRail.Chosen)
    def _go_to_clicked(self, event: StepRail.Chosen) -> None:
        if event.name == self.current:
            self.run_worker(self.action_open())
        else:
            self.go_to(event.name)

    def action_move(self, by: int) -> None:
        place = STEPS.index(self.current) + by
        self.go_to(STEPS[min(max(place, 0), len(STEPS) - 1)])

    def action_go_to(self, place: int) -> None:
        self.go_to(STEPS[place])

    def action_next_due(self) -> None:
        """The next one behind the cursor, around the end."""
        if self.survey is None:
            return
        at = STEPS.index(self.current)
        for name in (*STEPS[at + 1 :], *STEPS[:at]):
            step = self.survey.find(name)
            if step is not None and step.state == "due":
                self.go_to(name)
                return
        self.say(tr("nothing else is due"))

    def action_scroll_panel(self, lines: int) -> None:
        self._panel.scroll_relative(y=lines, animate=False)

    def action_quit(self) -> None:
        self.leave()

    async def action_open(self) -> None:
        """The main thing of the step at the cursor."""
        keep_place(self.project, self.current)
        await self.open_step(self.current)

    def came_back(self, _result: Any = None) -> None:
        self.look_again()
