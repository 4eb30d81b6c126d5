"""Weights in prompts, in the notation of the web UIs: `(word)`, `(word:1.2)`, `[word]`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

_STEP = 1.1
"""What one pair of brackets multiplies by; square ones divide."""
_MARKS = re.compile(
    r"\\(?P<literal>[\\()\[\]])"
    r"|(?P<open>[(\[])"
    r"|:\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)"
    r"|(?P<close>[)\]])"
)


@dataclass(frozen=True)
class Piece:
    """A part of a prompt that has one weight."""

    text: str
    """Without the brackets and backslashes that said so."""
    weight: float
    origins: tuple[int, ...]
    """Where each letter stands in the prompt."""


def parse_weights(prompt: str) -> list[Piece]:
    """The prompt in pieces of one weight.

    `(a)` is 1.1 times, `[a]` 1/1.1 times, `(a:1.2)` 1.2 times; pairs multiply. A bracket behind a
    backslash is a letter, and so is one that closes nothing; one that is not closed reaches to
    the end. As AUTOMATIC1111's web UI and sd-scripts read it.
    """
    letters = _Letters()
    end = 0
    for mark in _MARKS.finditer(prompt):
        letters.add(prompt[end : mark.start()], end)
        end = mark.end()
        _apply(mark, letters)
    letters.add(prompt[end:], end)
    letters.close_all()
    return list(letters.iter_pieces())


def has_weights(prompt: str) -> bool:
    """Whether some part of the prompt has a weight other than 1."""
    return any(piece.weight != 1.0 for piece in parse_weights(prompt))


def _apply(mark: re.Match[str], letters: "_Letters") -> None:
    kind, start = mark.lastgroup, mark.start()
    if kind == "literal":
        letters.add(mark["literal"], start + 1)
    elif kind == "open":
        letters.begin(mark["open"])
    elif kind == "number":
        if not letters.close("(", float(mark["number"])):
            letters.add(mark[0], start)
    else:
        pair, factor = ("(", _STEP) if mark["close"] == ")" else ("[", 1 / _STEP)
        if not letters.close(pair, factor):
            letters.add(mark["close"], start)


class _Letters:
    """The letters that are read so far, each with its weight."""

    def __init__(self) -> None:
        self._letters: list[str] = []
        self._origins: list[int] = []
        self._weights: list[float] = []
        self._begun: dict[str, list[int]] = {"(": [], "[": []}

    def add(self, text: str, start: int) -> None:
        self._letters += text
        self._origins += range(start, start + len(text))
        self._weights += [1.0] * len(text)

    def begin(self, bracket: str) -> None:
        self._begun[bracket].append(len(self._letters))

    def close(self, bracket: str, factor: float) -> bool:
        """Whether there was one to close."""
        if not self._begun[bracket]:
            return False
        first = self._begun[bracket].pop()
        self._weights[first:] = [weight * factor for weight in self._weights[first:]]
        return True

    def close_all(self) -> None:
        while self.close("(", _STEP) or self.close("[", 1 / _STEP):
            continue

    def iter_pieces(self) -> Iterator[Piece]:
        rows = zip(self._weights, self._letters, self._origins, strict=True)
        for weight, group in groupby(rows, key=lambda row: row[0]):
            _, letters, origins = zip(*group, strict=True)
            yield Piece("".join(letters), weight, origins)
