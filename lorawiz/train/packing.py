"""Any nest of values as JSON, with its tensors apart: what a state is written from.

Floats come back to the bit (Python writes the shortest text that reads back the same), tuples
as tuples, tensors on the device of their weight, or on the host where they lay there.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from lorawiz.errors import RunError

Place = Callable[[Tensor, str], Tensor]
"""Puts a tensor from a file where it belongs: on the weight, the host, or paged."""

_SEQUENCES: dict[str, Callable[[Iterable[Any]], Any]] = {"tuple": tuple, "deque": deque}
_MAPPINGS: dict[str, Callable[..., Any]] = {
    "dict": dict, "OrderedDict": OrderedDict, "Counter": Counter,
}  # fmt: skip


class Packer:
    """Turns values into JSON and collects their tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        """On the host, by name; no two share memory, which the file could not hold."""
        self._storages: set[int] = set()

    def pack(self, value: Any, device: torch.device, name: str) -> Any:
        """The JSON of `value`; `name` says whose it is, `device` where that one's weight lies.

        Raises RunError for a kind of value that cannot be kept.
        """
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Tensor):
            return self._pack_tensor(value, device, name)
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        kind = type(value).__name__
        if isinstance(value, list) and kind == "list":
            return [self.pack(item, device, f"{name}.{i}") for i, item in enumerate(value)]
        if kind in _SEQUENCES:
            return {kind: self.pack(list(value), device, name)}
        if isinstance(value, dict):
            known = kind if kind in _MAPPINGS else "dict"
            pairs = [[key, self.pack(v, device, f"{name}.{key}")] for key, v in value.items()]
            return {known: pairs}
        raise RunError(
            f"{name}: a {type(value).__module__}.{kind} cannot be kept in a state to resume from",
            "use another train.optimizer_type or train.lr_scheduler",
        )

    def _pack_tensor(self, value: Tensor, device: torch.device, name: str) -> dict[str, str]:
        # step counts stay on the host, whatever device the run is resumed on
        is_count = value.ndim == 0 and name.endswith(".step") and value.device.type == "cpu"
        at = "weight" if value.device == device and not is_count else "host"
        host = value.detach().cpu().contiguous()
        if host.untyped_storage().data_ptr() in self._storages:
            host = host.clone()
        self._storages.add(host.untyped_storage().data_ptr())
        self.tensors[name] = host
        return {"tensor": name, "at": "paged" if getattr(value, "is_paged", False) else at}


def unpack(packed: Any, tensors: dict[str, Tensor], place: Place) -> Any:
    """The value that `Packer.pack` was given."""
    if isinstance(packed, list):
        return [unpack(item, tensors, place) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if "tensor" in packed:
        return place(tensors[packed["tensor"]], packed["at"])
    if "dtype" in packed:
        return getattr(torch, packed["dtype"])
    [(kind, inner)] = packed.items()
    if kind in _SEQUENCES:
        return _SEQUENCES[kind](unpack(inner, tensors, place))
    return _MAPPINGS[kind]({key: unpack(item, tensors, place) for key, item in inner})
