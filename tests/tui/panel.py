"""Playing the panel in a test: start it, let it settle, press keys, read its text."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from lorawiz.tui.app import PanelApp
from lorawiz.tui.screens.run import Departure, RunScreen
from tests.tui.fake_run import FakeRun

PanelPilot = Pilot[Departure]
Scenario = Callable[[PanelPilot], Awaitable[None]]


def play(run: FakeRun, scenario: Scenario, size: tuple[int, int] = (80, 24)) -> PanelApp:
    """Open the panel of `run`, wait until it shows the journal, and run `scenario` on it."""
    app = PanelApp(run.folder, run.clock.now)

    async def play_scenario() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(pilot)
            await scenario(pilot)

    asyncio.run(play_scenario())
    return app


async def press(pilot: PanelPilot, *keys: str) -> None:
    """Press keys one after the other; each is dealt with when this returns."""
    await pilot.press(*keys)


async def settle(pilot: PanelPilot) -> None:
    """Until the panel has drawn what the journal holds now, its pictures included."""
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, RunScreen)
    for _ in range(4):  # the chart is drawn at one poll in four
        screen.poll()
    await pilot.pause()
    await wait_until(pilot, lambda: not any(worker.is_running for worker in pilot.app.workers))
    await pilot.pause()


async def wait_until(pilot: PanelPilot, is_so: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, screen_text(pilot)
        await pilot.pause(0.02)


def screen_text(pilot: PanelPilot) -> str:
    """What stands on the screen, line by line, without colours."""
    # the compositor is Textual's own; what it gives out publicly is an SVG
    strips = pilot.app.screen._compositor.render_strips()
    return "".join(strip.text.rstrip() + "\n" for strip in strips)


def text_of(run: FakeRun, *keys: str, size: tuple[int, int] = (80, 24)) -> str:
    """The panel's text after `keys`."""
    texts = []

    async def read(pilot: PanelPilot) -> None:
        if keys:
            await press(pilot, *keys)
            await settle(pilot)
        texts.append(screen_text(pilot))

    play(run, read, size)
    return texts[0]
