"""Draws the pictures of the README from the real app: `python docs/make_pictures.py RUN_DIR`.

RUN_DIR is the folder of a run, such as lorawiz-demo/runs/demo-face-0001. Writes docs/panel.svg
(80×24), docs/panel-wide.svg (120×36) and docs/session.svg (commands and what they print).
"""

import asyncio
import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
SIZES = {"panel": (80, 24), "panel-wide": (120, 36)}


async def draw(run_dir: Path, name: str, size: tuple[int, int]) -> None:
    """Open the panel without a terminal, let it settle, and save what it shows."""
    from lorawiz.runs.folder import RunFolder
    from lorawiz.tui.app import PanelApp

    app = PanelApp(RunFolder(run_dir.absolute()))
    async with app.run_test(size=size) as pilot:
        await pilot.pause(2.0)
        (DOCS / f"{name}.svg").write_text(app.export_screenshot(title="lorawiz attach"))


def draw_session(project: Path) -> None:
    """Run commands in the project and save what they print as a terminal's picture."""
    import subprocess

    from rich.console import Console
    from rich.text import Text

    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=88, file=nowhere)
        for command in ("check", "status", "set train.learning_rte 1e-4"):
            console.print(Text(f"$ lorawiz {command}", style="bold"))
            answer = subprocess.run(
                [sys.executable, "-m", "lorawiz", *command.split()],
                cwd=project, capture_output=True, text=True, check=False,
            )  # fmt: skip
            console.print(Text(answer.stdout + answer.stderr))
        (DOCS / "session.svg").write_text(console.export_svg(title="lorawiz"))


def main() -> None:
    # graphics protocols do not appear in a screenshot: half-blocks do
    os.environ["LORAWIZ_IMAGES"] = "half"
    for name, size in SIZES.items():
        asyncio.run(draw(Path(sys.argv[1]), name, size))
    draw_session(Path(sys.argv[1]).parents[1])


if __name__ == "__main__":
    main()
