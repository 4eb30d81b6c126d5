"""What is computed once and kept in work/: the VAE's moments and the text encoder's outputs.

An entry's name is a hash of everything that its content depends on, so nothing stale is ever
read: another crop, bucket, VAE or text is another entry.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from lorawiz.dataset.batches import Item
from lorawiz.dataset.content import content_key, load_content
from lorawiz.dataset.records import find_image
from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project, file_sha256, write_atomically
from lorawiz.spec import Spec

_FORMAT = 2
"""Raised when the meaning of an entry changes."""


class TensorCache:
    """Tensors by key, one small file each, under work/NAME/."""

    def __init__(self, project: Project, name: str) -> None:
        self._folder = project.work / name

    def find(self, *key: object) -> Tensor | None:
        """The tensor under `key`, or None when it is not there or its file is damaged."""
        try:
            value: Tensor = load_tensors(self._path(key).read_bytes())["value"]
        except (FileNotFoundError, SafetensorError, KeyError):
            return None
        return value

    def put(self, value: Tensor, *key: object) -> None:
        """Keep a tensor. Two runs may do so at once: each writes the same bytes in one step."""
        write_atomically(self._path(key), save_tensors({"value": value.contiguous()}))

    def _path(self, key: Sequence[object]) -> Path:
        name = hashlib.sha256(json.dumps([_FORMAT, *key], default=str).encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.safetensors"


def latents_key(item: Item, spec: Spec, vae_sha256: str) -> tuple[object, ...]:
    """What an image's moments depend on."""
    content = content_key(item.record, spec.dataset, spec.cutout)
    return (content, item.fit.bucket, item.fit.resized, item.flipped, vae_sha256)


def load_pixels(project: Project, item: Item, spec: Spec) -> Tensor:
    """pixels_CYX in -1…1 of an image, upright, scaled and cut to its bucket.

    Raises DatasetError when the file is no longer the one that was added.
    """
    path = find_image(project, item.record)
    if not path.is_file() or file_sha256(path) != item.record.sha256:
        raise DatasetError(
            f"{visible_text(item.record.image_path)}: not the file that was added",
            "put the old file back, or add the new one under another name: lorawiz add",
        )
    fit = item.fit
    image = load_content(project, item.record, spec.dataset, spec.cutout, min(fit.resized))
    image = image.resize(fit.resized, resample=3, reducing_gap=3.0)  # 3: bicubic, antialiased
    left, top = fit.crop_left_top
    image = image.crop((left, top, left + fit.bucket[0], top + fit.bucket[1]))
    array_YXC = np.asarray(image, dtype=np.float32) / 127.5 - 1.0
    pixels_CYX = torch.from_numpy(array_YXC.copy()).permute(2, 0, 1)
    return pixels_CYX.flip(-1) if item.flipped else pixels_CYX
