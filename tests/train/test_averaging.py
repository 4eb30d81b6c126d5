"""The moving average of the weights: its formula, its place, and what is saved of it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lorawiz.runs.states import find_newest_state
from lorawiz.train import loop
from lorawiz.train.averaging import MovingAverage
from tests.support.training import losses, make_run, model_hash, stop_after, train
from tests.train.test_network import make_network

SETTINGS = {
    "train.max_train_steps": "6",
    "train.save_every_n_steps": "2",
    "train.learning_rate": "1e-2",
    "train.ema_decay": "0.5",
    "train.save_precision": "float",
    "network.train_unet_only": "true",
}


def test_the_average_is_the_weighted_sum_of_all_steps() -> None:
    network, _ = make_network()
    [name, weight], *_ = network.iter_weights()
    average = MovingAverage(network, decay=0.3)
    wanted = weight.detach().double().clone()
    for step in range(1, 9):
        weight.data.normal_(generator=torch.Generator().manual_seed(step))
        average.update(step)
        decay = min(0.3, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * weight.detach().double()
    assert torch.allclose(average.tensors()[name].double(), wanted, atol=1e-6)
    assert [average.decay_behind(step) for step in (1, 100)] == [2 / 11, 0.3]


def test_weights_are_back_to_the_bit_even_behind_an_error() -> None:
    network, _ = make_network()
    average = MovingAverage(network, decay=0.9)
    before = {name: weight.detach().clone() for name, weight in network.iter_weights()}
    for _, weight in network.iter_weights():
        weight.data.mul_(3).add_(0.1)
    stepped = {name: weight.detach().clone() for name, weight in network.iter_weights()}
    with pytest.raises(KeyboardInterrupt), average.in_place():
        assert all(torch.equal(w, before[name]) for name, w in network.iter_weights())
        raise KeyboardInterrupt
    assert all(torch.equal(w, stepped[name]) for name, w in network.iter_weights())


def test_the_average_is_saved_and_the_weights_go_on(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: dict[str, torch.Tensor] = {}
    log_step = loop._log_step

    def follow(trainer: Any, plan: Any, **values: Any) -> None:
        decay = min(0.5, (1 + plan.step) / (10 + plan.step))
        for name, weight in trainer.models.network.iter_weights():
            value = weight.detach().double().clone()
            # a LoRA begins with `up` at zero and `down` at what is seeded: neither is read here
            old = wanted.get(name)
            wanted[name] = value if old is None else decay * old + (1 - decay) * value
        log_step(trainer, plan, **values)

    run = make_run(tmp_path / "run", tiny_base, SETTINGS)
    begun: dict[str, torch.Tensor] = {}
    begin = loop._begin

    def note_begin(trainer: Any) -> str:
        for name, weight in trainer.models.network.iter_weights():
            begun[name] = wanted[name] = weight.detach().double().clone()
        return begin(trainer)

    monkeypatch.setattr(loop, "_begin", note_begin)
    monkeypatch.setattr(loop, "_log_step", follow)
    assert train(run) == 0
    saved = load_file(run.path / "lyq.safetensors")
    compared = 0
    for name, average in wanted.items():
        assert torch.allclose(saved[name].double().flatten(), average.flatten(), atol=1e-6), name
        compared += not torch.allclose(average, begun[name])
    assert compared > 0


def test_a_plain_run_takes_the_same_steps(tmp_path: Path, tiny_base: Path) -> None:
    averaged = make_run(tmp_path / "averaged", tiny_base, SETTINGS)
    others = {key: value for key, value in SETTINGS.items() if key != "train.ema_decay"}
    plain = make_run(tmp_path / "plain", tiny_base, others)
    assert train(averaged) == train(plain) == 0
    assert losses(averaged) == losses(plain)
    assert model_hash(averaged.path / "lyq.safetensors") != model_hash(
        plain.path / "lyq.safetensors"
    )


def test_a_resumed_run_has_the_same_average(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, SETTINGS)
    assert train(straight) == 0
    resumed = make_run(tmp_path / "resumed", tiny_base, SETTINGS)
    with monkeypatch.context() as patch:
        stop_after(resumed, 3, patch)
        assert train(resumed) == 0
    state, _ = find_newest_state(resumed.state)
    assert state is not None and "average.safetensors" in state.files
    assert train(resumed, "--resume") == 0
    files = [run.path / "lyq.safetensors" for run in (straight, resumed)]
    assert model_hash(files[0]) == model_hash(files[1])
