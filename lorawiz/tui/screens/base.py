"""What every screen of lorawiz can do: help, leave, complain, work in a thread."""

import asyncio
from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from lorawiz.errors import LorawizError, visible_text
from lorawiz.tui.screens.help import HelpScreen, list_keys

Result = TypeVar("Result")
Done = TypeVar("Done")


class BaseScreen(Screen[Result]):
    """A whole screen; `?` lists its keys from their bindings' tooltips."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "help", tooltip="this list"),
    ]

    def leave(self, result: Result | None = None) -> None:
        """Go back to the screen below, or end the program where this is the lowest."""
        if self.app.screen_stack[0] is self:
            self.app.exit(result)
        else:
            self.dismiss(result)

    def complain(self, error: LorawizError | OSError) -> None:
        """Tell what could not be done."""
        self.notify(visible_text(str(error)), severity="error", markup=False)

    async def work(self, job: Callable[[], Done]) -> Done | None:
        """Do something with files in a thread; keys wait for it. None when it failed."""
        try:
            return await asyncio.to_thread(job)
        except (LorawizError, OSError) as error:
            self.complain(error)
            return None

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(list_keys(self.app, self.active_bindings.values())))
