"""The home screen: the rail of steps, and the panel of the one at the cursor."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from lorawiz.paths import Project
from lorawiz.preflight.standing import STEPS, Step, StepName
from lorawiz.preflight.survey import Survey, Surveyor
from lorawiz.runs.view import ON
from lorawiz.tui.background import run_in_background
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.language import tr
from lorawiz.tui.theme import Tone
from lorawiz.tui.widgets.key_lines import KeyLines
from lorawiz.tui.wizard.header import WizardHeader
from lorawiz.tui.wizard.launching import LaunchingScreen
from lorawiz.tui.wizard.panel import StepPanel
from lorawiz.tui.wizard.place import find_place, keep_place
from lorawiz.tui.wizard.rail import StepRail
from lorawiz.tui.wizard.watching import sign_project

_WATCH_S = 1.0
_WIDTHS = [(0, "-narrow"), (56, "-normal"), (110, "-wide")]
"""From which width in cells on the screen has a class."""

_AT_STEPS: dict[str, frozenset[StepName]] = {
    "add_photos": frozenset({"images"}),
    "type_photos": frozenset({"images"}),
    "review": frozenset({"images", "crop", "captions", "tags", "review", "clean"}),
    "choose_file": frozenset({"base"}),
    "type_base": frozenset({"base"}),
    "fetch": frozenset({"base"}),
    "redo": frozenset({"crop", "captions", "tags"}),
    "count_crops": frozenset({"crop"}),
    "cutout": frozenset({"crop"}),
    "background": frozenset({"crop"}),
    "choose_model": frozenset({"captions", "tags"}),
    "tags": frozenset({"tags", "review", "clean"}),
    "start": frozenset({"run"}),
    "resume": frozenset({"run"}),
    "attach": frozenset({"run"}),
    "undo": frozenset({"crop", "captions", "tags", "review", "clean"}),
    "redo_edit": frozenset({"crop", "captions", "tags", "review", "clean"}),
}
"""At which steps a key does something; others do everywhere."""
_UNLISTED = {"undo", "redo_edit"}
"""What the help tells, and the panel has no line for."""
_ON_IMAGES = {"review", "tags", "redo", "count_crops", "cutout"}


class WizardScreen(LaunchingScreen):
    """Owns no state: what it shows is read from the project's files, and read again."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    DEFAULT_CSS = """
    WizardScreen {
        layers: base;
        #body { height: 1fr; margin-top: 1; }
        #rail { width: 28; border-right: solid $frame; }
        #panel { width: 1fr; }
        &.-narrow #rail { width: 18; }
        &.-wide #rail { width: 34; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="open this step"),
        Binding("a", "add_photos", show=False, tooltip="add photos"),
        Binding("p", "type_photos", show=False, tooltip="add photos by a typed path or pattern"),
        Binding("f", "choose_file", show=False, tooltip="pick a base model from the disk"),
        Binding("i", "type_base", show=False, tooltip="type a name, a path or a hub id"),
        Binding("d", "fetch", show=False, tooltip="fetch it from the hub"),
        Binding("c", "count_crops", show=False, tooltip="count what would be cropped"),
        Binding("o", "cutout", show=False, tooltip="mask the subject"),
        Binding("b", "background", show=False, tooltip="what stands behind the subject"),
        Binding("m", "choose_model", show=False, tooltip="choose the model"),
        Binding("x", "redo", show=False, tooltip="do it again for all images"),
        Binding("t", "tags", show=False, tooltip="all tags"),
        Binding("r", "review", show=False, tooltip="review the images"),
        Binding("s", "start", show=False, tooltip="start a new run"),
        Binding("z", "resume", show=False, tooltip="go on with the last run"),
        Binding("a", "attach", show=False, tooltip="look at one of the runs"),
        Binding("u,ctrl+z", "undo", show=False, tooltip="undo the last change of images and words"),
        Binding("ctrl+r,ctrl+y", "redo_edit", show=False, tooltip="do again what was undone"),
        Binding("n", "next_due", "next due step", tooltip="next step that is due"),
        Binding("e", "settings", "settings", tooltip="the settings"),
        Binding("down,j", "move(1)", show=False, tooltip="next step"),
        Binding("up,k", "move(-1)", show=False, tooltip="step before"),
        Binding("g,home", "go_to(0)", show=False, tooltip="first step"),
        Binding("G,end", "go_to(-1)", show=False, tooltip="last step"),
        Binding("J,ctrl+d,pagedown", "scroll_panel(5)", show=False, tooltip="scroll the panel"),
        Binding("K,ctrl+u,pageup", "scroll_panel(-5)", show=False, tooltip="scroll it back"),
        Binding("question_mark,f1", "help", "help", tooltip="this list"),
        Binding("q", "quit", "quit", tooltip="leave; everything is saved"),
        Binding("escape,ctrl+q,ctrl+c", "quit", show=False, tooltip="leave; everything is saved"),
    ]

    def __init__(self, project: Project, image_widget: ImageWidget | None) -> None:
        super().__init__(project, image_widget)
        self.survey: Survey | None = None
        self.current: StepName = "project"
        self._surveyor = Surveyor(project)
        self._header = WizardHeader(project)
        self._rail = StepRail()
        self._panel = StepPanel()
        self._seen: object = None
        self._is_looking = self._is_old = False

    def compose(self) -> ComposeResult:
        yield self._header
        with Horizontal(id="body"):
            yield self._rail
            yield self._panel
        yield KeyLines(1)

    def on_mount(self) -> None:
        self._panel.show_wait()
        self.look_again()
        self.set_interval(_WATCH_S, self._watch)

    # what is shown

    def say(self, text: str, tone: Tone = "note") -> None:
        self._header.say(text, tone)

    def came_back(self, _result: Any = None) -> None:
        self.look_again()

    def look_again(self) -> None:
        """Read the project anew, in the background."""
        self._is_old = True
        if not self._is_looking:
            self.run_worker(self._look(), group="look")

    async def _look(self) -> None:
        self._is_looking = True
        try:
            while self._is_old:
                self._is_old = False
                # signed before it is read: what changes meanwhile is read once more
                seen = sign_project(self.project)
                survey = await run_in_background(self._surveyor.survey)
                self._take(survey, seen)
        finally:
            self._is_looking = False

    def _take(self, survey: Survey, seen: object) -> None:
        if self.survey is None:
            self.current = find_place(self.project, survey)
        self.survey, self._seen = survey, seen
        self._header.show(survey)
        self.show_step()

    def _watch(self) -> None:
        if not self.is_current:
            return
        # a trainer that was killed changes no file
        is_on = self.newest is not None and self.newest.state() in ON
        if is_on or sign_project(self.project) != self._seen:
            self.look_again()

    @property
    def step(self) -> Step | None:
        """The one at the cursor, once the project has been looked at."""
        return self.survey.find(self.current) if self.survey is not None else None

    @property
    def has_images(self) -> bool:
        return self.survey is not None and self.survey.find("images").state == "done"

    def show_step(self) -> None:
        """Draw the rail and the panel."""
        self._rail.show(self.survey, self.current)
        self.refresh_bindings()
        if self.survey is not None and self.step is not None:
            self._panel.show(self.survey, self.step, self._list_actions())

    def _list_actions(self) -> list[tuple[str, str]]:
        """What can be done at this step, and its key."""
        listed = [(self._describe_opening(), "⏎")]
        for binding in self.BINDINGS:
            assert isinstance(binding, Binding)
            action = binding.action
            is_here = self.current in _AT_STEPS.get(action, ()) and self._is_on(action)
            is_told = action == ("review" if self.has_images else "add_photos")
            is_told = is_told and self.current == "images"
            if is_here and action not in _UNLISTED and not is_told:
                key = binding.key.partition(",")[0].replace("ctrl+", "^")
                listed.append((tr(binding.tooltip), key))
        return listed

    def _describe_opening(self) -> str:
        return {
            "project": tr("name, trigger and class word"),
            "images": tr("look at the images") if self.has_images else tr("add photos"),
            "base": tr("choose a base model"),
            "crop": tr("find faces and set crop boxes"),
            "captions": tr("caption the images that have none"),
            "tags": tr("tag the images that have none"),
            "clean": tr("show what the rules would change, then apply"),
            "review": tr("review the images one by one"),
            "settings": tr("all settings, with their help"),
            "check": tr("check everything, with fixes"),
            "run": self._describe_run(),
        }[self.current]

    def _describe_run(self) -> str:
        if self.newest is None:
            return tr("check, then start the run")
        if self.newest.state() in ON:
            return tr("watch the run that is on")
        return tr("start, go on, or look at the last run")

    # keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _AT_STEPS:
            return self.current in _AT_STEPS[action] and self._is_on(action)
        return super().check_action(action, parameters)

    def _is_on(self, action: str) -> bool:
        """Whether there is something to do it with."""
        if action in _ON_IMAGES:
            return self.has_images and not (action == "review" and self.current == "review")
        match action:
            case "resume":
                return self.can_resume
            case "attach":
                return self.newest is not None
            case "fetch":
                return self.step is not None and self.step.is_remote
        return True

    def go_to(self, name: StepName) -> None:
        """Put the cursor on a step, and land there next time."""
        if name != self.current:
            self.current = name
            self.say("")
            keep_place(self.project, name)
        self.show_step()

    @on(StepRail.Chosen)
    async def _go_to_clicked(self, event: StepRail.Chosen) -> None:
        if event.name == self.current:
            await self.action_open()
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
            if self.survey.find(name).state == "due":
                self.go_to(name)
                return
        self.say(tr("nothing else is due"))

    def action_scroll_panel(self, lines: int) -> None:
        self._panel.scroll_relative(y=lines, animate=False)

    def action_quit(self) -> None:
        keep_place(self.project, self.current)
        self.leave()

    async def action_open(self) -> None:
        """The main thing of the step at the cursor."""
        keep_place(self.project, self.current)
        openers: dict[StepName, Callable[[], Awaitable[None]]] = {
            "project": self.open_about,
            "images": self._open_images,
            "base": self.choose_base,
            "crop": self.run_models,
            "captions": self.run_models,
            "tags": self.run_models,
            "clean": self.open_rules,
            "review": self.action_review,
            "settings": self.action_settings,
            "check": self.open_check,
            "run": self.open_run,
        }
        await openers[self.current]()

    async def _open_images(self) -> None:
        if self.has_images:
            await self.open_review()
        else:
            self.action_add_photos()
