"""`python -m lorawiz.tui FOLDER`: the wizard on a project, without the command line around it.

What a web server starts: there standard input and output are pipes, not a terminal.
"""

import sys
from pathlib import Path

from lorawiz.paths import find_project
from lorawiz.tui.app import run_wizard


def main(arguments: list[str]) -> None:
    """Raises LorawizError where there is no project."""
    run_wizard(find_project(Path(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
