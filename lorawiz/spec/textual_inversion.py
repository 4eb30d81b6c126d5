"""Textual inversion: a new word for the text encoder, as settings."""

from typing import Annotated

from pydantic import Field, field_validator

from lorawiz.spec.table import LearningRate, Table, as_float


class TextualInversionTable(Table):
    """A new word whose vectors are trained: alone (network.kind = "none"), or beside the LoRA."""

    token_string: Annotated[str, Field(pattern=r"^\S*$")] = ""
    """The new word, as it stands in the captions; it must not be a word that CLIP knows. Empty: no
    textual inversion."""
    init_word: str = ""
    """The word, or the words, whose meaning it begins with: one token, or as many as
    num_vectors_per_token. The class word where it is not set."""
    num_vectors_per_token: Annotated[int, Field(ge=1, le=75)] = 1
    """Vectors of the new word: more hold more detail and leave less room in the prompt. 1 to 8."""
    learning_rate: LearningRate | None = None
    """The new word's own learning rate, such as 5e-3; train.learning_rate where it is not set."""

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _whole_rate(cls, value: object) -> object:
        return as_float(value)
