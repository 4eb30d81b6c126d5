"""Projects on the disk, made inline by the tests that need them."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lorawiz.dataset.adding import add_images
from lorawiz.dataset.sources import Source
from lorawiz.paths import Project, write_atomically
from lorawiz.spec.document import set_value

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
    write_atomically(project.spec, _spec_text({**TINY, **(settings or {})}))
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


def _spec_text(settings: Mapping[str, str]) -> str:
    """A spec with these settings alone; values as TOML, or bare words."""
    tables: dict[str, list[str]] = {}
    for dotted, value in settings.items():
        table, _, key = dotted.partition(".")
        tables.setdefault(table, []).append(f"{key} = {_as_toml(value)}")
    lines = [line for table, keys in tables.items() for line in ("", f"[{table}]", *keys)]
    return "\n".join(["schema = 1", *lines, ""])


def _as_toml(value: str) -> str:
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return json.dumps(value)
    return value


def link_base(project: Project, base: Path) -> None:
    """Put `base` into the project's models/ and name it in the spec."""
    project.models.mkdir(exist_ok=True)
    (project.models / base.name).symlink_to(base)
    set_value(project.spec, "base.checkpoint", base.name)


def read_journal(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
