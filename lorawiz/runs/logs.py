"""What a view of a run keeps of its events: one record a step, save, sample, validation."""

from dataclasses import dataclass
from typing import NamedTuple


class StepLog(NamedTuple):
    """One optimizer step."""

    step: int
    epoch: int
    loss: float
    smooth_loss: float
    """Exponential average with bias correction, weight 0.97 for the past."""
    lr: float
    grad_norm: float
    step_s: float
    """Seconds since the last step's end, waits included."""


@dataclass(frozen=True)
class SavedFile:
    step: int
    epoch: int
    path: str
    """Relative to the project."""
    num_bytes: int
    time: str


@dataclass(frozen=True)
class SampleFile:
    step: int
    index: int
    """Which of the spec's prompts, from 0."""
    prompt: str
    path: str


@dataclass(frozen=True)
class ValidationLog:
    """The loss on images that are not trained on."""

    step: int
    loss: float
    std: float | None
    """The spread of the mean over its draws, where the trainer tells it."""


@dataclass(frozen=True)
class ImageLoss:
    """How hard one image is: from the event `image_loss`, which a trainer writes after an epoch.

    `{"event": "image_loss", "epoch": 3, "images": {"images/a.jpg": [0.0931, 4], …}}`: for each
    image its mean loss over the views of that epoch, and how many these were.
    """

    image_path: str
    loss: float
    """The mean over the views of the last epochs."""
    num_views: int
    factor: float
    """How many times the mean of all images."""
