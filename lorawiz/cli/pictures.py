"""A run's samples on the terminal: a row for each prompt, from the first step to the last."""

import os
import sys

import typer
from PIL import Image

from lorawiz.errors import visible_text
from lorawiz.paths import Project
from lorawiz.runs.view import RunView
from lorawiz.tui.images import IMAGES_VARIABLE

_MOST_PICTURES = 4
_GAP_PX = 2


def show_progress(project: Project, view: RunView) -> None:
    """Print what every prompt drew over the steps. Nothing where there is no terminal."""
    if not sys.stdout.isatty() or os.environ.get(IMAGES_VARIABLE) == "off":
        return
    from rich.console import Console
    from textual_image.renderable import HalfcellImage

    console = Console()
    steps = choose_steps(sorted({sample.step for sample in view.samples}))
    for index in sorted({sample.index for sample in view.samples}):
        drawn = {s.step: s for s in view.samples if s.index == index and s.step in steps}
        paths = [project.root / drawn[step].path for step in sorted(drawn)]
        shown_steps = ", ".join(str(step) for step in sorted(drawn))
        prompt = visible_text(next(iter(drawn.values())).prompt)
        typer.echo(f"\n{prompt}   (steps {shown_steps})")
        strip = join_pictures([Image.open(path).convert("RGB") for path in paths])
        console.print(HalfcellImage(strip, width=min(console.width, 36 * len(paths))))


def choose_steps(steps: list[int]) -> list[int]:
    """At most four of the sorted steps: the first, the last, and some between."""
    if len(steps) <= _MOST_PICTURES:
        return steps
    last = len(steps) - 1
    return [steps[round(i * last / (_MOST_PICTURES - 1))] for i in range(_MOST_PICTURES)]


def join_pictures(pictures: list[Image.Image]) -> Image.Image:
    """The pictures side by side, with a dark gap between."""
    width = sum(p.width for p in pictures) + _GAP_PX * (len(pictures) - 1)
    strip = Image.new("RGB", (width, max(p.height for p in pictures)))
    left = 0
    for picture in pictures:
        strip.paste(picture, (left, 0))
        left += picture.width + _GAP_PX
    return strip
