"""The help of a screen: its keys as its bindings tell them."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES


class HelpScreen(ModalScreen[None]):
    """Every key that does something now; `rows` are (keys, what they do)."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        #help {
            width: auto; max-width: 100%; height: auto; max-height: 100%;
            border: round $accent; border-title-color: $accent;
            background: $surface; padding: 0 1;
        }
        #keys { width: auto; max-width: 100%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,ctrl+c,enter", "dismiss", show=False)
    ]

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self._rows = list(rows)

    def compose(self) -> ComposeResult:
        width = max((len(keys) for keys, _ in self._rows), default=0)
        lines = [
            Content.assemble((keys.ljust(width), STYLES["accent"]), f"  {text}")
            for keys, text in self._rows
        ]
        with VerticalScroll(id="help") as frame:
            frame.border_title = tr("keys")
            frame.border_subtitle = tr("esc closes")
            yield Static(Content("\n").join(lines), id="keys", markup=False)


def list_keys(app: App[object], bindings: Iterable[ActiveBinding]) -> list[tuple[str, str]]:
    """Rows for the help: keys of one action together, the binding's tooltip as its text.

    Bindings without a tooltip are inner workings of widgets and stay out.
    """
    keys_by_text: dict[str, list[str]] = {}
    shown_first = sorted(bindings, key=lambda active: not active.binding.show)
    for _, binding, is_enabled, tooltip in shown_first:
        if is_enabled and tooltip:
            keys_by_text.setdefault(tr(tooltip), []).append(app.get_key_display(binding))
    return [(", ".join(keys), text) for text, keys in keys_by_text.items()]
