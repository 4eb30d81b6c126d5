"""Selfie segmentation: tells people from their background with a small network of MediaPipe.

Soft to about a hundredth of what it is shown: good to put something else behind somebody, not
to cut out single hairs. The range of input and output is that of MediaPipe's graph.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from lorawiz.annotate.litert import Network, load_network
from lorawiz.annotate.protocols import FloatArray

_INPUT_SIDE_PX = 256
MIN_SIDE_PX = 512
"""Twice the network's side: what is cut out of a picture to be segmented alone stays sharp."""


class SelfieSegmenter:
    """Masks people; see Segmenter."""

    name = "selfie"
    device = "CPU"
    min_side: int | None = MIN_SIDE_PX

    def __init__(self, network: Network) -> None:
        self.revision = network.sha256
        self._network = network

    def prepare(self, image: Image.Image) -> Image.Image:
        """The whole picture, made to fit into the network's square."""
        scale = _INPUT_SIDE_PX / max(image.size)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)

    def run(self, inputs: Sequence[Image.Image], keys: Sequence[str]) -> list[FloatArray]:
        """[rows, columns] a picture, its longer side 256, in 0…1: how surely each place
        belongs to a person."""
        return [self._segment(picture) for picture in inputs]

    def _segment(self, picture: Image.Image) -> FloatArray:
        # people who are squeezed are found worse: black fills the square
        canvas = Image.new("RGB", (_INPUT_SIDE_PX, _INPUT_SIDE_PX))
        left, top = ((_INPUT_SIDE_PX - side) // 2 for side in picture.size)
        canvas.paste(picture, (left, top))
        pixels = np.asarray(canvas, dtype=np.float32) / 255.0
        (output,) = self._network.run(pixels)
        rows, columns = slice(top, top + picture.height), slice(left, left + picture.width)
        mask: FloatArray = output[rows, columns, 0].clip(0.0, 1.0)
        return mask


def load_selfie() -> SelfieSegmenter:
    """Raises MissingExtraError."""
    return SelfieSegmenter(load_network("selfie_segmentation.tflite", "cutting out people"))
