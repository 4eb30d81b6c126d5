"""Which part of the images this process takes when several share a job."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lorawiz.errors import LorawizError

Item = TypeVar("Item")

_LAUNCHERS = (("RANK", "WORLD_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"))
"""What accelerate and torchrun set, and what mpirun sets."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` processes, by `index` from 0."""

    index: int = 0
    count: int = 1

    def take(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's items. The parts of all processes make the whole, whenever they start."""
        return items[self.index :: self.count]


def this_shard(environment: Mapping[str, str] | None = None) -> Shard:
    """The shard of this process: `accelerate launch -m lorawiz tag` starts several.

    Raises LorawizError for numbers that make no sense.
    """
    environment = os.environ if environment is None else environment
    for rank, size in _LAUNCHERS:
        if rank in environment and size in environment:
            try:
                shard = Shard(int(environment[rank]), int(environment[size]))
            except ValueError:
                shard = Shard(0, 0)
            if not 0 <= shard.index < shard.count:
                raise LorawizError(
                    f"{rank}={environment[rank]!r} and {size}={environment[size]!r} are not a "
                    "process's number and their count",
                    f"unset {rank} {size}, or start with accelerate launch -m lorawiz …",
                )
            return shard
    return Shard()
