"""What each image's loss was in one epoch: summed where the losses lie, and seldom read.

Shape suffix: B batch.
"""

import json
from collections.abc import Sequence

import torch
from torch import Tensor

from lorawiz.dataset.batches import Item

STATE_FILE = "image-losses.json"
_MAX_UNREAD = 1000
"""Batches whose losses stay on the device: one wait for it in so many, or in an epoch."""


StepLosses = list[tuple[list[str], list[float]]]
"""(image_paths, losses) of each batch."""


class ImageLosses:
    """The sums of the epoch that is being trained, of every view that a step was made of.

    They are a part of the state: an epoch that is resumed in its middle counts all its views.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}
        """By image path: the sum of its losses, and of how many views."""
        self._step: list[tuple[list[str], Tensor]] = []
        self._unread: list[tuple[list[str], Tensor]] = []

    def add(self, batch: Sequence[Item], loss_B: Tensor) -> None:
        """Note the losses of a batch of the present step; does not wait for the device."""
        self._step.append(([item.record.image_path for item in batch], loss_B.detach()))

    def take_step(self) -> StepLosses:
        """The (image paths, losses) of the step's batches, which are then no longer noted."""
        taken = [(paths, loss_B.tolist()) for paths, loss_B in self._step]
        self._step = []
        return taken

    def put_step(self, batches: StepLosses) -> None:
        """Note what `take_step` gave, of all processes together."""
        self._step = [(paths, torch.tensor(losses)) for paths, losses in batches]

    def end_step(self, is_made: bool) -> None:
        """Count what was noted, or forget it where the step was not made."""
        if is_made:
            self._unread += self._step
        self._step = []
        if len(self._unread) >= _MAX_UNREAD:
            self._read()

    def end_epoch(self) -> dict[str, list[float | int]]:
        """{image_path: [mean loss, number of views]}, sorted; the next epoch begins at nothing."""
        self._read()
        sums, self._sums = self._sums, {}
        return {path: [total / num, num] for path, (total, num) in sorted(sums.items())}

    def pack(self) -> bytes:
        """The sums so far, for a state."""
        self._read()
        return json.dumps(self._sums).encode()

    def restore(self, packed: bytes | None) -> None:
        """Go on from what `pack` gave; from nothing where a state has no such file."""
        values = json.loads(packed) if packed else {}
        self._sums = {path: (total, num) for path, (total, num) in values.items()}

    def _read(self) -> None:
        if not self._unread:
            return
        # one after the other, in their order: a resumed epoch adds up to the same bits
        losses = torch.cat([loss_B for _, loss_B in self._unread]).tolist()
        paths = [path for paths, _ in self._unread for path in paths]
        self._unread = []
        for path, loss in zip(paths, losses, strict=True):
            total, num = self._sums.get(path, (0.0, 0))
            self._sums[path] = (total + loss, num + 1)
