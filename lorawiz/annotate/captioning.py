"""What captioners of torch have in common: pictures into a batch, texts out of it."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lorawiz.annotate.pictures import PictureFormat
from lorawiz.annotate.pretrained import Pretrained, telling_of_memory
from lorawiz.annotate.protocols import FloatArray

if TYPE_CHECKING:
    from torch import Tensor


Write = Callable[["Tensor", Sequence[str]], list[str]]
"""Texts for pictures [batch, channels, rows, columns] and their keys."""


class TorchCaptioner:
    """See `lorawiz.annotate.protocols.Captioner`."""

    def __init__(
        self, name: str, loaded: Pretrained, pictures: PictureFormat, write: Write, batch_size: int
    ) -> None:
        """`batch_size` is how many pictures `run` is given at most."""
        self.name = name
        self.revision = loaded.revision
        self.device = loaded.place.title
        self.min_side: int | None = pictures.min_side
        self._place = loaded.place
        self._pictures = pictures
        self._write = write
        self._batch_size = batch_size

    def prepare(self, image: Image.Image) -> FloatArray:
        """[channels, rows, columns]"""
        return self._pictures.prepare(image)

    def run(self, inputs: Sequence[FloatArray], keys: Sequence[str]) -> list[str]:
        """One line of text an input. Raises ModelError when memory runs out."""
        if not inputs:
            return []
        import torch

        rows, row_keys = list(inputs), list(keys)
        if not self._place.is_exact:
            # kernels differ by the shape of a batch: a batch that is never short gives a picture
            # the same text beside whatever others
            num_missing = max(self._batch_size - len(rows), 0)
            rows += [rows[-1]] * num_missing
            row_keys += [row_keys[-1]] * num_missing
        with telling_of_memory(self.device, len(rows)), torch.inference_mode():
            pixels_BCHW = torch.from_numpy(np.stack(rows))
            texts = self._write(pixels_BCHW.to(self._place.device, self._place.dtype), row_keys)
        return [as_one_line(text) for text in texts[: len(inputs)]]


_MARK = re.compile(r"</?[A-Za-z_]+\d*>")


def as_one_line(text: str) -> str:
    """`text` without marks such as <s> and <loc_12> and without control characters, its white
    space single spaces."""
    printable = "".join(each if each.isprintable() else " " for each in _MARK.sub(" ", text))
    return " ".join(printable.split())
