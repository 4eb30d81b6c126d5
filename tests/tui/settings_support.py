"""Playing the settings screen in a test: a project, the screen over it, its text."""

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot

from lorawiz.paths import Project
from lorawiz.spec.templates import load_template, render_spec
from lorawiz.tui.app import LorawizApp
from lorawiz.tui.settings.screen import SettingsScreen

SettingsPilot = Pilot[Any]
Scenario = Callable[[SettingsPilot], Awaitable[None]]

ANSWERS = {"project.name": "lyq", "project.trigger": "lyq", "project.class_word": "woman"}


def make_settings_project(folder: Path, text: str = "") -> Project:
    """A project of the template face-lora, or with this lorawiz.toml."""
    project = Project(folder / "lyq")
    project.root.mkdir()
    project.spec.write_text(text or render_spec(load_template("face-lora"), ANSWERS))
    return project


def play(
    project: Project, scenario: Scenario, size: tuple[int, int] = (80, 24), at_key: str = ""
) -> LorawizApp:
    """Open the settings of `project`, and run `scenario` on them."""
    app = LorawizApp(lambda _image_widget: SettingsScreen(project, at_key))

    async def play_scenario() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            await scenario(pilot)

    asyncio.run(play_scenario())
    return app


def press(project: Project, *keys: str, at_key: str = "") -> LorawizApp:
    """Open the settings, press keys, and leave."""
    return play(project, lambda pilot: pilot.press(*keys), at_key=at_key)


async def type_text(pilot: SettingsPilot, text: str) -> None:
    """Put `text` in place of what the input at the cursor holds."""
    await pilot.press("end", "ctrl+u")
    if text.isascii():
        await pilot.press(*text)
    else:  # no key has such a name
        pilot.app.post_message(events.Paste(text))
        await pilot.pause()


def settings_of(pilot: SettingsPilot) -> SettingsScreen:
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, SettingsScreen)
    return screen


def use_editor(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> Path:
    """Make a Python script the user's editor: `path` and `line` are what it is given.

    Returns the file that it appends its arguments to.
    """
    # a headless app has a terminal that it can lend
    monkeypatch.setattr(HeadlessDriver, "can_suspend", True)
    script, log = folder / "vim", folder / "editor.log"
    prelude = (
        f"#!{sys.executable}\n"
        "import sys\nfrom pathlib import Path\n"
        f"with open({str(log)!r}, 'a') as log: print(*sys.argv[1:], file=log)\n"
        "path = Path(sys.argv[-1])\n"
    )
    script.write_text(prelude + code + "\n")
    script.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", shlex.quote(str(script)))
    return log
