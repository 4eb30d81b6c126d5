"""The form of who is trained: name, trigger and class word, checked while they are typed."""

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from lorawiz.errors import SpecError, visible_text
from lorawiz.families.clip.counting import count_prompt_tokens
from lorawiz.spec.document import parse_value
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.screens.asking import Remark, VisibleInput
from lorawiz.tui.theme import STYLES

ABOUT_KEYS = ("project.name", "project.trigger", "project.class_word")
_TEXTS = ("name of the LoRA", "trigger word", "class word")
_MANY_TOKENS = 4


def judge(key: str, typed: str) -> Remark:
    """What is to be said of one answer; `error` where it cannot be one."""
    try:
        parse_value(key, typed)
    except SpecError as error:
        if key == "project.name":  # it is a pattern that the error tells
            return "error", tr(
                "letters, digits, dots, dashes, underscores; a letter or digit first"
            )
        return "error", visible_text(error.message)
    match key:
        case "project.name":
            return "note", tr("its files are NAME.safetensors")
        case "project.trigger":
            return _judge_trigger(typed)
    return "note", tr("what it is one of: woman, man, dog, style")


def _judge_trigger(typed: str) -> Remark:
    if not typed:
        return "note", tr("the word that calls the LoRA: rare and short, such as lyq")
    if "," in typed:
        return "warning", tr("a comma parts it into several tags: shuffling pulls them apart")
    num = count_prompt_tokens(typed)
    said = tr_count(num, "{num} token for the text encoder", "{num} tokens for the text encoder")
    if num >= _MANY_TOKENS:
        return "warning", tr("{tokens}: a shorter word is learnt better", tokens=said)
    return "note", said


class AboutScreen(ModalScreen[dict[str, str] | None]):
    """Asks for all three; answers with those that are others now, by dotted key."""

    DEFAULT_CSS = """
    AboutScreen {
        align: center middle;
        #dialog {
            width: 70; max-width: 100%; height: auto; max-height: 100%;
            border: round $accent; border-title-color: $accent; border-subtitle-color: $text-muted;
            background: $surface; padding: 0 1;
        }
        .title { height: 1; margin-top: 1; }
        .remark { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,ctrl+q", "leave", show=False),
        Binding("down,tab", "go(1)", show=False, priority=True),
        Binding("up,shift+tab", "go(-1)", show=False, priority=True),
        Binding("ctrl+s", "save", show=False, priority=True),
    ]

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__()
        self._values = values
        self._inputs = {key: VisibleInput(values[key], select_on_focus=False) for key in ABOUT_KEYS}
        self._remarks = {key: Static(classes="remark", markup=False) for key in ABOUT_KEYS}

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as frame:
            frame.border_title = Content(tr("Project"))
            frame.border_subtitle = Content(tr("↑↓ next · enter saves · esc leaves"))
            for key, title in zip(ABOUT_KEYS, _TEXTS, strict=True):
                yield Static(tr(title), classes="title", markup=False)
                yield self._inputs[key]
                yield self._remarks[key]

    def on_mount(self) -> None:
        self._inputs["project.name"].focus()
        self._judge()

    @on(Input.Changed)
    def _judge(self) -> None:
        for key, remark in self._remarks.items():
            tone, text = judge(key, self._typed(key))
            remark.update(Content.styled(text, STYLES[tone]))

    def _typed(self, key: str) -> str:
        typed = self._inputs[key].value
        # what cannot be shown stays as it is while nobody types there
        return self._values[key] if typed == visible_text(self._values[key]) else typed.strip()

    @on(Input.Submitted)
    def action_save(self) -> None:
        for key in ABOUT_KEYS:
            if judge(key, self._typed(key))[0] == "error":
                self._inputs[key].focus()
                return
        typed = {key: self._typed(key) for key in ABOUT_KEYS}
        self.dismiss({key: text for key, text in typed.items() if text != self._values[key]})

    def action_go(self, by: int) -> None:
        inputs = list(self._inputs.values())
        at = next(place for place, each in enumerate(inputs) if each.has_focus)
        inputs[(at + by) % len(inputs)].focus()

    def action_leave(self) -> None:
        self.dismiss(None)
