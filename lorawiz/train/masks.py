"""How much each latent cell of an image counts in its loss, by the image's mask.

Shape suffixes: B batch, H W latent rows and columns.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from lorawiz.dataset.batches import Item
from lorawiz.dataset.content import load_fitted_mask
from lorawiz.paths import Project
from lorawiz.spec import Spec
from lorawiz.train.caches import TensorCache


class LossMasks:
    """The masks of a run, at the size of its latents; none where `masked_loss` is off."""

    def __init__(self, project: Project, spec: Spec, vae_scale: int) -> None:
        self._project = project
        self._train = spec.train
        self._scale = vae_scale
        self._cache = TensorCache(project, "masks")

    def prepare(self, items: Iterable[Item], wait: Callable[[], None]) -> None:
        """Make those that are not cached yet; `wait` is called before each.

        Raises DatasetError for a mask that is missing or is another one.
        """
        if not self._train.masked_loss:
            return
        for item in items:
            if item.record.mask and self._cache.find(*self._key(item)) is None:
                wait()
                self._make(item)

    def find_weights(self, batch: Sequence[Item]) -> Tensor | None:
        """weights_B1HW on the CPU; None where every cell of all images counts the same.

        Raises DatasetError for a mask that is missing or is another one.
        """
        if not self._train.masked_loss or not any(item.record.mask for item in batch):
            return None
        return torch.stack([self._weigh(item) for item in batch])

    def _weigh(self, item: Item) -> Tensor:
        width, height = (side // self._scale for side in item.fit.bucket)
        if not item.record.mask:
            return torch.ones(1, height, width)
        mask_HW = self._cache.find(*self._key(item))
        if mask_HW is None:
            mask_HW = self._make(item)
        return weigh_by_area(mask_HW, self._train.unmasked_weight)[None]

    def _make(self, item: Item) -> Tensor:
        mask = load_fitted_mask(self._project, item.record, item.fit, self._scale)
        assert mask is not None
        mask_HW = torch.from_numpy(np.array(mask))
        mask_HW = mask_HW.flip(-1) if item.flipped else mask_HW
        self._cache.put(mask_HW, *self._key(item))
        return mask_HW

    def _key(self, item: Item) -> tuple[object, ...]:
        record, fit = item.record, item.fit
        size = (record.width, record.height)
        return (record.mask, size, record.crop, fit.bucket, fit.resized, item.flipped, self._scale)


def weigh_by_area(mask_HW: Tensor, unmasked_weight: float) -> Tensor:
    """weights_HW, fp32, with a mean of 1: so that a small subject counts as much as a large one.

    `mask_HW` is 0…255: inside counts 1 and outside `unmasked_weight`, before they are divided by
    their mean. A mask of one value gives ones, and so does one with nothing inside.
    """
    inside_HW = mask_HW.double() / 255
    weights_HW = inside_HW + (1 - inside_HW) * unmasked_weight
    if bool((mask_HW == mask_HW.flatten()[0]).all()):
        return torch.ones_like(weights_HW, dtype=torch.float32)
    return (weights_HW / weights_HW.mean()).float()
