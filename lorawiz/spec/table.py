"""What every table of the spec is made of: the base model and the kinds of numbers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Side = Annotated[int, Field(ge=64, le=8192)]
LearningRate = Annotated[float, Field(gt=0.0, lt=10.0, allow_inf_nan=False)]
Colour = Annotated[str, Field(pattern=r"^(white|black|#[0-9a-fA-F]{6})$")]


class Table(BaseModel):
    """One table of the spec: frozen, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


def as_float(value: object) -> object:
    """TOML tells 1 from 1.0; a person who writes alpha = 8 means the number."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
