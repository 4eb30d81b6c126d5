"""A terminal to sit at: a tmux server on a socket of its own, keys in, text out."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.requirements import need_program

_POLL_S = 0.1


class Terminal:
    """One window; ends with `close`."""

    def __init__(
        self, folder: Path, command: str, size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._tmux = [
            need_program("ssh", "tmux"),
            "-S",
            str(folder / "tmux.socket"),
            "-f",
            "/dev/null",
        ]
        exports = [
            part
            for name, value in (environment or {}).items()
            for part in ("-e", f"{name}={value}")
        ]
        self._run(
            "new-session",
            "-d",
            "-s",
            "main",
            "-x",
            str(size[0]),
            "-y",
            str(size[1]),
            *exports,
            command,
        )
        self._run("set-option", "-g", "remain-on-exit", "on")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: `Enter`, `Down`, `C-c`, or letters."""
        for key in keys:
            self._run("send-keys", "-t", "main", key)
            time.sleep(_POLL_S)

    def type(self, text: str) -> None:
        """Letters as they are."""
        self._run("send-keys", "-t", "main", "-l", text)

    def read(self) -> str:
        """What stands on the screen."""
        return self._run("capture-pane", "-t", "main", "-p")

    def wait_for(self, text: str, timeout_s: float = 60.0) -> str:
        """Until `text` stands on the screen; the screen."""
        deadline = time.monotonic() + timeout_s
        while text not in (shown := self.read()):
            assert time.monotonic() < deadline, f"{text!r} is not on the screen:\n{shown}"
            time.sleep(_POLL_S)
        return shown

    def close(self) -> None:
        """End the server and what runs in it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def _run(self, *arguments: str) -> str:
        answer = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout
