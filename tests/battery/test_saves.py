"""The battery on saves (K2, K3, K6), and the faults that it must see (K9)."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lorawiz.runs.states import MANIFEST
from lorawiz.train import state
from lorawiz.train.averaging import MovingAverage
from lorawiz.train.rates import TorchRates
from tests.battery.children import expect_red
from tests.battery.saves import (
    EIO,
    ENOSPC,
    check_damage,
    check_errors,
    check_kills,
    check_order,
    check_resume,
)


def test_a_save_that_is_killed_anywhere_leaves_the_old_or_the_new_state(tmp_path: Path) -> None:
    assert check_kills(tmp_path) > 30


@pytest.mark.parametrize("number", [ENOSPC, EIO])
def test_a_disk_that_fails_anywhere_leaves_a_whole_state(tmp_path: Path, number: int) -> None:
    assert check_errors(tmp_path, number) > 30


def test_every_damage_is_seen_and_the_state_before_is_used(tmp_path: Path) -> None:
    assert check_damage(tmp_path) > 300


def test_files_are_on_the_disk_before_they_are_renamed(tmp_path: Path) -> None:
    check_order(tmp_path)


def test_what_is_resumed_ends_as_what_was_not(tmp_path: Path) -> None:
    check_resume(tmp_path)


# planted faults ---------------------------------------------------------------------------------


def test_a_save_without_fsync_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, parts: Any) -> None:
        with path.open("wb") as file:
            file.writelines(parts)

    monkeypatch.setattr(state, "_write_fsynced", write)
    expect_red(lambda: check_order(tmp_path))


def test_deleting_before_saving_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = state._write_directory

    def delete_and_write(target: Path, files: Any) -> None:
        for old in target.parent.glob("step-*"):
            shutil.rmtree(old)
        write(target, files)

    monkeypatch.setattr(state, "_write_directory", delete_and_write)
    expect_red(lambda: check_kills(tmp_path))


def test_a_save_in_place_with_its_manifest_first_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_in_place(target: Path, files: Any) -> None:
        target.mkdir(parents=True, exist_ok=True)
        whole = {name: b"".join(bytes(part) for part in parts) for name, parts in files.items()}
        listing = {}
        for name, data in whole.items():
            watched = state._Watched([data])
            list(watched)
            listing[name] = watched.describe()
        manifest = json.dumps({"schema": 1, "files": listing}).encode()
        state._write_fsynced(target / MANIFEST, [manifest])
        for name, data in whole.items():
            state._write_fsynced(target / name, [data])

    monkeypatch.setattr(state, "_write_directory", write_in_place)
    expect_red(lambda: check_kills(tmp_path))


def test_a_schedule_that_is_not_restored_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TorchRates, "load_state_dict", lambda self, state: None)
    expect_red(lambda: check_resume(tmp_path))


def test_averages_that_are_not_restored_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MovingAverage, "load", lambda self, tensors: None)
    expect_red(lambda: check_resume(tmp_path))


def test_an_optimizer_that_is_not_tied_to_its_weights_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack = state._unpack_optimizer

    def unpack_beside(values: Any, tensors: Any, weights: Any, optimizer: Any, rates: Any) -> None:
        unpack(values, tensors, weights, optimizer, rates)
        kept = {weight.detach().clone(): each for weight, each in optimizer.state.items()}
        optimizer.state.clear()
        optimizer.state.update(kept)

    monkeypatch.setattr(state, "_unpack_optimizer", unpack_beside)
    expect_red(lambda: check_resume(tmp_path))
