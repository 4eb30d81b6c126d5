"""The processes that train one LoRA together, each on a device of its own.

All of them hold the same weights and do the same steps. Of the batches that a step adds up each
takes its share, and the gradients are summed over all: so the numbers are those of one process
that goes through the batches one after the other, but for the order of a sum.

Gradients go the fast way between the devices. What is agreed upon goes through a group on the
CPU that waits for as long as it takes: for a run that is paused, or for samples being drawn.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import Accelerator, InitProcessGroupKwargs
from torch import Tensor, nn

T = TypeVar("T")

_PATIENCE = timedelta(days=365)
_BUCKET_BYTES = 64 << 20
"""Gradients that are summed at once: few messages, and no second copy of a whole model's."""


class PeerLost(Exception):  # noqa: N818 - not of this process's making
    """Another process of the run has ended before its time."""


class World:
    """All processes of a run as one of them sees them; `size` 1 is a run as most are."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.size: int = accelerator.num_processes
        self.rank: int = accelerator.process_index
        self._group: Any = None
        if self.size > 1:
            self._group = dist.new_group(backend="gloo", timeout=_PATIENCE)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and answers to the user."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """What of `items` is this process's to do: every size-th."""
        return items[self.rank :: self.size]

    def iter_share(self, items: Iterator[T]) -> Iterator[T]:
        """See `share`."""
        return islice(items, self.rank, None, self.size)

    def gather(self, value: T) -> list[T]:
        """The value of every process, by rank; each gets them all. Raises PeerLost."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _told():
            dist.all_gather_object(values, value, group=self._group)
        return values

    def wait(self) -> None:
        """Go on when all processes are here. Raises PeerLost."""
        self.gather(None)

    def lead(self, action: Callable[[], T]) -> T:
        """Do something in the main process alone; every process gets what it returned.

        Raises PeerLost where this is another one, and the main process raised.
        """
        if self.size == 1:
            return action()
        outcome: list[Any] = [None]
        if self.is_main:
            # where it raises, the others hear of it by this process's end
            outcome = [action()]
        with _told():
            dist.broadcast_object_list(outcome, src=0, group=self._group)
        led: T = outcome[0]
        return led

    def sum_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Make every gradient the sum over all processes; none stays none where none has one.

        Raises PeerLost.
        """
        if self.size == 1:
            return
        graded = torch.tensor(self.gather([weight.grad is not None for weight in weights]))
        summed = []
        for weight, is_graded in zip(weights, graded.any(0).tolist(), strict=True):
            if is_graded:
                # a process that had no batch in this step adds nothing
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
                summed.append(weight.grad)
        for bucket in _iter_buckets(summed):
            self._sum(bucket)

    def _sum(self, gradients: list[Tensor]) -> None:
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        with _told():
            dist.all_reduce(flat)
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        views = [part.view_as(to) for part, to in zip(parts, gradients, strict=True)]
        torch._foreach_copy_(gradients, views)

    def leave(self) -> None:
        """End the connection to the others, at the end of a run."""
        if self.size > 1:
            dist.destroy_process_group()


def build_accelerator(mixed_precision: str) -> Accelerator:
    """accelerate's view of this process, in a group with the others where there are any."""
    patience = InitProcessGroupKwargs(timeout=timedelta(hours=1))
    # without being told, it would not join processes on CPUs
    on_cpu = not torch.cuda.is_available() and not torch.backends.mps.is_available()
    return Accelerator(mixed_precision=mixed_precision, cpu=on_cpu, kwargs_handlers=[patience])


def _iter_buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one number format, up to so many bytes."""
    bucket: list[Tensor] = []
    num_bytes = 0
    for gradient in gradients:
        is_other = bool(bucket) and bucket[0].dtype != gradient.dtype
        if is_other or (bucket and num_bytes + gradient.nbytes > _BUCKET_BYTES):
            yield bucket
            bucket, num_bytes = [], 0
        bucket.append(gradient)
        num_bytes += gradient.nbytes
    if bucket:
        yield bucket


class _told:  # noqa: N801 - reads as a word of the `with` statement
    """Inside, an error of the connection is PeerLost."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        if isinstance(error, RuntimeError):
            raise PeerLost("another process of the run is gone") from error
