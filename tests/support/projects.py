"""Projects on the disk, made inline by the tests that need them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lorawiz.dataset.adding import Source, add_images
from lorawiz.paths import Project, write_atomically
from lorawiz.spec.document import dump_spec, load_spec, set_value

TINY: dict[str, str] = {
    "project.name": "lyq",
    "project.trigger": "lyq",
    "project.class_word": "woman",
    "dataset.resolution": "64",
    "dataset.min_bucket_reso": "64",
    "dataset.max_bucket_reso": "128",
    "train.learning_rate": "1e-3",
    "network.dim": "4",
    "network.alpha": "2",
}
"""Settings that fit the tiny base."""


def save_photo(path: Path, size: tuple[int, int] = (96, 96), seed: int = 0) -> Path:
    """A JPEG or PNG with something to see: a gradient and noise of `seed`."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 80, (height, width, 3))
    ramp = np.linspace(0, 150, width)[None, :, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((noise + ramp).astype(np.uint8)).save(path, quality=92)
    return path


def make_project(
    folder: Path,
    num_images: int = 4,
    settings: Mapping[str, str] | None = None,
    tags: Sequence[str] = ("lyq", "smile", "red coat"),
    caption: str = "a woman",
    size: tuple[int, int] = (96, 96),
) -> Project:
    """A project with photos, captions and tags; `settings` are put over TINY."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder.absolute())
    project.images.mkdir(exist_ok=True)
    write_atomically(project.spec, "schema = 1\n")
    for key, value in {**TINY, **(settings or {})}.items():
        set_value(project.spec, key, value)
    sources = [
        Source(
            save_photo(folder / "photos" / f"IMG_{i:04d}.jpg", size, seed=i), caption, tuple(tags)
        )
        for i in range(num_images)
    ]
    if sources:
        add_images(project, sources)
    else:
        write_atomically(project.dataset, "")
    return project


def link_base(project: Project, base: Path) -> None:
    """Put `base` into the project's models/ and name it in the spec."""
    project.models.mkdir(exist_ok=True)
    (project.models / base.name).symlink_to(base)
    set_value(project.spec, "base.checkpoint", base.name)


def read_journal(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def spec_text(project: Project) -> str:
    return dump_spec(load_spec(project.spec))
