"""What one process spends on training steps: seconds, memory, operations, bytes kept and read.

Knows torch and accelerate alone, so that every trainer can be measured by the same code in its
own Python. A trainer calls `begin_step` whenever a step begins: one warm step, some timed ones,
one counted one; then `Finished` is raised and the figures are in a JSON file.

Counts are of forward and backward: clipping and the optimizer are torch's in every trainer, and
torch loops over tensors there on a CPU where it has one kernel on a GPU.
"""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_NO_KERNEL = {
    "aten::detach", "aten::empty", "aten::empty_like", "aten::empty_strided", "aten::new_empty",
    "aten::new_empty_strided", "aten::_unsafe_view", "aten::lift_fresh", "aten::alias",
}  # fmt: skip
_SYNCS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero"}


class Finished(BaseException):
    """Everything is measured; not an Exception, so that no trainer takes it for a fault."""


class StepCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts while it is entered: kernels, waits for the host, bytes kept for the backward pass."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels: dict[str, int] = {}
        self.num_syncs = 0
        self.is_paused = False
        self._kept: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda kept: kept)
        self._frozen: set[int] = set()

    @property
    def num_kernels(self) -> int:
        return sum(self.kernels.values())

    @property
    def kept_bytes(self) -> int:
        """Of tensors that the graph holds, weights not counted."""
        return sum(size for key, size in self._kept.items() if key not in self._frozen)

    def __enter__(self) -> "StepCounter":
        self._hooks.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._hooks.__exit__(*error)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if not self.is_paused:
            name = func._schema.name
            self.num_syncs += name in _SYNCS
            if not (func.is_view or name in _NO_KERNEL or name in _SYNCS):
                self.kernels[name] = self.kernels.get(name, 0) + 1
        return func(*args, **(kwargs or {}))

    def _keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        # meta tensors have no address, but each storage is an object of its own
        key = storage.data_ptr() or storage._cdata
        self._kept[key] = storage.nbytes()
        root = tensor._base if tensor._base is not None else tensor
        if isinstance(root, torch.nn.Parameter):
            self._frozen.add(key)
        return tensor


class StepMeter:
    """Measures the steps of this process and writes `out`."""

    def __init__(self, out: Path, num_timed: int, before_count: Callable[[], None]) -> None:
        self._out = out
        self._num_timed = num_timed
        self._before_count = before_count
        self._begins: list[float] = []
        self._first_step_s = 0.0
        self._counter = StepCounter()
        self._stack = ExitStack()
        self._read_bytes = 0
        self._peak_bytes = 0

    def begin_step(self) -> None:
        """A step begins, and the one before is over. Raises Finished behind the counted step."""
        now = time.perf_counter()
        if not self._begins:
            self._first_step_s = time.time() - psutil.Process().create_time()
        self._begins.append(now)
        if len(self._begins) == self._num_timed + 2:
            self._begin_count()
        elif len(self._begins) == self._num_timed + 3:
            self._finish()

    def _begin_count(self) -> None:
        self._peak_bytes = peak_rss_bytes()
        self._read_bytes = _bytes_read()
        self._before_count()
        self._pause_in_clipping()
        self._pause_in_optimizers()
        self._stack.enter_context(self._counter)

    def _finish(self) -> None:
        read_bytes = _bytes_read() - self._read_bytes
        self._stack.close()
        ends = self._begins[2 : self._num_timed + 2]
        values = {
            "first_step_s": self._first_step_s,
            "step_s": [end - begin for begin, end in zip(self._begins[1:], ends, strict=False)],
            "peak_bytes": self._peak_bytes,
            "num_kernels": self._counter.num_kernels,
            "kernels": self._counter.kernels,
            "num_syncs": self._counter.num_syncs,
            "kept_bytes": self._counter.kept_bytes,
            "read_bytes": read_bytes,
        }
        self._out.write_text(json.dumps(values))
        raise Finished

    def _pause_in_clipping(self) -> None:
        from accelerate import Accelerator

        clip = Accelerator.clip_grad_norm_
        counter = self._counter

        def clip_uncounted(*args: Any, **kwargs: Any) -> Any:
            counter.is_paused = True
            norm = clip(*args, **kwargs)
            counter.is_paused = False
            return norm

        Accelerator.clip_grad_norm_ = clip_uncounted

    def _pause_in_optimizers(self) -> None:
        from torch.optim import optimizer

        def pause(is_paused: bool) -> Callable[..., None]:
            return lambda *_: setattr(self._counter, "is_paused", is_paused)

        optimizer.register_optimizer_step_pre_hook(pause(True))
        optimizer.register_optimizer_step_post_hook(pause(False))


def peak_rss_bytes() -> int:
    """The peak of this process's memory so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak] = [line for line in lines if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024


def _bytes_read() -> int:
    """What this process has asked files for, cached by the system or not."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(lines[0].removeprefix("rchar: "))
