"""The app around every screen, and the calls that show one.

Each call imports its own screen: a review on a large dataset is not to wait for the others.
"""

import gc
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from lorawiz.dataset.store import read_dataset
from lorawiz.errors import LorawizError, visible_text
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.images import ImageWidget, choose_image_widget
from lorawiz.tui.language import tr
from lorawiz.tui.theme import THEMES, find_theme, keep_theme

if TYPE_CHECKING:
    from lorawiz.runs.folder import RunFolder
    from lorawiz.tui.follow import Clock
    from lorawiz.tui.screens.run import Departure
    from lorawiz.tui.wizard.answers import Answers

BuildScreen = Callable[[ImageWidget | None], Screen[Any]]


class LorawizApp(App[Any], inherit_bindings=False):
    """Shows one screen and those that it opens; the palette holds its keys and the themes."""

    ALLOW_SELECT = False
    # Textual binds the palette to a key with words that no catalogue has
    ENABLE_COMMAND_PALETTE = False
    TITLE = "lorawiz"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "command_palette", "palette", show=False, tooltip="find an action"),
    ]

    def __init__(self, build_screen: BuildScreen) -> None:
        super().__init__()
        self.use_command_palette = True
        self.animation_level = "none"
        for theme in THEMES.values():
            self.register_theme(theme)
        if "TEXTUAL_THEME" not in os.environ:
            self.theme = find_theme()
        # asks the terminal, which has to be done before the keyboard is read
        self.image_widget = choose_image_widget()
        self._build_screen = build_screen

    def get_default_screen(self) -> Screen[Any]:
        return self._build_screen(self.image_widget)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette lists: the screen's keys that do something now, then the themes."""
        seen: set[str] = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            is_listed = active.enabled and active.tooltip and active.node is not self
            if not is_listed or binding.action in seen:
                continue
            seen.add(binding.action)
            name = f"{tr(active.tooltip)}  {self.get_key_display(binding)}"
            yield SystemCommand(name, "", _Press(self, active.node, binding.action))
        for theme in THEMES:
            name = tr("theme: {name}", name=theme)
            yield SystemCommand(name, "", _ChooseTheme(self, theme))


class _Press:
    """What a key of a screen does, from the palette."""

    def __init__(self, app: LorawizApp, node: Any, action: str) -> None:
        self._app, self._node, self._action = app, node, action

    async def __call__(self) -> None:
        await self._app.run_action(self._action, self._node)


class _ChooseTheme:
    def __init__(self, app: LorawizApp, name: str) -> None:
        self._app, self._name = app, name

    def __call__(self) -> None:
        self._app.theme = self._name
        try:
            keep_theme(self._name)
        except OSError as error:
            said = tr("the theme holds until you leave: {error}", error=visible_text(str(error)))
            self._app.notify(said, severity="warning", markup=False)


class PanelApp(LorawizApp):
    """The live panel of one run. Reads the journal before the screen is taken over."""

    def __init__(self, run: "RunFolder", now: "Clock | None" = None) -> None:
        from lorawiz.tui.follow import RunFollower, utc_now
        from lorawiz.tui.screens.run import RunScreen

        self.follower = RunFollower(run, now or utc_now)
        super().__init__(lambda image_widget: RunScreen(self.follower, image_widget))


def run_panel(run: "RunFolder") -> "Departure":
    """Show the panel of `run` until it is left, and say how it was.

    Raises RuntimeError when the panel itself failed; its traceback is then on the terminal.
    """
    app = PanelApp(run)
    departure: Departure | None = app.run()
    if app.return_code:
        raise RuntimeError("the panel failed; the run is not touched by that")
    # a closed terminal leaves without a word
    return departure or "detached"


def run_wizard(project: Project) -> None:
    """Show the wizard on `project` until it is left; edits are then in dataset.jsonl.

    Raises RuntimeError when a screen failed; its traceback is then on the terminal.
    """
    from lorawiz.tui.wizard.screen import WizardScreen

    app = LorawizApp(lambda image_widget: WizardScreen(project, image_widget))
    try:
        app.run()
    finally:
        with suppress(LorawizError):  # what is wrong with the project was told on the screen
            read_dataset(project)
    if app.return_code:
        raise RuntimeError("a screen failed; everything before that is saved")


def run_new_project(
    answers: "Answers", offers_demo: bool = False
) -> Project | Literal["demo"] | None:
    """Show the form of a new project; None where it was left, "demo" where that is wanted first."""
    from lorawiz.tui.wizard.new_project import NewProjectScreen

    app = LorawizApp(lambda _image_widget: NewProjectScreen(answers, offers_demo))
    wanted: Project | Literal["demo"] | None = app.run()
    if app.return_code:
        raise RuntimeError("the form failed; nothing was made")
    return wanted


def run_review(project: Project, filter_text: str = "") -> None:
    """Show the review screen of `project` until it is left; edits are then in dataset.jsonl.

    Raises LorawizError for what cannot be read, and RuntimeError when the screen itself failed;
    its traceback is then on the terminal, and nothing that was edited is lost.
    """
    from lorawiz.tui.review.screen import ReviewScreen
    from lorawiz.tui.review.session import ReviewSession

    spec = load_spec(project.spec)
    with ThreadPoolExecutor(1) as reader:
        session = reader.submit(ReviewSession, project, spec, filter_text)
        choose_image_widget()  # waits for the terminal's answers: meanwhile the dataset is read
        app = LorawizApp(lambda image_widget: ReviewScreen(session.result(), image_widget))
    session.result()  # what cannot be read is told before the screen is taken over
    # none of the records is garbage: looking through all of them holds keys up
    gc.freeze()
    gc.enable()
    try:
        app.run()
    finally:
        read_dataset(project)
    if app.return_code:
        raise RuntimeError("the review screen failed; every edit before that is kept")
