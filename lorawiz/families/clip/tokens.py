"""A prompt as the tokens that CLIP reads: new words, weights, and where each token stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from lorawiz.families.clip import load_tokenizer
from lorawiz.families.clip.new_token import NewToken, split_at_token
from lorawiz.families.clip.weights import Piece, parse_weights


@dataclass(frozen=True)
class Token:
    """One token of a prompt."""

    id: int
    weight: float
    start: int
    """Of its first letter in the prompt."""


def read_tokens(
    prompt: str, new_token: NewToken | None = None, is_weighted: bool = False
) -> list[Token]:
    """The tokens of `prompt`, without start and end; its new token is one for each vector."""
    if is_weighted:
        pieces = parse_weights(prompt)
    else:
        pieces = [Piece(prompt, 1.0, tuple(range(len(prompt))))]
    return [token for piece in pieces for token in _read_piece(piece, new_token)]


def read_ids(prompt: str, new_token: NewToken | None = None) -> list[int]:
    """The ids of `read_tokens`."""
    return [token.id for token in read_tokens(prompt, new_token)]


def _read_piece(piece: Piece, new_token: NewToken | None) -> Iterator[Token]:
    for text, start, is_new in split_at_token(piece.text, new_token):
        if is_new and new_token is not None:
            for each in new_token.ids:
                yield Token(each, piece.weight, piece.origins[start])
            continue
        encoding = load_tokenizer().encode(text)
        for each, (at, _) in zip(encoding.ids, encoding.offsets, strict=True):
            yield Token(each, piece.weight, piece.origins[start + at])
