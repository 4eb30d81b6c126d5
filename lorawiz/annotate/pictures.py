"""How a model in the hub's layout wants its pictures: size, filter, mean and spread."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lorawiz.annotate.pretrained import read_json
from lorawiz.annotate.protocols import FloatArray
from lorawiz.errors import ModelError, visible_text

PICTURE_FILES = ("preprocessor_config.json", "processor_config.json")
"""Where it is written; the second is what transformers 5 writes, with the first inside."""


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """A picture is squashed to one size, never cropped, then normalised by channel."""

    width_px: int
    height_px: int
    resample: Image.Resampling
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def min_side(self) -> int:
        """The longer side of the model's input, in pixels."""
        return max(self.width_px, self.height_px)

    def prepare(self, image: Image.Image) -> FloatArray:
        """[channels, rows, columns] of an upright RGB picture. Safe in several threads."""
        squashed = image.resize((self.width_px, self.height_px), self.resample)
        pixels = np.asarray(squashed, dtype=np.float32).transpose(2, 0, 1)
        scale = 1.0 / (255.0 * np.array(self.std))
        offset = np.array(self.mean) / np.array(self.std)
        normalised: FloatArray = np.ascontiguousarray(
            pixels * scale.astype(np.float32)[:, None, None]
            - offset.astype(np.float32)[:, None, None]
        )
        return normalised


def read_picture_format(folder: Path) -> PictureFormat:
    """From the folder's preprocessor_config.json. Raises ModelError."""
    name = next((name for name in PICTURE_FILES if (folder / name).is_file()), PICTURE_FILES[0])
    settings = read_json(folder / name)
    return parse_picture_format(settings.get("image_processor", settings), folder / name)


def parse_picture_format(settings: Mapping[str, Any], path: Path) -> PictureFormat:
    """From what an image processor of transformers saves. Raises ModelError that names `path`."""
    try:
        width, height = _parse_size(settings["size"])
        mean, std = _three(settings["image_mean"]), _three(settings["image_std"])
        resample = Image.Resampling(settings.get("resample", Image.Resampling.BICUBIC))
        if min(width, height) < 1 or min(std) <= 0.0:
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{visible_text(str(path))}: no size, image_mean and image_std that fit this model",
            "take the file anew from the model's repository",
        ) from error
    return PictureFormat(width, height, resample, mean, std)


def _parse_size(size: Any) -> tuple[int, int]:
    """(width, height). Older files have a bare number."""
    if isinstance(size, Mapping):
        return int(size["width"]), int(size["height"])
    return int(size), int(size)


def _three(numbers: Any) -> tuple[float, float, float]:
    red, green, blue = numbers
    return float(red), float(green), float(blue)
