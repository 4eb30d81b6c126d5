"""Measuring on images that are not trained, as settings."""

from typing import Annotated

from pydantic import Field, field_validator

from lorawiz.spec.table import Positive, Table, as_float


class ValidationTable(Table):
    """Images that are held out of training, to see whether it learns more than the others."""

    split: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Share of the images that are held out: never trained, only measured. 0 is none, 0.1 is
    usual."""
    every_n_epochs: Positive | None = None
    """Measure every n epochs, and at the end."""
    every_n_steps: Positive | None = None
    """Measure every n optimizer steps, and at the end."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    """Decides which images are held out, and the noise that they are measured with."""
    num_timesteps: Annotated[int, Field(ge=1, le=100)] = 4
    """Noise levels that each image is measured at, evenly spread: more is steadier and slower."""

    @field_validator("split", mode="before")
    @classmethod
    def _whole_split(cls, value: object) -> object:
        return as_float(value)
