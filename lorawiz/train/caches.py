"""What is computed once and kept in work/: the VAE's moments and the text encoder's outputs.

An entry's name is a hash of everything that its content depends on, so nothing stale is ever
read: another crop, bucket, VAE or text is another entry.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
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
from lorawiz.families.conditioning import Framing, TextConditioning
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
        return (self.find_all(*key) or {}).get("value")

    def find_all(self, *key: object) -> dict[str, Tensor] | None:
        """The tensors under `key` by name, or None when its file is not there or damaged."""
        try:
            tensors: dict[str, Tensor] = load_tensors(self._path(key).read_bytes())
        except (FileNotFoundError, SafetensorError):
            return None
        return tensors

    def renew(self, *key: object) -> bool:
        """Whether a whole entry is there; it counts as used from now on (see `runs.caches`)."""
        if self.find_all(*key) is None:
            return False
        with suppress(OSError):  # a folder that can only be read
            os.utime(self._path(key))
        return True

    def put(self, value: Tensor, *key: object) -> None:
        """Keep a tensor. Two runs may do so at once: each writes the same bytes in one step."""
        self.put_all({"value": value}, *key)

    def put_all(self, values: dict[str, Tensor], *key: object) -> None:
        """Keep several tensors under one key."""
        data = save_tensors({name: value.contiguous() for name, value in values.items()})
        write_atomically(self._path(key), data)

    def _path(self, key: Sequence[object]) -> Path:
        name = hashlib.sha256(json.dumps([_FORMAT, *key], default=str).encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.safetensors"


class TextCache:
    """What the text encoders make of single prompts."""

    def __init__(self, project: Project) -> None:
        self._cache = TensorCache(project, "text")

    def find(self, *key: object) -> TextConditioning | None:
        """A batch of one, or None when it is not there or its file is damaged."""
        tensors = self._cache.find_all(*key)
        try:
            return None if tensors is None else TextConditioning.from_tensors(tensors)
        except KeyError:
            return None

    def renew(self, *key: object) -> bool:
        """Whether a whole entry is there; it counts as used from now on."""
        return self.find(*key) is not None and self._cache.renew(*key)

    def put(self, text: TextConditioning, *key: object) -> None:
        """Keep a batch of one."""
        self._cache.put_all(text.to("cpu").to_tensors(), *key)


def find_framing(item: Item) -> Framing:
    """Where the view's pixels were cut from, as its bucket has it."""
    (width, _), (bucket_width, _) = item.fit.resized, item.fit.bucket
    left, top = item.fit.crop_left_top
    if item.flipped:  # what was cut off the right is now at the left
        left = width - bucket_width - left
    return Framing(item.record.content_size, (left, top), item.fit.bucket)


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
