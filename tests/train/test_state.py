"""Saving the state: durable in the right order, and restored to the bit."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from lorawiz.errors import RunError
from lorawiz.runs.states import find_newest_state, list_states
from lorawiz.train.network import LoraNetwork
from lorawiz.train.state import restore_state, save_state
from tests.train.test_network import make_network


def trained() -> tuple[LoraNetwork, torch.optim.AdamW]:
    network, _ = make_network()
    optimizer = torch.optim.AdamW(network.part_weights("unet"), lr=0.1)
    update(network, optimizer)
    return network, optimizer


def update(network: LoraNetwork, optimizer: torch.optim.Optimizer) -> None:
    for index, (_, weight) in enumerate(network.iter_weights()):
        weight.grad = torch.full_like(weight, 0.1 * (index + 1))
    optimizer.step()


def test_a_restored_state_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    network, optimizer = trained()
    save_state(tmp_path, 7, network, optimizer, {"scale": 2.0})
    update(network, optimizer)
    again, _ = make_network()
    fresh = torch.optim.AdamW(again.part_weights("unet"), lr=0.1)
    state, _ = find_newest_state(tmp_path)
    assert state is not None
    assert state.step == 7
    assert restore_state(state, again, fresh) == {"scale": 2.0}
    update(again, fresh)
    for (_, mine), (_, theirs) in zip(again.iter_weights(), network.iter_weights(), strict=True):
        assert torch.equal(mine, theirs)


def test_two_states_are_kept(tmp_path: Path) -> None:
    network, optimizer = trained()
    for step in (1, 2, 3):
        save_state(tmp_path, step, network, optimizer, {})
    assert [path.name for path in list_states(tmp_path)] == ["step-00000002", "step-00000003"]


def test_a_state_of_other_weights_is_refused(tmp_path: Path) -> None:
    network, optimizer = trained()
    save_state(tmp_path, 1, network, optimizer, {})
    state, _ = find_newest_state(tmp_path)
    assert state is not None
    del network.layers["lora_unet_b"]
    with pytest.raises(RunError, match="another network"):
        restore_state(state, network, optimizer)


def test_everything_is_on_the_disk_before_it_counts_and_before_the_old_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, optimizer = trained()
    for step in (1, 2):
        save_state(tmp_path, step, network, optimizer, {})
    calls: list[tuple[str, str]] = []
    real_fsync, real_rename, real_remove = os.fsync, Path.rename, shutil.rmtree

    def fsync(descriptor: int) -> None:
        calls.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        real_fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        calls.append(("rename", target.name))
        return real_rename(self, target)

    def remove(path: Path, *flags: Any, **options: Any) -> None:
        if Path(path).exists():
            calls.append(("remove", Path(path).name))
        real_remove(path, *flags, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(shutil, "rmtree", remove)
    save_state(tmp_path, 3, network, optimizer, {})
    assert calls == [
        ("fsync", "network.safetensors"),
        ("fsync", "optimizer.safetensors"),
        ("fsync", "scaler.json"),
        ("fsync", "manifest.json"),
        ("fsync", "step-00000003.tmp"),
        ("rename", "step-00000003"),
        ("fsync", tmp_path.name),
        ("remove", "step-00000001"),
    ]


@pytest.mark.parametrize("nth", range(1, 8))
def test_a_failure_at_any_call_leaves_the_old_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    network, optimizer = trained()
    for step in (1, 2):
        save_state(tmp_path, step, network, optimizer, {})
    count = 0

    def failing(real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == nth:
                raise OSError(28, "No space left on device")
            return real(*arguments, **options)

        return call

    monkeypatch.setattr(os, "fsync", failing(os.fsync))
    monkeypatch.setattr(Path, "rename", failing(Path.rename))
    with pytest.raises(OSError, match="No space"):
        save_state(tmp_path, 3, network, optimizer, {})
    state, damaged = find_newest_state(tmp_path)
    assert state is not None
    # the seventh call comes after the rename: the new state is then there and whole
    assert state.step == (3 if nth == 7 else 2)
    assert damaged == []
    assert not list(tmp_path.glob("*.tmp"))
