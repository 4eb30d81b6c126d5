"""The photographs behind the demo's base, and the small pictures that are cut from them.

Each cut is a function of the seed and its number alone. No torch here.
Shape suffixes: N pictures, C channels, Y X pixels.
"""

import importlib.util
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lorawiz.errors import ModelError
from lorawiz.paths import file_sha256

SIDE_PX = 64
SOURCES = Path(__file__).with_name("sources.toml")
_SQUARE_SCALES = (0.82, 1.08)
_SMALLEST_PATCH_PX = 48
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """A square of one photograph and the captions it is trained with."""

    square: tuple[int, int, int]
    """(left, top, side) in the photograph's pixels."""
    captions: tuple[str, ...]
    wander: bool = False
    share: float = 1.0
    """How often it is drawn, against 1 for an ordinary photograph."""


@dataclass(frozen=True)
class TrainingPhoto:
    """One photograph in RGB with its views."""

    image: Image.Image
    views: tuple[View, ...]


def load_training_photos(sources: Path = SOURCES) -> list[TrainingPhoto]:
    """Every photograph of sources.toml. Raises ModelError: a package is missing or another."""
    photos = []
    for entry in tomllib.loads(sources.read_text("utf-8"))["photo"]:
        path = _find_in_package(entry["package"], entry["file"])
        if file_sha256(path) != entry["sha256"]:
            raise ModelError(
                f"{path}: not the photograph that the base is made from",
                "install the versions that pyproject.toml names: pip install 'lorawiz[demo-base]'",
            )
        views = entry["view"]
        share = entry.get("share", 1.0) / len(views)
        with Image.open(path) as image:
            photos.append(
                TrainingPhoto(
                    image.convert("RGB"),
                    tuple(
                        View(
                            tuple(v["square"]), tuple(v["captions"]), v.get("wander", False), share
                        )
                        for v in views
                    ),
                )
            )
    return photos


def cut_patches(photos: Sequence[TrainingPhoto], count: int, seed: int) -> Pixels:
    """pixels_NYXC: squares from anywhere, of any size, colours strongly varied: for the VAE."""
    draws = np.random.default_rng([seed, 0])
    pixels = np.empty((count, SIDE_PX, SIDE_PX, 3), np.uint8)
    for index in range(count):
        image = photos[index % len(photos)].image
        largest = min(image.size)
        # small squares as often as large ones, on a logarithmic scale
        side = _SMALLEST_PATCH_PX * (largest / _SMALLEST_PATCH_PX) ** draws.random()
        left = draws.random() * (image.width - side)
        top = draws.random() * (image.height - side)
        patch = _cut(image, left, top, side)
        if draws.random() < 0.5:
            patch = ImageOps.mirror(patch)
        values = np.asarray(patch)
        if draws.random() < 0.15:
            values = values[..., draws.permutation(3)]
        pixels[index] = _vary_colours(values, draws, 0.25)
    return pixels


def cut_views(photo: TrainingPhoto, view: View, count: int, seed: Sequence[int]) -> Pixels:
    """pixels_NYXC: the view's square, moved, scaled, mirrored and coloured a little."""
    draws = np.random.default_rng([*seed])
    image = photo.image
    left, top, side = view.square
    pixels = np.empty((count, SIDE_PX, SIDE_PX, 3), np.uint8)
    for index in range(count):
        scaled = min(side * draws.uniform(*_SQUARE_SCALES), *image.size)
        if view.wander:
            x, y = draws.random() * (image.width - scaled), draws.random() * (image.height - scaled)
        else:
            x = left + (side - scaled) * 0.5 + draws.uniform(-0.05, 0.05) * side
            y = top + (side - scaled) * 0.5 + draws.uniform(-0.05, 0.05) * side
        x = min(max(x, 0.0), image.width - scaled)
        y = min(max(y, 0.0), image.height - scaled)
        cut = _cut(image, x, y, scaled)
        if draws.random() < 0.5:
            cut = ImageOps.mirror(cut)
        pixels[index] = _vary_colours(np.asarray(cut), draws, 0.06)
    return pixels


def _cut(image: Image.Image, left: float, top: float, side: float) -> Image.Image:
    box = (left, top, min(left + side, image.width), min(top + side, image.height))
    return image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC, box=box)


def _vary_colours(values: NDArray[np.uint8], draws: np.random.Generator, most: float) -> Pixels:
    gains = draws.uniform(1 - most, 1 + most) * draws.uniform(1 - most / 2, 1 + most / 2, 3)
    shift = draws.uniform(-most, most) * 64
    varied: Pixels = np.clip(values * gains + shift, 0, 255).round().astype(np.uint8)
    return varied


def _find_in_package(package: str, file: str) -> Path:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / file
        if path.is_file():
            return path
    raise ModelError(f"{package}/{file} is not there", "pip install 'lorawiz[demo-base]'")
