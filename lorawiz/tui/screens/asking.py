"""The small windows that ask for words: a line of text, or one of several."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from lorawiz.errors import visible_text
from lorawiz.tui.language import tr
from lorawiz.tui.tags.finding import find_fuzzy
from lorawiz.tui.theme import STYLES, Tone

_MOST_LINES = 100
_MOST_SUGGESTED = 5
_LINE_BREAK = visible_text("\n")

Remark = tuple[Tone, str]
"""What is said below the input; with the tone `error`, enter does not answer."""


class VisibleInput(Input):
    """Never holds a character that could steer the terminal, also when it is pasted."""

    DEFAULT_CSS = """
    VisibleInput, VisibleInput:focus {
        border: none; height: 1; padding: 0; background: $panel;
    }
    """

    def validate_value(self, value: str) -> str:
        return visible_text(value)


def find_hidden(text: str) -> dict[str, str]:
    """What stands in an input in place of characters of `text` that cannot be shown.

    A line break can be typed in that way even where there was none.
    """
    shown = {visible_text(letter): letter for letter in text}
    return {_LINE_BREAK: "\n"} | {form: letter for form, letter in shown.items() if form != letter}


def restore_hidden(typed: str, hidden: Mapping[str, str]) -> str:
    """What was typed, with the characters of `find_hidden` in place of what stood for them."""
    for form, letter in hidden.items():
        typed = typed.replace(form, letter)
    return typed


class _AskScreen(ModalScreen[str | None]):
    """A title, an input, lines to choose from, and a remark."""

    DEFAULT_CSS = """
    _AskScreen {
        align: center middle;
        #dialog {
            width: 76; max-width: 100%; height: auto; max-height: 100%;
            border: round $accent; border-title-color: $accent; border-subtitle-color: $text-muted;
            background: $surface; padding: 0 1;
        }
        #lines {
            height: auto; max-height: 12; border: none; padding: 0; background: $surface;
            scrollbar-size: 1 1;
            & > .option-list--option-highlighted {
                color: $foreground; background: $panel; text-style: bold;
            }
        }
        #remark { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "leave", show=False),
        Binding("down,ctrl+n", "line(1)", show=False),
        Binding("up,ctrl+p", "line(-1)", show=False),
    ]

    def __init__(self, title: str, value: str, keys: str) -> None:
        super().__init__()
        self._title, self._keys = title, keys
        self._input = VisibleInput(value, select_on_focus=False)
        self._lines = OptionList(id="lines", markup=False)
        self._lines.can_focus = False
        self._remark = Static(id="remark", markup=False)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as frame:
            frame.border_title = Content(self._title)
            frame.border_subtitle = Content(self._keys)
            yield self._input
            yield self._lines
            yield self._remark

    def on_mount(self) -> None:
        self._input.focus()
        self.show_lines()

    @on(Input.Changed)
    def _read(self) -> None:
        self.show_lines()

    @on(Input.Submitted)
    def _submit(self) -> None:
        self.answer()

    def show_lines(self) -> None:
        """Show what fits to the input."""
        raise NotImplementedError

    def answer(self) -> None:
        """Enter was pressed."""
        raise NotImplementedError

    def put_lines(self, lines: Sequence[Content]) -> None:
        self._lines.clear_options()
        self._lines.add_options([Option(line) for line in lines])
        self._lines.display = bool(lines)
        self._lines.highlighted = 0 if lines else None

    def say(self, remark: Remark) -> None:
        tone, text = remark
        self._remark.update(Content.styled(text, STYLES[tone]))
        self._remark.display = bool(text)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_line(self, step: int) -> None:
        num, at = self._lines.option_count, self._lines.highlighted
        if num and at is not None:
            self._lines.highlighted = (at + step) % num


class TextScreen(_AskScreen):
    """Asks for a line of text, which may be a list of words; tab completes the last of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        value: str = "",
        words: Sequence[tuple[str, int]] = (),
        remark: Callable[[str], Remark] = lambda text: ("note", ""),
    ) -> None:
        """`words` to complete, most wanted first, with how often each is there."""
        keys = tr("enter saves · esc leaves")
        if words:
            keys = tr("enter saves · tab completes · esc leaves")
        super().__init__(title, value, keys)
        self._words = [(visible_text(word), count) for word, count in words]
        self._suggested: list[str] = []
        self._say_of = remark

    def show_lines(self) -> None:
        piece = self._input.value.rpartition(",")[2].strip()
        self._suggested = suggest(piece, self._words)
        counts = dict(self._words)
        self.put_lines(
            [
                Content.assemble(word, (f"  {counts[word]}", STYLES["note"]))
                for word in self._suggested
            ]
        )
        self.say(self._say_of(self._input.value))

    def answer(self) -> None:
        if self._say_of(self._input.value)[0] != "error":
            self.dismiss(self._input.value)

    def action_complete(self) -> None:
        at = self._lines.highlighted
        if at is not None and at < len(self._suggested):
            before, comma, _ = self._input.value.rpartition(",")
            start = f"{before}{comma} " if comma else ""
            self._input.value = start + self._suggested[at]
            self._input.cursor_position = len(self._input.value)

    @on(OptionList.OptionSelected)
    def _complete_by_mouse(self) -> None:
        self.action_complete()


def suggest(piece: str, words: Sequence[tuple[str, int]]) -> list[str]:
    """The words that begin with `piece`, then those that have it inside; none for no piece."""
    wanted = piece.casefold()
    if not wanted:
        return []
    begin: list[str] = []
    inside: list[str] = []
    for word, _ in words:
        folded = word.casefold()
        if folded.startswith(wanted) and folded != wanted:
            begin.append(word)
        elif wanted in folded and folded != wanted:
            inside.append(word)
    return [*begin, *inside][:_MOST_SUGGESTED]


class PickScreen(_AskScreen):
    """Asks for one of several words; a few of its letters narrow them down, best ones first."""

    def __init__(self, title: str, words: Sequence[tuple[str, str]], now: str = "") -> None:
        """`words` are (word, note); the answer is the word as it was given. It begins at `now`."""
        super().__init__(title, "", tr("type to find · ↑↓ · enter takes it · esc leaves"))
        self._words = [(word, note, visible_text(word)) for word, note in words]
        self._wanted, self._now = "", now
        self._fitting = self._words

    def show_lines(self) -> None:
        wanted = self._input.value.strip()
        # what a longer text fits to, the shorter one did
        among = self._fitting if wanted.startswith(self._wanted) else self._words
        self._wanted = wanted
        self._fitting = find_fuzzy(wanted, among, lambda each: each[2])
        self.put_lines(
            [
                Content.assemble(shown, (f"  {note}" if note else "", STYLES["note"]))
                for _, note, shown in self._fitting[:_MOST_LINES]
            ]
        )
        words = [word for word, _, _ in self._fitting[:_MOST_LINES]]
        if not wanted and self._now in words:
            self._lines.highlighted = words.index(self._now)
        num_more = len(self._fitting) - _MOST_LINES
        if not self._fitting:
            self.say(("note", tr("nothing like that is there")))
        else:
            self.say(("note", tr("and {num} more", num=num_more) if num_more > 0 else ""))

    def answer(self) -> None:
        at = self._lines.highlighted
        if at is not None and at < len(self._fitting):
            self.dismiss(self._fitting[at][0])

    @on(OptionList.OptionSelected)
    def _take_by_mouse(self) -> None:
        self.answer()
