"""Running the real command in a child process."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


def lorawiz(*arguments: str, cwd: Path, **environment: str) -> Answer:
    """Run `lorawiz ARGUMENTS` without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "lorawiz", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
        stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1", **environment},
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)
