"""Small questions over a screen, answered with one key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from lorawiz.errors import visible_text
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES

Answer = TypeVar("Answer")
Leaving = Literal["detach", "stop", "stay"]


@dataclass(frozen=True)
class Choice(Generic[Answer]):
    """One answer: the key that gives it, and what it will do."""

    key: str
    label: str
    answer: Answer


class ChoiceScreen(ModalScreen[Answer]):
    """A question with a few answers: by their keys, by arrows and enter, or by mouse.

    Escape gives the last answer, which changes nothing.
    """

    DEFAULT_CSS = """
    ChoiceScreen {
        align: center middle;
        #dialog {
            width: auto; min-width: 30; max-width: 100%; height: auto;
            border: round $accent; background: $surface; padding: 0 1;
        }
        #question { width: auto; max-width: 100%; padding: 0 1; margin-bottom: 1; }
        OptionList, OptionList:focus {
            width: auto; min-width: 100%; height: auto; border: none; padding: 0 1;
            background: $surface;
            & > .option-list--option-highlighted {
                color: $foreground; background: $panel; text-style: none;
            }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "keep")]

    def __init__(self, question: str, choices: Sequence[Choice[Answer]]) -> None:
        super().__init__()
        self._question = question
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._question, id="question", markup=False)
            yield OptionList(*(Option(_build_label(choice)) for choice in self._choices))

    @on(OptionList.OptionSelected)
    def _answer_by_option(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index].answer)

    def on_key(self, event: events.Key) -> None:
        for choice in self._choices:
            if event.key == choice.key:
                event.stop()
                self.dismiss(choice.answer)
                return

    def action_keep(self) -> None:
        self.dismiss(self._choices[-1].answer)


def build_stop_dialog(run_id: str) -> ChoiceScreen[bool]:
    """Whether to stop the run."""
    return ChoiceScreen(
        tr("Stop {run_id} after its present step?", run_id=visible_text(run_id)),
        [
            Choice("y", tr("yes: save and stop; it can be resumed"), True),
            Choice("n", tr("no: keep training"), False),
        ],
    )


def build_leave_dialog(run_id: str) -> ChoiceScreen[Leaving]:
    """What ctrl+c was meant to do."""
    return ChoiceScreen(
        tr("Leave {run_id}?", run_id=visible_text(run_id)),
        [
            Choice("d", tr("detach: training goes on, lorawiz attach comes back"), "detach"),
            Choice("s", tr("stop: save after the present step and end"), "stop"),
            Choice("escape", tr("stay here"), "stay"),
        ],
    )


def _build_label(choice: Choice[Answer]) -> Content:
    key = "esc" if choice.key == "escape" else choice.key
    return Content.assemble((f"{key:>3}", STYLES["accent"]), f"  {choice.label}")
