"""Playing the check screen in a test: a project on a machine that is always the same."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from lorawiz.paths import Project
from lorawiz.preflight.machine import MachineFacts
from lorawiz.tui.app import LorawizApp
from lorawiz.tui.check.screen import CheckScreen
from lorawiz.tui.screens.base import BaseScreen
from tests.tui.panel import wait_until

CheckPilot = Pilot[Any]
Scenario = Callable[[CheckPilot], Awaitable[None]]


def use_machine(monkeypatch: pytest.MonkeyPatch, machine: MachineFacts) -> None:
    """Make this machine look like `machine`."""
    monkeypatch.setattr("lorawiz.preflight.check.look_at_machine", lambda project: machine)


def play(
    project: Project, scenario: Scenario, size: tuple[int, int] = (80, 24), is_settled: bool = True
) -> LorawizApp:
    """Open the check of `project`, wait for its first result, and run `scenario` on it."""
    app = LorawizApp(lambda _image_widget: CheckScreen(project))

    async def play_scenario() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            if is_settled:
                await settle(pilot)
            await scenario(pilot)

    asyncio.run(play_scenario())
    return app


def press(project: Project, *keys: str) -> LorawizApp:
    """Open the check and press keys, each with a checked project under it."""

    async def press_each(pilot: CheckPilot) -> None:
        for key in keys:
            await press_key(pilot, key)

    return play(project, press_each)


async def press_key(pilot: CheckPilot, key: str) -> None:
    await pilot.press(key)
    if pilot.app.is_running and pilot.app.screen is check_of(pilot):
        await settle(pilot)


async def settle(pilot: CheckPilot) -> None:
    """Until no check and no fix is under way."""
    screen = check_of(pilot)
    await wait_until(pilot, lambda: screen.session.progress is None, 30)
    await wait_until(pilot, lambda: not any(w.is_running for w in pilot.app.workers), 30)
    await pilot.pause()


def check_of(pilot: CheckPilot) -> CheckScreen:
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, CheckScreen)
    return screen


def codes_of(pilot: CheckPilot) -> list[str]:
    """The findings that are shown."""
    return [finding.code for finding in check_of(pilot).session.shown]


async def go_to(pilot: CheckPilot, code: str) -> None:
    """Move the cursor to a finding by keys."""
    await pilot.press("g", *["j"] * codes_of(pilot).index(code))


class FakeJobScreen(BaseScreen[bool]):
    """Stands for the screen that runs a command; `started` holds what it was asked for."""

    started: list[tuple[Path, list[str]]] = []  # noqa: RUF012 - one list for all of them
    BINDINGS = [Binding("escape", "leave_job", show=False)]  # noqa: RUF012

    def __init__(self, project: Project, arguments: list[str], title: str) -> None:
        super().__init__()
        assert title
        self.started.append((project.root, arguments))

    def action_leave_job(self) -> None:
        self.leave(True)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, list[str]]]:
    """Commands that were started: (folder of the project, arguments)."""
    module = ModuleType("lorawiz.tui.jobs")
    module.JobScreen = FakeJobScreen  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lorawiz.tui.jobs", module)
    FakeJobScreen.started.clear()
    return FakeJobScreen.started
