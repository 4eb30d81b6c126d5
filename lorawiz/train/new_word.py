"""Textual inversion: the vectors of one new word train (Gal et al. 2022, arXiv:2208.01618).

Shape suffixes: N vectors of the word, D width.
"""

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from lorawiz.families.clip.new_token import NewToken
from lorawiz.loras.file import RawTensor
from lorawiz.train.raw_tensors import to_raw
from lorawiz.train.trained import LearningGroup, fits


class NewWord:
    """The vectors of a new word, by text encoder. See `lorawiz.train.trained.Trained`."""

    def __init__(self, token: NewToken, vectors: Mapping[str, nn.Parameter]) -> None:
        self.token = token
        self._vectors_ND = vectors

    @property
    def file_word(self) -> str:
        """The word as a part of a file's name: without brackets and the like."""
        return re.sub(r"[^\w.-]+", "", self.token.text) or "token"

    def iter_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        for key, vectors_ND in self._vectors_ND.items():
            yield f"textual_inversion.{key}", vectors_ND

    def list_groups(self) -> list[LearningGroup]:
        return [LearningGroup("textual_inversion", 1.0, list(self._vectors_ND.values()))]

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        for name, vectors_ND in self.iter_weights():
            vectors_ND.data.copy_(tensors[name])

    def set_training(self, training: bool) -> None:
        """There is nothing to drop."""

    def limit_norms(self) -> int | None:
        """Norms of words are not limited."""
        return None

    def fits(self, dtype: torch.dtype) -> bool:
        return fits(self, dtype)

    def export(self, dtype: torch.dtype) -> dict[str, RawTensor]:
        """The file's tensors: `emb_params` [N, D], or `clip_l` and `clip_g` of SDXL."""
        return {key: to_raw(vectors_ND, dtype) for key, vectors_ND in self._vectors_ND.items()}
