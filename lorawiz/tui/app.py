"""The app around the live panel, and the one call that shows it."""

import os
from typing import Literal

from textual.app import App

from lorawiz.runs.folder import RunFolder
from lorawiz.tui.follow import Clock, RunFollower, utc_now
from lorawiz.tui.images import choose_image_widget
from lorawiz.tui.screens.run import RunScreen
from lorawiz.tui.theme import LORAWIZ_THEME

Departure = Literal["detached", "ended", "stopped"]
"""detached: the run goes on; ended: it was over; stopped: it was asked to stop here, and did."""


class PanelApp(App[Departure], inherit_bindings=False):
    """The live panel of one run. Reads the journal before the screen is taken over."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "lorawiz"

    def __init__(self, run: RunFolder, now: Clock = utc_now) -> None:
        super().__init__()
        self.animation_level = "none"
        self.register_theme(LORAWIZ_THEME)
        if "TEXTUAL_THEME" not in os.environ:
            self.theme = LORAWIZ_THEME.name
        self.follower = RunFollower(run, now)
        self._image_widget = choose_image_widget()

    def get_default_screen(self) -> RunScreen:
        return RunScreen(self.follower, self._image_widget)


def run_panel(run: RunFolder) -> Departure:
    """Show the panel of `run` until it is left, and say how it was.

    Raises RuntimeError when the panel itself failed; its traceback is then on the terminal.
    """
    app = PanelApp(run)
    departure = app.run()
    if app.return_code:
        raise RuntimeError("the panel failed; the run is not touched by that")
    # a closed terminal leaves without a word
    return departure or "detached"
