"""How the words of a caption are chosen: drawn at random or searched for, whatever the batch.

A draw is a pure function of the seed, the image and the token's place. It rests on the Gumbel-max
trick (Gumbel 1954; Maddison et al. 2014, "A* Sampling"): the largest of logits plus Gumbel noise
is a draw from their softmax. Noise that belongs to the image also keeps a draw the same when a
batch of another size moves the logits in their last digits.

Shapes: B images, T tokens so far, V words of the vocabulary.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lorawiz.annotate.protocols import FloatArray
from lorawiz.spec.annotating import CaptionTable

if TYPE_CHECKING:
    from torch import Tensor


NUCLEUS_TOP_K = 50
"""Draws are also limited to so many words: sd-scripts does it through transformers' default."""
NUCLEUS_REPETITION_PENALTY = 1.1
"""sd-scripts' value for sampling; its beam search has none."""

_SHARE_BITS = 23
"""Shares are odd multiples of 2^-24: none is 0 or 1, whose logarithms would be infinite, and
float32 holds each."""


def decoding_options(table: CaptionTable, longest: int) -> dict[str, Any]:
    """What `generate` of transformers is told; `longest` is the model's own limit in tokens.

    Lengths count the start mark and the prompt of a decoder, as sd-scripts counts them.
    """
    max_length = min(table.max_length, longest)
    options: dict[str, Any] = {
        "do_sample": False,  # draws come from `drawing_processors`
        "max_length": max_length,
        "min_length": min(table.min_length, max_length),
        "num_beams": table.num_beams if table.beam_search else 1,
        "repetition_penalty": 1.0 if table.beam_search else NUCLEUS_REPETITION_PENALTY,
    }
    if options["num_beams"] == 1:
        options["early_stopping"] = False  # a folder may ask for it, and then it needs beams
    return options


def drawing_processors(table: CaptionTable, keys: Sequence[str]) -> list[Any]:
    """What stands between the logits of a batch and the choice of the likeliest word.

    Empty for beam search. Otherwise nucleus sampling (Holtzman et al. 2020, "The Curious Case of
    Neural Text Degeneration"), behind what `decoding_options` asks for.
    """
    if table.beam_search:
        return []
    from transformers.generation.logits_process import TopKLogitsWarper, TopPLogitsWarper

    processors: list[Any] = [TopKLogitsWarper(NUCLEUS_TOP_K)]
    if table.top_p < 1.0:
        processors.append(TopPLogitsWarper(table.top_p))
    return [*processors, SeededDraw(table.seed, keys)]


class SeededDraw:
    """Makes the likeliest word a word drawn at random; the last of the logits' processors."""

    def __init__(self, seed: int, keys: Sequence[str]) -> None:
        """`keys` are those of the batch's rows."""
        self._seed = seed
        self._keys = keys

    def __call__(self, input_ids_BT: "Tensor", scores_BV: "Tensor") -> "Tensor":
        """`scores_BV` with each row's own noise; -inf stays -inf."""
        import torch

        place, num_words = input_ids_BT.shape[1], scores_BV.shape[1]
        noise_BV = np.stack([gumbel_noise(self._seed, key, place, num_words) for key in self._keys])
        return scores_BV + torch.from_numpy(noise_BV).to(scores_BV)


def gumbel_noise(seed: int, key: str, place: int, num_words: int) -> FloatArray:
    """[V]: standard Gumbel noise for the token at `place` of one image, the same everywhere."""
    digest = hashlib.blake2b(f"{seed}\0{key}\0{place}".encode(), digest_size=16).digest()
    # the raw stream of a bit generator never changes between versions of numpy
    raw = np.random.Philox(key=int.from_bytes(digest, "big")).random_raw(-(-num_words // 2))
    bits = raw.astype("<u8").view("<u4")[:num_words] >> np.uint32(32 - _SHARE_BITS)
    shares = bits.astype(np.float32) * np.float32(2.0**-_SHARE_BITS)
    shares += np.float32(2.0 ** -(_SHARE_BITS + 1))
    noise: FloatArray = -np.log(-np.log(shares))
    return noise
