"""Saving and restoring what a run resumes from: weights, optimizer, scaler.

The directory is filled under another name, each file fsynced, the manifest written last; then
it is renamed, and only then are older states removed. Randomness and data order are functions
of (seed, epoch, step), so there is nothing else to keep.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from lorawiz.errors import RunError
from lorawiz.paths import fsync_folder
from lorawiz.runs.states import MANIFEST, VerifiedState, list_states, state_path
from lorawiz.train.network import LoraNetwork

_KEPT_STATES = 2
_NETWORK, _OPTIMIZER, _SCALER = "network.safetensors", "optimizer.safetensors", "scaler.json"


def save_state(
    folder: Path,
    step: int,
    network: LoraNetwork,
    optimizer: torch.optim.Optimizer,
    scaler: dict[str, Any],
) -> Path:
    """Write the state behind `step`. Raises OSError; older states are then untouched."""
    weights = {name: _to_host(weight) for name, weight in network.iter_weights()}
    moments = {
        f"{name}:{kind}": _to_host(value)
        for name, weight in network.iter_weights()
        for kind, value in optimizer.state[weight].items()
    }
    files = {
        _NETWORK: save_tensors(weights),
        _OPTIMIZER: save_tensors(moments),
        _SCALER: json.dumps(scaler).encode(),
    }
    target = state_path(folder, step)
    _write_directory(target, files)
    _prune(folder)
    return target


def restore_state(
    state: VerifiedState, network: LoraNetwork, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Put weights and moments back in place. Returns the scaler's state.

    Raises RunError when the state belongs to other weights.
    """
    weights = load_tensors(state.files[_NETWORK])
    if weights.keys() != {name for name, _ in network.iter_weights()}:
        raise RunError(f"{state.path.name}: the state belongs to another network")
    network.load_weights(weights)
    _restore_moments(load_tensors(state.files[_OPTIMIZER]), network, optimizer)
    scaler: dict[str, Any] = json.loads(state.files[_SCALER])
    return scaler


def _restore_moments(
    moments: dict[str, Tensor], network: LoraNetwork, optimizer: torch.optim.Optimizer
) -> None:
    by_name: dict[str, dict[str, Tensor]] = {}
    for key, value in moments.items():
        name, _, kind = key.rpartition(":")
        by_name.setdefault(name, {})[kind] = value
    for name, weight in network.iter_weights():
        optimizer.state[weight] = {
            # AdamW keeps its step count on the CPU
            kind: value if kind == "step" else value.to(weight.device)
            for kind, value in by_name[name].items()
        }


def _to_host(value: object) -> Tensor:
    tensor = value if isinstance(value, Tensor) else torch.tensor(value)
    return tensor.detach().cpu().contiguous()


def _write_directory(target: Path, files: dict[str, bytes]) -> None:
    temporary = target.with_name(target.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    listing = {
        name: {"num_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    }
    manifest = json.dumps({"schema": 1, "files": listing}, indent=1).encode()
    try:
        temporary.mkdir(parents=True)
        for name, data in [*files.items(), (MANIFEST, manifest)]:
            _write_fsynced(temporary / name, data)
        fsync_folder(temporary)
        # a state of this step that is there already failed its check when the run was resumed
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
        fsync_folder(target.parent)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_fsynced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _prune(folder: Path) -> None:
    for path in [*list_states(folder)[:-_KEPT_STATES], *folder.glob("step-*.tmp")]:
        shutil.rmtree(path, ignore_errors=True)
