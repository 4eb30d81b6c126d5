"""A word of the user's own that CLIP does not know: one or several vectors in place of tokens.

Gal et al. 2022 (arXiv:2208.01618). In a prompt it counts where it stands as a word, whatever its
case, as diffusers and sd-scripts read it; the ids of its vectors come behind the vocabulary.
"""

import re
from dataclasses import dataclass
from functools import cache

from lorawiz.families.clip import END_ID, load_tokenizer

FIRST_ID = END_ID + 1
"""The id of the first vector."""


@dataclass(frozen=True)
class NewToken:
    """A word and how many vectors it has."""

    text: str
    num_vectors: int = 1

    @property
    def ids(self) -> list[int]:
        """The ids of its vectors."""
        return list(range(FIRST_ID, FIRST_ID + self.num_vectors))


def read_ids(prompt: str, new_token: NewToken | None = None) -> list[int]:
    """The token ids of `prompt`, without start and end, its new token as the ids of its vectors."""
    tokenizer = load_tokenizer()
    if new_token is None:
        return list(tokenizer.encode(prompt).ids)
    first, *others = _find_pattern(new_token.text).split(prompt)
    ids = list(tokenizer.encode(first).ids)
    for text in others:
        ids += [*new_token.ids, *tokenizer.encode(text).ids]
    return ids


def has_token(prompt: str, text: str) -> bool:
    """Whether the new token `text` stands in `prompt`."""
    return _find_pattern(text).search(prompt) is not None


@cache
def _find_pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)
