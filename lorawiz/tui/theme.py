"""The one visual language: a quiet frame, one accent, three severities; in four themes."""

import os
from pathlib import Path
from typing import Literal

from textual.theme import Theme

from lorawiz.paths import user_data, write_atomically

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

THEME_VARIABLE = "LORAWIZ_THEME"


def _build_theme(name: str, colours: dict[str, str], is_dark: bool) -> Theme:
    """A theme from its ten colours; whatever Textual draws by itself takes them too."""
    background, muted, accent = colours["background"], colours["muted"], colours["accent"]
    return Theme(
        name=name,
        primary=accent,
        secondary=colours["frame"],
        accent=accent,
        success=accent,
        warning=colours["warning"],
        error=colours["error"],
        foreground=colours["foreground"],
        background=background,
        surface=colours["surface"],
        panel=colours["panel"],
        dark=is_dark,
        variables={
            "text-muted": muted,
            "text-warning": colours["warning"],
            "text-error": colours["error"],
            "frame": colours["frame"],
            "footer-background": background,
            "footer-item-background": background,
            "footer-key-background": background,
            "footer-key-foreground": accent,
            "footer-description-background": background,
            "footer-description-foreground": muted,
            "scrollbar": colours["frame"],
            "scrollbar-background": background,
            "scrollbar-corner-color": background,
        },
    )


THEMES = {
    theme.name: theme
    for theme in (
        _build_theme(
            "dark",
            {
                "foreground": "#d3d7dd", "muted": "#8a929d", "accent": "#7fb7e6",
                "warning": "#e3b341", "error": "#f2777a", "background": "#15181c",
                "surface": "#1a1e23", "panel": "#2a2f36", "frame": "#3a414b",
            },
            is_dark=True,
        ),
        _build_theme(
            "light",
            {
                "foreground": "#22272e", "muted": "#5c6570", "accent": "#0b62a8",
                "warning": "#8a5a00", "error": "#b3261e", "background": "#fbfbfa",
                "surface": "#f2f3f4", "panel": "#dfe3e8", "frame": "#b9c0c9",
            },
            is_dark=False,
        ),
        _build_theme(
            "contrast",
            {
                "foreground": "#ffffff", "muted": "#d0d0d0", "accent": "#5fd7ff",
                "warning": "#ffd700", "error": "#ff8787", "background": "#000000",
                "surface": "#000000", "panel": "#303030", "frame": "#ffffff",
            },
            is_dark=True,
        ),
        _build_theme(
            "grey",
            {
                "foreground": "#d8d8d8", "muted": "#9a9a9a", "accent": "#ffffff",
                "warning": "#f0f0f0", "error": "#ffffff", "background": "#161616",
                "surface": "#1d1d1d", "panel": "#3a3a3a", "frame": "#5a5a5a",
            },
            is_dark=True,
        ),
    )
}  # fmt: skip
"""By name. Every severity has a mark too, so that none depends on its colour."""


def find_theme() -> str:
    """The theme to begin with: LORAWIZ_THEME, else what was chosen last, else dark."""
    try:
        wanted = os.environ.get(THEME_VARIABLE) or _chosen_file().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        wanted = ""
    return wanted if wanted in THEMES else "dark"


def keep_theme(name: str) -> None:
    """Begin with this theme from now on. Raises OSError."""
    write_atomically(_chosen_file(), name + "\n")


def _chosen_file() -> Path:
    return user_data() / "theme"
