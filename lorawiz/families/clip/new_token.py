"""A word of the user's own that CLIP does not know: one or several vectors in place of tokens.

Gal et al. 2022 (arXiv:2208.01618). In a prompt it counts where it stands as a word, whatever its
case, as diffusers and sd-scripts read it; the ids of its vectors come behind the vocabulary.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Self

from lorawiz.families.clip import END_ID
from lorawiz.spec import Spec

FIRST_ID = END_ID + 1
"""The id of the first vector."""


@dataclass(frozen=True)
class NewToken:
    """A word and how many vectors it has."""

    text: str
    num_vectors: int = 1

    @classmethod
    def of(cls, spec: Spec) -> Self | None:
        """The word that a spec trains, if it does."""
        table = spec.textual_inversion
        return cls(table.token_string, table.num_vectors_per_token) if table.token_string else None

    @property
    def ids(self) -> list[int]:
        """The ids of its vectors."""
        return list(range(FIRST_ID, FIRST_ID + self.num_vectors))


def split_at_token(text: str, token: NewToken | None) -> Iterator[tuple[str, int, bool]]:
    """(part, where it starts, whether it is the token) for each part of a text, in order."""
    end = 0
    for found in _find_pattern(token.text).finditer(text) if token is not None else ():
        yield text[end : found.start()], end, False
        yield found[0], found.start(), True
        end = found.end()
    yield text[end:], end, False


def has_token(prompt: str, text: str) -> bool:
    """Whether the new token `text` stands in `prompt`."""
    return _find_pattern(text).search(prompt) is not None


@cache
def _find_pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)
