"""Learning on the demo's base, and how near pictures are to a person's photos: in pixels, and in what the demo's VAE sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lorawiz.cli.demo_job import add_demo_base, make_demo_project
from lorawiz.dataset.adding import add_images
from lorawiz.dataset.sources import Source
from lorawiz.demo import BASE
from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.families.sd15.adapter import ADAPTER
from lorawiz.paths import Project
from lorawiz.spec.document import change_values

SIDE_PX = 64
_LEARNER: Mapping[str, str | None] = {
    "train.max_train_epochs": None,
    "train.save_every_n_epochs": None,
    "train.min_snr_gamma": None,
    "sample.every_n_epochs": None,
    "sample.at_first": "false",
    "dataset.batch_size": "4",
    "dataset.num_repeats": "4",
}


@dataclass(frozen=True)
class Distance:
    """How far a picture is from the nearest of some photos."""

    pixels: float
    """Root mean square difference, 0 to 1."""
    features: float
    """1 − cosine between the latents' means, centred: 0 is the same picture, 1 an unrelated one."""


def make_learner(folder: Path, photos: list[Path], settings: Mapping[str, str | None]) -> Project:
    """The demo's project with other photos, all called by the trigger."""
    project = make_demo_project(folder)
    add_images(project, [Source(photo, "a photo of zkw woman", ()) for photo in photos])
    add_demo_base(project)
    change_values(project.spec, {**_LEARNER, **settings})
    return project


def read_picture(path: Path) -> Tensor:
    """pixels_CYX in -1…1: the middle square at 64 pixels."""
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    side = min(rgb.size)
    left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
    square = rgb.crop((left, top, left + side, top + side)).resize((SIDE_PX, SIDE_PX), 3)
    return torch.from_numpy(np.asarray(square, np.float32) / 127.5 - 1.0).permute(2, 0, 1)


def measure_distance(picture: Path, photos: Sequence[Path]) -> Distance:
    """The distance to the nearest of `photos`, for each measure on its own."""
    own_CYX, own_F = read_picture(picture), _features(picture)
    pixels, features = [], []
    for photo in photos:
        difference = (own_CYX - read_picture(photo)) / 2
        pixels.append(float(difference.square().mean().sqrt()))
        features.append(1 - float(torch.cosine_similarity(own_F, _features(photo), dim=0)))
    return Distance(min(pixels), min(features))


def measure_drift(one: Path, other: Path) -> float:
    """Root mean square difference of two pictures, 0 to 1."""
    return float(((read_picture(one) - read_picture(other)) / 2).square().mean().sqrt())


def _features(path: Path) -> Tensor:
    with torch.no_grad():
        moments = ADAPTER.encode_pixels(_load_vae(), read_picture(path)[None])
    return moments.chunk(2, dim=1)[0].flatten()


@cache
def _load_vae() -> nn.Module:
    return ADAPTER.load_vae(inspect_checkpoint(BASE), None)
