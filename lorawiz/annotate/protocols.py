"""What every model that looks at images answers; a picture in, findings out.

A model never opens an image file: `prepare` gets the decoded picture, in any thread, while
`run` works on the batch before, in one thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Prepared = TypeVar("Prepared")
Finding = TypeVar("Finding")

FloatArray = NDArray[np.float32]

Category = Literal[
    "general", "character", "rating", "copyright", "artist", "meta", "model", "quality"
]


class Annotator(Protocol[Prepared, Finding]):
    """A model over images. Findings do not depend on how images are batched."""

    name: str
    """As the spec or the registry calls it."""
    revision: str
    """SHA-256 of the weights: evidence of other weights is other evidence."""
    device: str
    """Where it runs, in words for the user: `CPU`, `CUDA (NVIDIA …)`."""
    min_side: int | None
    """A JPEG may be decoded at a reduced scale as long as its shorter side keeps this many
    pixels; None wants every pixel."""

    def prepare(self, image: Image.Image) -> Prepared:
        """The model's input of one upright RGB picture. Safe in several threads at once."""

    def run(self, inputs: Sequence[Prepared], keys: Sequence[str]) -> list[Finding]:
        """One finding an input. `keys` are the images' SHA-256: what is drawn at random for an
        image depends on its key alone."""


@dataclass(frozen=True, slots=True)
class Label:
    """One output of a tagger."""

    name: str
    """As the model's table writes it, with underscores."""
    category: Category


Scores = dict[str, float]
"""Score in 0…1 by label name, for labels above MIN_SCORE, in the order of the model's table."""

MIN_SCORE = 0.05
"""What scores less is not kept as evidence."""


class Tagger(Annotator[FloatArray, Scores], Protocol):
    """Scores labels."""

    labels: Sequence[Label]


class Captioner(Annotator[FloatArray, str], Protocol):
    """Writes a sentence."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face; all places are shares of the picture's width and height, so any scale will do."""

    left: float
    top: float
    right: float
    bottom: float
    score: float
    """How sure the detector is, 0…1."""
    points: tuple[tuple[float, float], ...] = ()
    """Right eye, left eye, nose, mouth, right ear, left ear, as (x, y)."""


class FaceDetector(Annotator[Image.Image, list[Face]], Protocol):
    """Finds faces, surest first."""


class Segmenter(Annotator[Image.Image, FloatArray], Protocol):
    """Masks the subject: [rows, columns] in 0…1 over the whole picture, at the model's scale."""
