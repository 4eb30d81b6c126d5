"""Pictures at the size of the screen: decoded, remembered, with crop and mask drawn on them."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image, ImageDraw

from lorawiz.dataset.buckets import Size
from lorawiz.dataset.images import load_image
from lorawiz.dataset.records import Crop, ImageRecord, find_image
from lorawiz.errors import DatasetError
from lorawiz.paths import Project

_MAX_REMEMBERED = 16
_TINT = (60, 110, 200)
_TINT_STRENGTH = 0.6
_OUTSIDE_BRIGHTNESS = 0.4
_FRAME_COLOUR = (255, 214, 90)


@dataclass(frozen=True)
class Picture:
    """A whole picture shrunk to the screen, and its mask at the same size."""

    image: Image.Image
    mask: Image.Image | None
    complaint: str = ""
    """Why there is no mask although the image should have one."""


class PictureShelf:
    """The last few pictures; may be asked from several threads, decodes one at a time."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._pictures: OrderedDict[tuple[str, str, str, Size], Picture] = OrderedDict()
        self._close_key: tuple[str, str, int] | None = None
        self._close: Image.Image | None = None
        """The picture that is looked at closely, at the size that this needs."""

    def load(self, record: ImageRecord, size_px: Size) -> Picture:
        """The picture of exactly `size_px`. Raises DatasetError for one that cannot be shown."""
        key = record.image_path, record.sha256, record.mask, size_px
        with self._lock:
            picture = self._pictures.pop(key, None) or self._decode(record, size_px)
            self._pictures[key] = picture
            while len(self._pictures) > _MAX_REMEMBERED:
                self._pictures.popitem(last=False)
            return picture

    def load_part(
        self, record: ImageRecord, part: Crop, scale: float, size_px: Size
    ) -> Image.Image:
        """A part of the picture at `scale`, of exactly `size_px`; kept, so that one can move in it.

        Raises DatasetError for one that cannot be shown.
        """
        with self._lock:
            size = record.width, record.height
            # a reduced decode has at least twice as many pixels as asked for
            min_side = max(1, round(min(size) * min(scale, 1.0) / 2))
            key = record.image_path, record.sha256, min_side
            if self._close is None or self._close_key != key:
                self._close = load_image(find_image(self._project, record), min_side=min_side)
                self._close_key = key
            across, down = self._close.width / size[0], self._close.height / size[1]
            box = part[0] * across, part[1] * down, part[2] * across, part[3] * down
            how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BICUBIC
            return self._close.resize(size_px, how, box)

    def _decode(self, record: ImageRecord, size_px: Size) -> Picture:
        path = find_image(self._project, record)
        # load_image keeps twice as many pixels as asked for: half is exactly enough
        image = load_image(path, min_side=max(1, min(size_px) // 2))
        image = image.resize(size_px, Image.Resampling.BICUBIC, reducing_gap=2.0)
        if not record.mask:
            return Picture(image, None)
        from lorawiz.dataset.masks import load_mask  # needs numpy: the first picture does not

        try:
            mask = load_mask(self._project, record)
        except DatasetError as error:
            return Picture(image, None, error.message)
        return Picture(image, mask and mask.resize(size_px, Image.Resampling.BILINEAR))


def draw_picture(picture: Picture, image_size: Size, crop: Crop | None) -> Image.Image:
    """The picture with its background tinted by the mask and what the crop cuts off darkened.

    `crop` is in pixels of the whole image of `image_size`.
    """
    drawn = picture.image.copy()
    if picture.mask is not None:
        tint = Image.blend(drawn, Image.new("RGB", drawn.size, _TINT), _TINT_STRENGTH)
        drawn = Image.composite(drawn, tint, picture.mask)
    if crop is not None:
        drawn = _draw_crop(drawn, image_size, crop)
    return drawn


def _draw_crop(drawn: Image.Image, image_size: Size, crop: Crop) -> Image.Image:
    across, down = drawn.width / image_size[0], drawn.height / image_size[1]
    left, top = int(crop[0] * across), int(crop[1] * down)
    right = max(left + 1, round(crop[2] * across))
    bottom = max(top + 1, round(crop[3] * down))
    dark = drawn.point(lambda value: int(value * _OUTSIDE_BRIGHTNESS))
    dark.paste(drawn.crop((left, top, right, bottom)), (left, top))
    line_px = 1 + min(drawn.size) // 200
    box = (left, top, min(right, drawn.width) - 1, min(bottom, drawn.height) - 1)
    ImageDraw.Draw(dark).rectangle(box, outline=_FRAME_COLOUR, width=line_px)
    return dark
