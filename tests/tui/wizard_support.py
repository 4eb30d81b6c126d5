"""Playing the wizard in a test: a project, keys, its text, and what is on the disk."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from lorawiz.paths import Project
from lorawiz.tui.app import LorawizApp
from lorawiz.tui.wizard.place import keep_place
from lorawiz.tui.wizard.screen import WizardScreen
from tests.support.projects import make_project
from tests.tui.panel import screen_text, wait_until

WizardPilot = Pilot[Any]
Scenario = Callable[[WizardPilot], Awaitable[None]]

RULES = '\n[[clean]]\nrule = "remove"\ntags = ["smile"]\n'


def make_bare(folder: Path) -> Project:
    """A project with a name and a trigger, and nothing else."""
    return make_project(folder, num_images=0)


def make_filled(folder: Path, num_images: int = 4) -> Project:
    """A project with photos and words, and a rule that has not been applied."""
    project = make_project(folder, num_images)
    project.spec.write_text(project.spec.read_text("utf-8") + RULES, "utf-8")
    return project


def play_screen(
    build: Callable[[], Screen[Any]], scenario: Scenario, size: tuple[int, int] = (80, 24)
) -> Any:
    """Open a screen in the app, run `scenario`; returns what the screen left with."""
    app = LorawizApp(lambda _widget: build())

    async def play_scenario() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(pilot)
            await scenario(pilot)

    asyncio.run(play_scenario())
    return app.return_value


def play(
    project: Project, scenario: Scenario, size: tuple[int, int] = (80, 24), at: str = ""
) -> None:
    """Open the wizard, at a step where one is named."""
    if at:
        keep_place(project, at)  # type: ignore[arg-type]
    play_screen(lambda: WizardScreen(project, None), scenario, size)


async def press(pilot: WizardPilot, *keys: str) -> None:
    """Press keys, `:word` types a word; the work that each began is done when this returns."""
    for key in keys:
        letters = [_name(letter) for letter in key[1:]] if key[0] == ":" else [key]
        for letter in letters:
            await pilot.press(letter)
        await settle(pilot)


async def settle(pilot: WizardPilot) -> None:
    """Until nothing is read in the background."""
    await pilot.pause()
    await wait_until(pilot, lambda: not any(w.is_running for w in pilot.app.workers), 20.0)
    await pilot.pause()


async def wait_for(pilot: WizardPilot, text: str, timeout_s: float = 30.0) -> None:
    """Until `text` stands on the screen."""
    await wait_until(pilot, lambda: text in screen_text(pilot), timeout_s)
    await pilot.pause()


def is_on(pilot: WizardPilot, kind: type[Screen[Any]]) -> bool:
    """Whether the screen on top is of a kind."""
    return isinstance(pilot.app.screen, kind)


def _name(letter: str) -> str:
    return {
        " ": "space", "/": "slash", ".": "full_stop", "-": "minus", "_": "underscore",
        ",": "comma", "*": "asterisk", "#": "number_sign", "~": "tilde",
    }.get(letter, letter)  # fmt: skip
