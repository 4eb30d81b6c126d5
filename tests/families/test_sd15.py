"""SD1.x: one text encoder whose layer clip_skip chooses."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lorawiz.families import load_adapter
from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.families.clip import encode_prompt
from lorawiz.families.clip.reading import Reading


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_clip_skip_takes_an_earlier_layer_through_the_final_norm(
    tiny_base: Path, clip_skip: int
) -> None:
    adapter = load_adapter("sd15")
    text_encoder = adapter.load_text_encoder(inspect_checkpoint(tiny_base), torch.float32)
    with torch.no_grad():
        text = adapter.encode_prompts(text_encoder, ["a cat"], Reading(clip_skip))
        ids = torch.tensor([encode_prompt("a cat")])
        output = text_encoder(input_ids=ids, output_hidden_states=True)
    norm = getattr(text_encoder, "text_model", text_encoder).final_layer_norm
    assert isinstance(norm, nn.LayerNorm)
    layers = [output.last_hidden_state, norm(output.hidden_states[-2])]
    assert text.pooled_BD is None
    assert torch.equal(text.states_BTD, layers[clip_skip - 1])
    assert not torch.equal(*layers)
