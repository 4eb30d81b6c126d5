"""The user's own editor: which one, and how it is told the line."""

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from lorawiz.errors import ProjectError
from lorawiz.tui.language import tr

_FALLBACKS = ("vi", "nano")
_PLUS_LINE = frozenset(
    {
        "vi", "vim", "vim.basic", "vim.tiny", "nvim", "view", "gvim", "nano", "pico", "emacs",
        "emacsclient", "micro", "joe", "jed", "jmacs", "jove", "kak", "mg", "ne", "mcedit", "zile",
        "ee", "elvis", "nvi", "tilde", "vis", "dte",
    }
)  # fmt: skip
"""Editors that take `+14 FILE`."""
_COLON_LINE = frozenset({"hx", "helix", "subl", "zed", "zeditor"})
"""Editors that take `FILE:14`."""
_GOTO_LINE = frozenset({"code", "code-insiders", "codium", "cursor"})
"""Editors that take `--goto FILE:14`."""


def find_editor() -> list[str]:
    """The editor's command: VISUAL, EDITOR, else vi or nano.

    Raises ProjectError where there is none.
    """
    for variable in ("VISUAL", "EDITOR"):
        wanted = os.environ.get(variable, "").strip()
        if wanted:
            return _split(wanted, variable)
    for name in _FALLBACKS:
        if shutil.which(name):
            return [name]
    raise ProjectError(
        tr("no editor here: VISUAL and EDITOR are not set, and there is no vi or nano"),
        tr("before you start lorawiz: export EDITOR=…"),
    )


def build_command(editor: Sequence[str], path: Path, line: int | None) -> list[str]:
    """`editor` with the file, at `line` where the editor can be told one."""
    name = Path(editor[0]).name
    if line is None:
        return [*editor, str(path)]
    if name in _PLUS_LINE:
        return [*editor, f"+{line}", str(path)]
    if name in _COLON_LINE:
        return [*editor, f"{path}:{line}"]
    if name in _GOTO_LINE:
        return [*editor, "--goto", f"{path}:{line}"]
    return [*editor, str(path)]


def _split(wanted: str, variable: str) -> list[str]:
    try:
        return shlex.split(wanted)
    except ValueError as error:
        raise ProjectError(
            tr("{variable} is no command: a quote is open", variable=variable),
            tr("before you start lorawiz: export EDITOR=…"),
        ) from error
