"""Draws the pictures of the README from the real app: `python docs/make_pictures.py PROJECT`.

PROJECT is a project that has been trained twice, such as lorawiz-demo after another run with
`--set network.dim=8`; its path is in the pictures, so let it lie in the home folder. Writes an SVG of every screen
at 80×24 and, with the suffix -wide, at 120×36, and docs/session.svg (commands and what they print).
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
SIZES = {"": (80, 24), "-wide": (120, 36)}
Build = Callable[[Any], Any]


def list_screens(root: Path) -> dict[str, tuple[Build, tuple[str, ...]]]:
    """By picture: what builds the screen, and the keys pressed before it is drawn."""
    from lorawiz.paths import Project
    from lorawiz.runs.folder import list_runs
    from lorawiz.spec import load_spec
    from lorawiz.tui.check.screen import CheckScreen
    from lorawiz.tui.compare.comparison import load_comparison
    from lorawiz.tui.compare.screen import CompareScreen
    from lorawiz.tui.follow import RunFollower
    from lorawiz.tui.review.screen import ReviewScreen
    from lorawiz.tui.review.session import ReviewSession
    from lorawiz.tui.screens.run import RunScreen
    from lorawiz.tui.settings.screen import SettingsScreen
    from lorawiz.tui.tags.screen import TagsScreen
    from lorawiz.tui.wizard.answers import Answers
    from lorawiz.tui.wizard.cleaning import CleanScreen
    from lorawiz.tui.wizard.new_project import NewProjectScreen
    from lorawiz.tui.wizard.screen import WizardScreen

    project = Project(root)
    first, second = list_runs(project)[:2]

    def open_session() -> ReviewSession:
        return ReviewSession(project, load_spec(project.spec))

    return {
        "new": (lambda _image: NewProjectScreen(Answers("face-lora", "lyq", trigger="lyq")), ()),
        "wizard": (lambda image: WizardScreen(project, image), ("g", "j")),
        "files": (lambda image: WizardScreen(project, image), ("g", "j", "j", "f")),
        "clean": (lambda _image: CleanScreen(project), ()),
        "review": (lambda image: ReviewScreen(open_session(), image), ("j", "j")),
        "crop": (lambda image: ReviewScreen(open_session(), image), ("b",)),
        "images": (
            lambda image: ReviewScreen(open_session(), image),
            ("v", "j", "v", "equals_sign"),
        ),
        "tags": (lambda _image: TagsScreen(open_session()), ("i",)),
        "settings": (lambda _image: SettingsScreen(project, "train.lr_scheduler"), ()),
        "check": (lambda _image: CheckScreen(project), ()),
        "panel": (lambda image: RunScreen(RunFollower(first), image), ()),
        "compare": (lambda _image: CompareScreen(load_comparison(first, second)), ()),
    }


async def draw(name: str, build: Build, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    """Open a screen without a terminal, let it settle, and save what it shows."""
    from lorawiz.tui.app import LorawizApp

    app = LorawizApp(build)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(3.0)
        await pilot.press(*keys)
        await pilot.pause(1.5)
        (DOCS / f"{name}.svg").write_text(app.export_screenshot(title="lorawiz"))


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
    os.environ["LORAWIZ_LANG"] = "en"
    project = Path(sys.argv[1]).absolute()
    for name, (build, keys) in list_screens(project).items():
        for suffix, size in SIZES.items():
            asyncio.run(draw(name + suffix, build, keys, size))
    draw_session(project)


if __name__ == "__main__":
    main()
