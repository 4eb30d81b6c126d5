"""New tokens in a CLIP text encoder: their vectors train beside the table, which stays as it is.

Shape suffixes: B batch, T tokens, N vectors of the new token, D width.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lorawiz.families.clip import END_ID
from lorawiz.families.clip.new_token import FIRST_ID, NewToken
from lorawiz.families.clip.tokens import read_ids


@dataclass
class AddedVectors:
    """What a table of embeddings has been given beside its own rows."""

    token: NewToken
    vectors_ND: nn.Parameter


class GrownEmbedding(nn.Embedding):
    """An `nn.Embedding` that also knows ids behind its end: ids [B, T] to [B, T, D].

    The new vectors are no parameter of the module: names and numbers of the encoder's own
    weights stay, and no optimizer reaches both through one tensor.
    """

    added: AddedVectors

    def forward(self, ids_BT: Tensor) -> Tensor:
        is_new = ids_BT >= FIRST_ID
        known_BTD = super().forward(ids_BT.masked_fill(is_new, 0))
        vectors_ND = self.added.vectors_ND.to(known_BTD.dtype)
        new_BTD = nn.functional.embedding((ids_BT - FIRST_ID).clamp(min=0), vectors_ND)
        return torch.where(is_new[..., None], new_BTD, known_BTD)


def add_token(model: nn.Module, token: NewToken, init_word: str) -> nn.Parameter:
    """Let a text encoder read `token`. Returns vectors_ND in fp32, on its device.

    They begin as those of `init_word`, over and over where it has fewer tokens.
    """
    text_model: Any = getattr(model, "text_model", model)
    table = text_model.embeddings.token_embedding
    init_ids = read_ids(init_word)
    rows = [init_ids[index % len(init_ids)] for index in range(token.num_vectors)]
    vectors_ND = nn.Parameter(table.weight.detach()[rows].float().clone())
    # only the class changes: weights, names and `.to()` stay nn.Embedding's
    table.__class__ = GrownEmbedding
    table.added = AddedVectors(token, vectors_ND)
    # published configs have a wrong id here, with which the highest id of a prompt is taken for
    # its end: the new token would be it
    text_model.eos_token_id = END_ID
    return vectors_ND


def find_new_token(model: nn.Module) -> NewToken | None:
    """The token that was added to a text encoder."""
    text_model: Any = getattr(model, "text_model", model)
    added = getattr(text_model.embeddings.token_embedding, "added", None)
    return added.token if isinstance(added, AddedVectors) else None
