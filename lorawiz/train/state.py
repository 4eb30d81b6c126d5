"""Saving and restoring what a run resumes from: weights, optimizer, rates, scaler, loss sums.

The directory is filled under another name, each file fsynced, the manifest written last; then
it is renamed, and only then are older states removed. Randomness and data order are functions
of (seed, epoch, step), so there is nothing else to keep.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from lorawiz.errors import RunError
from lorawiz.loras.streaming import iter_file_parts
from lorawiz.paths import fsync_folder
from lorawiz.runs.states import MANIFEST, VerifiedState, list_states, state_path
from lorawiz.train.averaging import MovingAverage
from lorawiz.train.image_losses import STATE_FILE
from lorawiz.train.packing import Packer, Place, unpack
from lorawiz.train.rates import Rates
from lorawiz.train.raw_tensors import to_streamed
from lorawiz.train.trained import Trained

Data = bytes | memoryview
_KEPT_STATES = 2
_NETWORK, _OPTIMIZER, _SCALER = "network.safetensors", "optimizer.safetensors", "scaler.json"
_VALUES, _AVERAGE = "optimizer.json", "average.safetensors"


class Learner(Protocol):
    """What learns, with all that its next step depends on."""

    @property
    def network(self) -> Trained: ...

    @property
    def optimizer(self) -> torch.optim.Optimizer: ...

    @property
    def rates(self) -> Rates: ...

    @property
    def average(self) -> MovingAverage | None: ...


def save_state(
    folder: Path,
    step: int,
    learner: Learner,
    scaler: dict[str, Any],
    image_losses: bytes = b"{}",
) -> Path:
    """Write the state behind `step`. Raises OSError; older states are then untouched."""
    weights = {name: weight.detach() for name, weight in learner.network.iter_weights()}
    values, tensors = pack_optimizer(
        dict(learner.network.iter_weights()), learner.optimizer, learner.rates
    )
    # tensors are read when they are written: of a whole model a second copy may not fit
    files: dict[str, Iterable[Data]] = {
        _NETWORK: _iter_tensors(weights),
        _OPTIMIZER: _iter_tensors(tensors),
        _VALUES: [json.dumps(values).encode()],
        _SCALER: [json.dumps(scaler).encode()],
        STATE_FILE: [image_losses],
    }
    if learner.average is not None:
        files[_AVERAGE] = _iter_tensors(learner.average.tensors())
    target = state_path(folder, step)
    _write_directory(target, files)
    _prune(folder)
    return target


def restore_state(state: VerifiedState, learner: Learner) -> dict[str, Any]:
    """Put weights, optimizer, rates and averages back in place. Returns the scaler's state.

    Raises RunError when the state belongs to other weights or to another optimizer.
    """
    network, optimizer, rates = learner.network, learner.optimizer, learner.rates
    weights = load_tensors(state.files[_NETWORK])
    if weights.keys() != {name for name, _ in network.iter_weights()}:
        raise RunError(f"{state.path.name}: the state belongs to another network")
    network.load_weights(weights)
    tensors = load_tensors(state.files[_OPTIMIZER])
    if _VALUES in state.files:
        values = json.loads(state.files[_VALUES])
        _refuse_other_optimizer(state.path.name, values["optimizer"], optimizer)
        _unpack_optimizer(values, tensors, dict(network.iter_weights()), optimizer, rates)
    else:  # of the first format, which knew AdamW and no other
        _refuse_other_optimizer(state.path.name, _class_path(torch.optim.AdamW), optimizer)
        _restore_moments(tensors, network, optimizer)
    if learner.average is not None:
        if _AVERAGE not in state.files:
            raise RunError(
                f"{state.path.name}: the state has no averages", "lorawiz run starts anew"
            )
        learner.average.load(load_tensors(state.files[_AVERAGE]))
    scaler: dict[str, Any] = json.loads(state.files[_SCALER])
    return scaler


def pack_optimizer(
    weights: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer, rates: Rates
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Everything that `optimizer` and `rates` remember: values for JSON, and tensors by name.

    Raises RunError for what no file can keep.
    """
    packer = Packer()
    device = next(iter(weights.values())).device
    own = [key for key in optimizer.state if not isinstance(key, Tensor)]
    values = {
        "schema": 2,
        "optimizer": _class_path(type(optimizer)),
        "weights": {
            name: packer.pack(dict(optimizer.state[weight]), weight.device, name)
            for name, weight in weights.items()
            if weight in optimizer.state
        },
        "shared": [[k, packer.pack(optimizer.state[k], device, f"shared.{k}")] for k in own],
        "groups": [
            packer.pack(_group_values(group), device, f"group {number}")
            for number, group in enumerate(optimizer.param_groups)
        ],
        "rates": packer.pack(rates.state_dict(), device, "rates"),
    }
    return values, packer.tensors


