"""SD2: OpenCLIP's encoder in its original file, the penultimate layer, padding of id 0."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lorawiz.families import load_adapter
from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.families.clip import END_ID, START_ID, encode_prompt
from lorawiz.families.clip.reading import Reading
from lorawiz.families.random_base import build_random_base
from tests.support.ldm import save_single_file


def test_the_original_files_penultimate_layer_is_the_one_that_is_read(tmp_path: Path) -> None:
    parts = build_random_base("tiny", seed=3, family="sd2")
    save_single_file(parts, tmp_path / "m.safetensors", family="sd2")
    prefix = "cond_stage_model.model.transformer.resblocks."
    layers = {
        key.removeprefix(prefix).split(".")[0]
        for key in load_file(tmp_path / "m.safetensors")
        if key.startswith(prefix)
    }
    assert layers == {"0", "1", "2"}
    adapter = load_adapter("sd2")
    base = inspect_checkpoint(tmp_path / "m.safetensors")
    text_encoder = adapter.load_text_encoder(base, torch.float32)
    ids = torch.tensor([encode_prompt("a cat", padding_id=0)])
    with torch.no_grad():
        ours = adapter.encode_prompts(text_encoder, ["a cat"], Reading())
        theirs = parts["text_encoder"](input_ids=ids).last_hidden_state
        earlier = adapter.encode_prompts(text_encoder, ["a cat"], Reading(clip_skip=2))
    assert torch.equal(ours.states_BTD, theirs)
    assert not torch.equal(earlier.states_BTD, theirs)


@pytest.mark.parametrize(("padding_id", "tail"), [(0, 0), (END_ID, END_ID)])
def test_short_prompts_are_padded_behind_their_end(padding_id: int, tail: int) -> None:
    ids = encode_prompt("a cat", padding_id)
    assert ids[:4] == [START_ID, 320, 2368, END_ID]
    assert ids[4:] == [tail] * 73


def test_a_full_prompt_keeps_its_end() -> None:
    ids = encode_prompt("cat " * 200, padding_id=0)
    assert (len(ids), ids[-1], ids[-2]) == (77, END_ID, 2368)


def test_projections_are_linear(tmp_path: Path) -> None:
    parts = build_random_base("tiny", seed=0, family="sd2")
    adapter = load_adapter("sd2")
    targets = adapter.iter_unet_targets(parts["unet"])
    modules = [target.module for target in targets if target.is_attention]
    assert all(isinstance(module, torch.nn.Linear) for module in modules)
    assert parts["unet"].config.upcast_attention
