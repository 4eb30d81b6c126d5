"""The picture that is trained, tagged and captioned: cropped, and with its background replaced."""

import hashlib
import json
from typing import Any

from PIL import Image, ImageChops, ImageFilter

from lorawiz.dataset.buckets import BucketFit
from lorawiz.dataset.images import load_image, parse_colour
from lorawiz.dataset.masks import load_mask
from lorawiz.dataset.records import ImageRecord, find_image
from lorawiz.paths import Project
from lorawiz.spec.annotating import CutoutTable
from lorawiz.spec.tables import DatasetTable

_BLUR_RADIUS_PX = 8.0
"""A wider blur is made in a smaller picture: it looks the same, at any scale of the decode."""


def load_content(
    project: Project,
    record: ImageRecord,
    dataset: DatasetTable,
    cutout: CutoutTable,
    min_side: int | None = None,
) -> Image.Image:
    """What of an image is trained, as upright RGB; `min_side` is load_image's.

    Raises BrokenImageError, and DatasetError for a mask that is missing or is another one.
    """
    background = parse_colour(dataset.alpha_background)
    picture = load_image(find_image(project, record), record.crop, min_side, background)
    if not _is_composited(record, cutout):
        return picture
    mask = load_mask(project, record)
    assert mask is not None
    shown = _cut_mask(mask, record, picture.size)
    return Image.composite(picture, _build_background(picture, shown, cutout), shown)


def load_fitted_mask(
    project: Project, record: ImageRecord, fit: BucketFit, scale: int
) -> Image.Image | None:
    """The record's mask over what its bucket keeps, one pixel for `scale` × `scale` of the picture.

    It is cut as the picture is: to the crop, then to the bucket. None where there is no mask.
    Raises DatasetError for one that is missing or is another one.
    """
    mask = load_mask(project, record)
    if mask is None:
        return None
    (left, top), (width, height) = fit.crop_left_top, fit.bucket
    resized = _cut_mask(mask, record, fit.resized)
    kept = resized.crop((left, top, left + width, top + height))
    return kept.resize((width // scale, height // scale), Image.Resampling.BOX)


def content_key(record: ImageRecord, dataset: DatasetTable, cutout: CutoutTable) -> str:
    """A short digest of all that the picture of `load_content` is made from, at full scale."""
    parts: list[Any] = [record.sha256, record.crop, parse_colour(dataset.alpha_background)]
    if _is_composited(record, cutout):
        is_blurred = cutout.background == "blur"
        behind = ["blur", cutout.blur] if is_blurred else parse_colour(cutout.background)
        parts += [record.mask, behind]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _is_composited(record: ImageRecord, cutout: CutoutTable) -> bool:
    return bool(record.mask) and cutout.background != "keep"


def _cut_mask(mask: Image.Image, record: ImageRecord, size: tuple[int, int]) -> Image.Image:
    """What of the mask belongs to the crop, at the picture's scale."""
    across, down = mask.width / record.width, mask.height / record.height
    left, top, right, bottom = record.crop or (0, 0, record.width, record.height)
    box = (left * across, top * down, right * across, bottom * down)
    return mask.resize(size, Image.Resampling.BILINEAR, box=box)


def _build_background(picture: Image.Image, mask: Image.Image, cutout: CutoutTable) -> Image.Image:
    if cutout.background == "blur":
        return _blur_around(picture, mask, cutout.blur)
    return Image.new("RGB", picture.size, parse_colour(cutout.background))


def _blur_around(picture: Image.Image, mask: Image.Image, blur: float) -> Image.Image:
    """`picture` blurred, without the subject: its colours would glow around it."""
    scale = min(1.0, _BLUR_RADIUS_PX / (blur * min(picture.size)))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    radius = ImageFilter.GaussianBlur(blur * min(size))
    small = picture.resize(size, Image.Resampling.BOX)
    around = small.copy()
    around.putalpha(ImageChops.invert(mask.resize(size, Image.Resampling.BOX)))
    # premultiplied: what is transparent gives no colour
    spread = around.convert("RGBa").filter(radius).convert("RGBA")
    # deep inside the subject nothing is left to spread; there the plain blur is as good
    blurred = Image.alpha_composite(small.filter(radius).convert("RGBA"), _opaque(spread))
    return blurred.convert("RGB").resize(picture.size, Image.Resampling.BICUBIC)


def _opaque(image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A").point([min(255, value * 8) for value in range(256)])
    image.putalpha(alpha)
    return image
