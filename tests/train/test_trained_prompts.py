"""The text encoder reads the prompts that `lorawiz prompts` shows, also behind a resume."""

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from lorawiz.dataset.batches import iter_steps
from lorawiz.dataset.records import load_dataset
from lorawiz.runs.folder import RunFolder
from lorawiz.spec import load_spec
from lorawiz.train.trainer import Trainer
from tests.support.training import losses, make_run, stop_after, train

VARYING = {
    "train.max_train_steps": "6",
    "train.save_every_n_steps": "2",
    "dataset.batch_size": "2",
    "network.train_unet_only": "true",
    "prompt.enable_wildcard": "true",
    "prompt.caption_prefix": "a {photo|picture|drawing} of",
    "prompt.token_warmup_step": "0.7",
    "prompt.shuffle_caption": "true",
}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the text encoder has been given, batch by batch."""
    batches: list[list[str]] = []
    encode = Trainer._encode

    def watch(trainer: Trainer, text_encoder: nn.Module, prompts: list[str]) -> Any:
        batches.append(prompts)
        return encode(trainer, text_encoder, prompts)

    monkeypatch.setattr(Trainer, "_encode", watch)
    return batches


def shown(run: RunFolder) -> list[list[str]]:
    """The prompts of each batch as the commands tell them."""
    spec, records = load_spec(run.spec), load_dataset(run.dataset).trained
    return [
        [item.draw_prompt(spec).text for item in batch]
        for plan in iter_steps(spec, records)
        for batch in plan.batches
    ]


def test_what_is_read_is_what_is_shown(
    tmp_path: Path, tiny_base: Path, read: list[list[str]]
) -> None:
    run = make_run(tmp_path / "run", tiny_base, VARYING)
    assert train(run) == 0
    assert read == shown(run)
    assert len({prompt for batch in read for prompt in batch}) > 6
    assert len(read[0][0].split(", ")) < len(read[-1][0].split(", "))


def test_a_resumed_run_goes_on_with_the_same_prompts(
    tmp_path: Path, tiny_base: Path, read: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, VARYING)
    assert train(straight) == 0
    unbroken = read.copy()
    read.clear()
    resumed = make_run(tmp_path / "resumed", tiny_base, VARYING)
    with monkeypatch.context() as patch:
        stop_after(resumed, 3, patch)
        assert train(resumed) == 0
    assert read == unbroken[:3]
    assert train(resumed, "--resume") == 0
    assert read == unbroken
    assert losses(resumed) == losses(straight)
