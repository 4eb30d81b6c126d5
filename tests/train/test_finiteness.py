"""Numbers that are not finite: named with their place, never stepped on, never saved."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lorawiz.errors import RunError
from lorawiz.runs.journal import read_events
from lorawiz.runs.view import load_view
from lorawiz.train import accumulating
from lorawiz.train.finiteness import find_bad_layer, refuse_diverged
from lorawiz.train.network import LoraNetwork
from lorawiz.train.trainer import Trainer
from tests.support.training import SHORT, losses, make_run, model_hash, train


class Halve(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 0


def break_batch(monkeypatch: pytest.MonkeyPatch, *broken: int, value: float = float("nan")) -> None:
    """Multiply the loss of the n-th measured batch."""
    measure = accumulating.batch_losses
    calls: list[int] = []

    def measure_and_break(trainer: Trainer, batch: Any) -> Tensor:
        calls.append(1)
        loss = measure(trainer, batch)
        return loss * value if len(calls) in broken else loss

    monkeypatch.setattr(accumulating, "batch_losses", measure_and_break)


def plant_layer(monkeypatch: pytest.MonkeyPatch, from_call: int) -> None:
    """From the n-th forward pass on, one layer of the U-Net gives inf."""
    load = Trainer._load_models

    def load_and_plant(self: Trainer, *inputs: Any) -> Any:
        models = load(self, *inputs)
        calls: list[int] = []

        def overflow(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            calls.append(1)
            return output * float("inf") if len(calls) >= from_call else output

        models.unet.mid_block.resnets[0].conv2.register_forward_hook(overflow)
        return models

    monkeypatch.setattr(Trainer, "_load_models", load_and_plant)


def messages(run: Any, event: str) -> list[str]:
    return [found["message"] for found in read_events(run.journal) if found["event"] == event]


def test_the_first_layer_that_breaks_is_named() -> None:
    model = nn.Sequential(nn.Linear(2, 2), Halve(), nn.Linear(2, 2))
    is_bad, layer = find_bad_layer(model, lambda: model(torch.ones(1, 2)).sum())
    assert is_bad
    assert layer == "1 gives inf in float32"
    model[1] = nn.Identity()
    assert find_bad_layer(model, lambda: model(torch.ones(1, 2)).sum()) == (False, "")
    assert not any(module._forward_hooks for module in model.modules())


def test_a_stop_names_image_timestep_layer_and_number_format(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    plant_layer(monkeypatch, from_call=3)
    assert train(run) == 2
    view = load_view(run)
    assert (view.state(), view.step, view.state_step) == ("failed", 2, 2)
    assert "the loss is not finite at step 3, with images/IMG_" in view.message
    assert " at timestep " in view.message
    assert "mid_block.resnets.0.conv2 gives " in view.message
    assert "in float32" in view.message


def test_a_skipped_step_changes_nothing_and_is_told(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, {**SHORT, "train.on_nan": "skip"})
    break_batch(monkeypatch, 3)
    assert train(run) == 0
    view = load_view(run)
    assert (view.state(), view.step) == ("finished", 6)
    [said] = messages(run, "warning")
    assert said.startswith("the loss is not finite at step 3, with images/IMG_")
    assert said.endswith("the step is skipped")
    assert str(losses(run)[2]) == "nan"
    for name, tensor in load_file(run.path / "lyq.safetensors").items():
        assert torch.isfinite(tensor).all(), name


def test_a_run_that_skips_step_after_step_stops(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SHORT, "train.on_nan": "skip", "train.max_train_steps": "30"}
    run = make_run(tmp_path / "run", tiny_base, settings)
    plant_layer(monkeypatch, from_call=3)
    assert train(run) == 2
    assert "so were the 9 steps before" in load_view(run).message
    assert len(messages(run, "warning")) == 9


def test_a_gradient_that_is_not_finite_is_named_by_its_layer(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    accumulate = accumulating.accumulate_gradients
    calls: list[int] = []

    def poison(trainer: Trainer, plan: Any) -> torch.Tensor:
        loss = accumulate(trainer, plan)
        calls.append(1)
        if len(calls) == 2:
            weights = dict(trainer.models.network.iter_weights())
            weight = weights["lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"]
            assert weight.grad is not None
            weight.grad[0, 0] = float("inf")
        return loss

    monkeypatch.setattr(accumulating, "accumulate_gradients", poison)
    assert train(run) == 2
    said = load_view(run).message
    assert "the gradient is not finite at step 2" in said
    assert "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight" in said


def test_diverged_weights_are_never_saved(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    save = Trainer.save_state

    def poison(self: Trainer, step: int) -> None:
        if step == 4:
            next(iter(self.models.network.iter_weights()))[1].data[0, 0] = float("nan")
        save(self, step)

    monkeypatch.setattr(Trainer, "save_state", poison)
    assert train(run) == 2
    assert "the weights are not finite behind step 4" in load_view(run).message
    assert load_view(run).state_step == 2
    assert not (run.path / "lyq.safetensors").exists()


def test_weights_too_large_for_fp16_are_saved_in_float(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, {"train.max_train_steps": "1"})
    fits = LoraNetwork.fits

    def enlarge(self: LoraNetwork, dtype: torch.dtype) -> bool:
        next(iter(self.iter_weights()))[1].data[0, 0] = 1e6
        return fits(self, dtype)

    monkeypatch.setattr(LoraNetwork, "fits", enlarge)
    assert train(run) == 0
    assert messages(run, "warning") == [
        "lyq.safetensors is saved in float: some weights are too large for fp16"
    ]
    tensors = load_file(run.path / "lyq.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert model_hash(run.path / "lyq.safetensors")


def test_finite_weights_are_not_refused() -> None:
    from lorawiz.spec.network import NetworkTable

    refuse_diverged(LoraNetwork(NetworkTable()), 1)
    with pytest.raises(RunError, match="diverged"):
        network = LoraNetwork(NetworkTable())
        from lorawiz.train.layers import LoraLayer
        from lorawiz.train.layers.base import Settings

        layer = LoraLayer(nn.Linear(2, 2), Settings(1, 1.0))
        layer.down_RI.data[0, 0] = float("inf")
        network.layers["lora_unet_x"] = layer
        refuse_diverged(network, 1)
