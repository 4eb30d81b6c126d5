"""How long `lorawiz tag` takes for phone photos, with a tagger that costs next to nothing.

    python -m tests.benchmarks.tag_photos [NUM_PHOTOS]

24 JPEGs of 3000×4000 by default. What is measured is everything but the model: decoding,
shrinking, writing evidence and dataset, and for the whole command Python's own start. The
reference is the plain way in the same run: one thread, full decode, Pillow's resize.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

import numpy as np
from PIL import Image

from lorawiz.annotate.protocols import MIN_SCORE
from lorawiz.dataset.evidence import load_newest
from lorawiz.paths import Project, write_atomically
from tests.support.taggers import build_wd14

SIZE = (3000, 4000)


def save_photos(folder: Path, num_photos: int) -> list[Path]:
    """Photos of about 3 MB: shapes with the noise of a small sensor."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(num_photos):
        coarse = rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC))
        noise = rng.integers(-9, 10, (*SIZE[::-1], 1), dtype=np.int16)
        picture = np.clip(smooth.astype(np.int16) + noise, 0, 255).astype(np.uint8)
        path = folder / f"IMG_{number:04d}.jpg"
        Image.fromarray(picture).save(path, quality=88)
        paths.append(path)
    return paths


def time_reference(paths: list[Path]) -> float:
    """Seconds of the plain way."""
    started = time.monotonic()
    for path in paths:
        with Image.open(path) as image:
            np.asarray(image.convert("RGB").resize((448, 448), Image.Resampling.BOX), np.float32)
    return time.monotonic() - started


def run(*arguments: str, cwd: Path) -> tuple[float, str]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "lorawiz", *arguments],
        cwd=cwd, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return time.monotonic() - started, done.stdout


def read_scores(project: Project) -> dict[str, dict[str, float]]:
    """Scores by image path and label."""
    return {
        each.image_path: dict(each.finding["scores"])
        for each in load_newest(project, "tags", "tiny")
    }


def describe_deviation(
    draft: dict[str, dict[str, float]], full: dict[str, dict[str, float]]
) -> str:
    """How far scores of draft-decoded photos are from those of photos decoded in full."""
    differences = [
        abs(score - draft[path].get(label, MIN_SCORE))
        for path, scores in full.items()
        for label, score in scores.items()
    ]
    return (
        f"draft against full decode: scores differ by {mean(differences):.5f} on average, "
        f"{max(differences):.5f} at most, of {len(differences)}"
    )


def main() -> None:
    num_photos = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = save_photos(folder / "photos", num_photos)
        megabytes = sum(path.stat().st_size for path in paths) / 1e6
        print(
            f"{num_photos} photos of {SIZE[0]}×{SIZE[1]}, {megabytes:.0f} MB, {os.cpu_count()} cores"
        )
        project = Project(folder / "project")
        build_wd14(project.models / "tiny")
        write_atomically(project.spec, 'schema = 1\n[tag]\nmodel = "tiny"\n')
        write_atomically(project.dataset, "")
        add_s, _ = run("add", "--link", str(folder / "photos"), cwd=project.root)
        reference_s = time_reference(paths)
        scores: dict[str, dict[str, dict[str, float]]] = {}
        for full_decode in ("false", "true"):
            run("set", "tag.full_decode", full_decode, cwd=project.root)
            command_s, text = run("tag", "--redo", "--json", cwd=project.root)
            loop_s = json.loads(text)["loop_s"]
            scores[full_decode] = read_scores(project)
            print(
                f"full_decode = {full_decode:<5}  loop {loop_s:5.2f} s "
                f"({loop_s / reference_s:.2f} of the plain way), command {command_s:5.2f} s"
            )
        print(describe_deviation(scores["false"], scores["true"]))
        print(f"the plain way  loop {reference_s:5.2f} s;  lorawiz add --link {add_s:.2f} s")


if __name__ == "__main__":
    main()
