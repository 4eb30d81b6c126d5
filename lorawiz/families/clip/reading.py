"""How the text encoders read prompts, as a spec says it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from lorawiz.families.clip import CHUNK_TOKENS
from lorawiz.families.clip.new_token import NewToken
from lorawiz.families.clip.tokens import read_tokens
from lorawiz.spec import Spec

_MOST_CHUNKS = 3


@dataclass(frozen=True)
class Reading:
    """What is read of a prompt, and from which layer."""

    clip_skip: int = 1
    """Counted from the end; a family that always reads the same layer does not look at it."""
    max_token_length: int = CHUNK_TOKENS
    """Tokens that are read; each 75 of them are a pass of their own."""
    is_weighted: bool = False
    """Whether brackets are weights: see `lorawiz.families.clip.weights`."""

    @classmethod
    def of(cls, spec: Spec) -> Self:
        """That of a spec's training prompts."""
        prompt = spec.prompt
        return cls(spec.base.clip_skip, prompt.max_token_length, prompt.weighted_captions)

    def for_drawing(self, prompts: Iterable[str], token: NewToken | None) -> Self:
        """That of prompts which are drawn: weighted, and as long as the longest, as web UIs do."""
        most = max((len(read_tokens(p, token, is_weighted=True)) for p in prompts), default=0)
        num_chunks = min(max(-(-most // CHUNK_TOKENS), 1), _MOST_CHUNKS)
        return replace(self, max_token_length=num_chunks * CHUNK_TOKENS, is_weighted=True)

    @property
    def num_chunks(self) -> int:
        """Passes of the text encoder a prompt."""
        return self.max_token_length // CHUNK_TOKENS