def _unpack_optimizer(
    values: dict[str, Any],
    tensors: dict[str, Tensor],
    weights: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    rates: Rates,
) -> None:
    def place_for(weight: nn.Parameter) -> Place:
        return partial(_place, weight=weight, optimizer=optimizer)

    anywhere = place_for(next(iter(weights.values())))
    optimizer.state.clear()
    for name, packed in values["weights"].items():
        optimizer.state[weights[name]] = unpack(packed, tensors, place_for(weights[name]))
    for key, packed in values["shared"]:
        optimizer.state[key] = unpack(packed, tensors, anywhere)
    for group, packed in zip(optimizer.param_groups, values["groups"], strict=True):
        group.update(unpack(packed, tensors, anywhere))
    rates.load_state_dict(unpack(values["rates"], tensors, anywhere))


def _place(
    value: Tensor, at: str, *, weight: nn.Parameter, optimizer: torch.optim.Optimizer
) -> Tensor:
    allocate = getattr(optimizer, "get_state_buffer", None)
    if at == "paged" and allocate is not None:  # bitsandbytes' memory that CPU and GPU share
        buffer: Tensor = allocate(weight, dtype=value.dtype)
        return buffer.copy_(value)
    return value if at == "host" else value.to(weight.device)


def _group_values(group: dict[str, Any]) -> dict[str, Any]:
    # which weights are in a group is decided anew by the spec
    return {key: value for key, value in group.items() if key != "params"}


def _class_path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _refuse_other_optimizer(name: str, saved: str, optimizer: torch.optim.Optimizer) -> None:
    present = _class_path(type(optimizer))
    if saved != present:
        raise RunError(
            f"{name}: the state is one of {saved}, and the run has {present}",
            "lorawiz run starts anew",
        )


def _restore_moments(
    moments: dict[str, Tensor], network: Trained, optimizer: torch.optim.Optimizer
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


def _iter_tensors(tensors: dict[str, Tensor]) -> Iterator[Data]:
    streamed = {
        name: to_streamed(partial(_same, tensor), tuple(tensor.shape), tensor.dtype)
        for name, tensor in tensors.items()
    }
    return iter_file_parts(streamed)


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _write_directory(target: Path, files: dict[str, Iterable[Data]]) -> None:
    temporary = target.with_name(target.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    watched = {name: _Watched(parts) for name, parts in files.items()}
    try:
        temporary.mkdir(parents=True)
        for name, parts in watched.items():
            _write_fsynced(temporary / name, parts)
        listing = {name: parts.describe() for name, parts in watched.items()}
        manifest = json.dumps({"schema": 1, "files": listing}, indent=1).encode()
        _write_fsynced(temporary / MANIFEST, [manifest])
        fsync_folder(temporary)
        # a state of this step that is there already failed its check when the run was resumed
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
        fsync_folder(target.parent)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


class _Watched:
    """Passes a file's parts on, and knows their hash when they have gone by."""

    def __init__(self, parts: Iterable[Data]) -> None:
        self._parts = parts
        self._digest = hashlib.sha256()
        self._num_bytes = 0

    def __iter__(self) -> Iterator[Data]:
        for part in self._parts:
            self._digest.update(part)
            self._num_bytes += len(part)
            yield part

    def describe(self) -> dict[str, int | str]:
        """The file's line in the manifest."""
        return {"num_bytes": self._num_bytes, "sha256": self._digest.hexdigest()}


def _write_fsynced(path: Path, parts: Iterable[Data]) -> None:
    with path.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())


def _prune(folder: Path) -> None:
    for path in [*list_states(folder)[:-_KEPT_STATES], *folder.glob("step-*.tmp")]:
        shutil.rmtree(path, ignore_errors=True)
