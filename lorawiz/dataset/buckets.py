"""Aspect-ratio buckets: which size an image is trained at, and what is cut away for it.

The sizes and the choice are those of sd-scripts (`make_bucket_resolutions`, `BucketManager`),
so that a dataset lands in the same buckets there and here.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from lorawiz.spec.tables import DatasetTable

Size = tuple[int, int]
"""(width, height) in pixels."""


@dataclass(frozen=True)
class BucketFit:
    """How one image gets into its bucket."""

    bucket: Size
    resized: Size
    """Size that the image is scaled to; its middle is then cut to `bucket`."""

    @property
    def crop_left_top(self) -> Size:
        """Pixels cut off the left and the top of the resized image."""
        return (self.resized[0] - self.bucket[0]) // 2, (self.resized[1] - self.bucket[1]) // 2


@lru_cache(maxsize=4096)
def fit_bucket(image: Size, table: DatasetTable) -> BucketFit:
    """The bucket of an image of size `image`."""
    if not table.enable_bucket:
        return BucketFit(table.size, _cover(image, table.size))
    if table.bucket_no_upscale:
        return _fit_without_upscale(image, table)
    sizes = bucket_sizes(table)
    if image in sizes:
        return BucketFit(image, image)
    ratio = image[0] / image[1]
    nearest = min(sizes, key=lambda size: abs(size[0] / size[1] - ratio))
    return BucketFit(nearest, _cover(image, nearest))


def bucket_sizes(table: DatasetTable) -> list[Size]:
    """All bucket sizes of the settings, sorted: about the same area, sides in steps."""
    return list(
        _bucket_sizes(
            table.size, table.min_bucket_reso, table.max_bucket_reso, table.bucket_reso_steps
        )
    )


def count_buckets(images: Iterable[Size], table: DatasetTable) -> dict[Size, int]:
    """Images by bucket, sorted by size."""
    counts = Counter(fit_bucket(image, table).bucket for image in images)
    return dict(sorted(counts.items()))


@lru_cache(maxsize=64)
def _bucket_sizes(area: Size, shortest: int, longest: int, step: int) -> tuple[Size, ...]:
    max_area = area[0] * area[1]
    side = int(math.sqrt(max_area) // step) * step
    sizes = {(side, side)}
    for width in range(shortest, longest + 1, step):
        height = min(longest, int(max_area // width // step) * step)
        if height >= shortest:
            sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes))


def _cover(image: Size, bucket: Size) -> Size:
    """`image` scaled so that it just covers `bucket`."""
    width, height = image
    is_wider = width / height > bucket[0] / bucket[1]
    scale = bucket[1] / height if is_wider else bucket[0] / width
    return max(int(width * scale + 0.5), bucket[0]), max(int(height * scale + 0.5), bucket[1])


def _fit_without_upscale(image: Size, table: DatasetTable) -> BucketFit:
    step, (width, height) = table.bucket_reso_steps, image
    max_area = table.size[0] * table.size[1]
    resized = image
    if width * height > max_area:
        ratio = width / height
        by_width = _round_down(math.sqrt(max_area * ratio), step)
        by_height = _round_down(max_area / math.sqrt(max_area * ratio), step)
        error_by_width = abs(by_width / max(_round_down(by_width / ratio, step), 1) - ratio)
        error_by_height = abs(_round_down(by_height * ratio, step) / max(by_height, 1) - ratio)
        if error_by_width < error_by_height:
            resized = (by_width, int(by_width / ratio + 0.5))
        else:
            resized = (int(by_height * ratio + 0.5), by_height)
    bucket = (max(resized[0] // step * step, step), max(resized[1] // step * step, step))
    return BucketFit(bucket, (max(resized[0], bucket[0]), max(resized[1], bucket[1])))


def _round_down(length: float, step: int) -> int:
    whole = int(length + 0.5)
    return whole - whole % step
