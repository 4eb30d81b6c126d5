"""The one visual language: a quiet frame, one accent, three severities."""

from typing import Literal

from textual.theme import Theme

Tone = Literal["plain", "note", "accent", "warning", "error"]
"""`note`, `warning` and `error` are the severities; `accent` marks what lives or is done."""

STYLES: dict[Tone, str] = {
    "plain": "",
    "note": "$text-muted",
    "accent": "$accent",
    "warning": "$text-warning",
    "error": "$text-error",
}
"""The style of each tone, for Content."""

LORAWIZ_THEME = Theme(
    name="lorawiz",
    primary="#7fb7e6",
    secondary="#4a525e",
    accent="#7fb7e6",
    success="#7fb7e6",
    warning="#e3b341",
    error="#f2777a",
    foreground="#d3d7dd",
    background="#15181c",
    surface="#1a1e23",
    panel="#2a2f36",
    variables={
        "text-muted": "#8a929d",
        "text-warning": "#e3b341",
        "text-error": "#f2777a",
        "frame": "#3a414b",
        "footer-background": "#15181c",
        "footer-item-background": "#15181c",
        "footer-key-background": "#15181c",
        "footer-key-foreground": "#7fb7e6",
        "footer-description-background": "#15181c",
        "footer-description-foreground": "#8a929d",
        "scrollbar": "#3a414b",
        "scrollbar-background": "#15181c",
        "scrollbar-corner-color": "#15181c",
    },
)
