"""A base that is saved whole loads again: here, in diffusers and in transformers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTokenizer

from lorawiz.errors import ModelError
from lorawiz.families import load_adapter
from lorawiz.families.checkpoints import Checkpoint, inspect_checkpoint
from lorawiz.families.clip import encode_prompt
from lorawiz.families.clip.files import write_tokenizer
from lorawiz.families.stored import StoredTensor
from lorawiz.spec.tables import BaseTable
from tests.families.conftest import TinyFamily
from tests.support.ldm import single_file_state

LAST_LAYER = "cond_stage_model.model.transformer.resblocks.2."
PROMPTS = ["a photo of lyq, smile", "", "don't PANIC 2day  é", "word " * 90]


def export(tiny: TinyFamily, base: Checkpoint, **settings: Any) -> dict[str, StoredTensor]:
    table = BaseTable(**{"prediction_type": tiny.adapter.card.prediction, **settings})
    return tiny.adapter.open_export(base, None, None, None).name_originally(table)


def read(tensors: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    return {name: t.read().reshape(t.shape).contiguous() for name, t in tensors.items()}


def differing(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> list[str]:
    assert found.keys() == wanted.keys()
    return [name for name in wanted if not torch.equal(found[name], wanted[name])]


def test_a_single_file_comes_out_as_it_went_in(tiny: TinyFamily) -> None:
    found = read(export(tiny, inspect_checkpoint(tiny.single_file)))
    assert differing(found, load_file(tiny.single_file)) == []


def test_a_folder_becomes_the_single_file_that_others_publish(tiny: TinyFamily) -> None:
    found = read(export(tiny, inspect_checkpoint(tiny.folder)))
    wanted = single_file_state(tiny.parts, tiny.name)
    # what no diffusers folder has, and no base reads
    made_up = {n for n in wanted if n.startswith(LAST_LAYER) or n.endswith("logit_scale")}
    if tiny.name == "sd2":
        made_up.add("cond_stage_model.model.text_projection")
        copied = found[f"{LAST_LAYER}ln_1.weight"]
        assert torch.equal(copied, found[f"{LAST_LAYER.replace('2.', '1.')}ln_1.weight"])
    wanted = {name: tensor for name, tensor in wanted.items() if name not in made_up}
    assert differing({n: t for n, t in found.items() if n not in made_up}, wanted) == []


def test_marks_of_a_file_stay_and_averaged_weights_go(tmp_path: Path, tiny: TinyFamily) -> None:
    state = load_file(tiny.single_file)
    marks = {"v_pred": torch.zeros(0), "betas": torch.ones(5, dtype=torch.float64)}
    path = tmp_path / "marked.safetensors"
    save_file({**state, **marks, "model_ema.decay": torch.ones(()), "junk": torch.ones(3, 3)}, path)
    tensors = export(tiny, inspect_checkpoint(path))
    assert tensors.keys() == {*state, *marks}
    assert tensors["betas"].own_dtype == torch.float64
    assert tensors["v_pred"].shape == (0,)


def test_what_a_base_predicts_is_marked_where_its_family_does_otherwise(tiny: TinyFamily) -> None:
    base = inspect_checkpoint(tiny.folder)
    tensors = export(tiny, base, prediction_type="v_prediction", zero_terminal_snr=True)
    assert ("v_pred" in tensors) == (tiny.adapter.card.prediction == "epsilon")
    assert "ztsnr" in tensors
    assert not {"v_pred", "ztsnr"} & export(tiny, base).keys()


def test_position_numbers_of_an_original_file_keep_their_kind(
    tmp_path: Path, tiny_single_file: Path
) -> None:
    name = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    path = tmp_path / "numbered.safetensors"
    save_file({**load_file(tiny_single_file), name: torch.arange(77)[None]}, path)
    opened = load_adapter("sd15").open_export(inspect_checkpoint(path), None, None, None)
    assert opened.name_originally(BaseTable())[name].own_dtype == torch.int64


def test_a_folder_is_one_that_diffusers_loads(tmp_path: Path, tiny: TinyFamily) -> None:
    opened = tiny.adapter.open_export(inspect_checkpoint(tiny.single_file), None, None, None)
    for name, tensors in opened.name_for_folder().items():
        (tmp_path / name).parent.mkdir()
        save_file(read(tensors), tmp_path / name)
    opened.write_configs(
        tmp_path, BaseTable(prediction_type="v_prediction", zero_terminal_snr=True)
    )
    pipeline = diffusers.DiffusionPipeline.from_pretrained(tmp_path, local_files_only=True)
    for part, model in tiny.parts.items():
        loaded = getattr(pipeline, part).state_dict()
        assert differing(loaded, model.state_dict()) == [], part
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert pipeline.scheduler.config.rescale_betas_zero_snr
    assert pipeline.tokenizer("a cat").input_ids == encode_prompt("a cat")[:4]
    found = inspect_checkpoint(tmp_path)
    assert (found.family, found.size, found.prediction) == (tiny.name, "tiny", "v_prediction")
    assert found.zero_terminal_snr


def test_what_a_base_lacks_is_said_when_the_export_is_opened(
    tmp_path: Path, tiny: TinyFamily
) -> None:
    state = load_file(tiny.single_file)
    lacking = next(name for name in state if name.startswith("first_stage_model.decoder"))
    path = tmp_path / "pruned.safetensors"
    save_file({name: tensor for name, tensor in state.items() if name != lacking}, path)
    with pytest.raises(ModelError, match=r"pruned\.safetensors: its VAE lacks 1 of"):
        tiny.adapter.open_export(inspect_checkpoint(path), None, None, None)


@pytest.mark.parametrize("padding_id", [0, 49407])
def test_the_written_tokenizer_reads_prompts_as_ours(tmp_path: Path, padding_id: int) -> None:
    write_tokenizer(tmp_path, padding_id)
    theirs = CLIPTokenizer.from_pretrained(tmp_path)
    read_by_both = theirs(PROMPTS, padding="max_length", truncation=True, max_length=77).input_ids
    assert read_by_both == [encode_prompt(prompt, padding_id) for prompt in PROMPTS]
