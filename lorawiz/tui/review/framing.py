"""What keys do to the picture: the crop box is moved, or one looks closer and moves about."""

from dataclasses import replace

from lorawiz.dataset.records import Crop, ImageRecord
from lorawiz.tui.language import tr
from lorawiz.tui.review import crop_box
from lorawiz.tui.review.editing import EditingScreen
from lorawiz.tui.review.editing_session import name_images
from lorawiz.tui.review.picture_view import PictureView
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.review.zoom import ACTUAL, Zoom, pan, step_scale


class FramingScreen(EditingScreen):
    """The crop box is a mode in which only its keys count; in the zoom others go on."""

    def __init__(self, session: ReviewSession, picture: PictureView) -> None:
        super().__init__(session)
        self.picture = picture
        self.box: Crop | None = None
        """The crop box while it is moved."""
        self.zoom: Zoom | None = None
        """Set while the picture is looked at closely."""
        self._framed: ImageRecord | None = None
        """The image whose box is moved, as it was when that began."""
        self._keeps_shape = True

    def draw_soon(self) -> None:
        """Draw the picture when no other key follows."""
        raise NotImplementedError

    def draw_now(self) -> None:
        """Draw the picture."""
        raise NotImplementedError

    # the crop box

    def action_crop(self) -> None:
        record = self.session.current
        assert record is not None
        self._framed = record
        self.box = record.crop or crop_box.whole_box((record.width, record.height))
        self.draw_now()
        self._say_box()
        self.refresh_bindings()

    def action_nudge(self, across: int, down: int) -> None:
        box, size = self._find_box()
        step = crop_box.step_px(size)
        self._set_box(crop_box.move_box(box, across * step, down * step, size))

    def action_stretch(self, wider: int, higher: int) -> None:
        box, size = self._find_box()
        step = crop_box.step_px(size)
        if self._keeps_shape:
            self._set_box(crop_box.scale_box(box, wider or higher, size))
        else:
            self._set_box(crop_box.stretch_box(box, wider * step, higher * step, size))

    def action_scale(self, direction: int) -> None:
        box, size = self._find_box()
        self._set_box(crop_box.scale_box(box, direction, size))

    def action_keep_shape(self) -> None:
        self._keeps_shape = not self._keeps_shape
        self._say_box()

    def action_reset_crop(self) -> None:
        _, size = self._find_box()
        self._set_box(crop_box.whole_box(size))

    def action_leave_crop(self) -> None:
        self.box = None
        self.say("")
        self.draw_now()
        self.refresh_bindings()

    async def action_save_crop(self) -> None:
        box, size = self._find_box()
        framed = self._framed
        assert framed is not None
        crop = None if box == crop_box.whole_box(size) else box

        def change(found: ImageRecord, _machine: object) -> ImageRecord:
            if (found.width, found.height) != size or found.crop == crop:
                return found
            return replace(found, crop=crop, hand=replace(found.hand, crop=True))

        self.box = None
        what = tr("crop box of {images}", images=name_images([framed]))
        is_done = await self.edit(what, [framed], change, about=lambda record: record.crop)
        if not is_done:  # the box stays, over what is there now: enter again saves it
            self._framed, self.box = self.session.find(framed.image_path), box
            self.draw_now()
            self.refresh_bindings()
        self.note_new_training()

    def leave_box_of_another(self, current: ImageRecord | None) -> None:
        """The image whose box is moved may be gone by now."""
        framed = self._framed
        if current is None or framed is None or framed.image_path != current.image_path:
            self.box = None

    def _find_box(self) -> tuple[Crop, tuple[int, int]]:
        assert self.box is not None
        assert self._framed is not None
        return self.box, (self._framed.width, self._framed.height)

    def _set_box(self, box: Crop) -> None:
        self.box = box
        self._say_box()
        self.draw_soon()

    def _say_box(self) -> None:
        box, _ = self._find_box()
        left, top, right, bottom = box
        said = tr(
            "{width}×{height} at {left}, {top}",
            width=right - left,
            height=bottom - top,
            left=left,
            top=top,
        )
        self.say(f"{said} · {tr('shape kept') if self._keeps_shape else tr('shape free')}")

    # looking closely

    def action_zoom(self) -> None:
        self.zoom = Zoom()
        self.set_class(True, "-zoom")
        self.refresh_bindings()

    def action_leave_zoom(self) -> None:
        self.zoom = None
        self.set_class(False, "-zoom")
        self.draw_now()
        self.refresh_bindings()

    def action_closer(self, step: int) -> None:
        record, zoom = self._find_zoom()
        scale = step_scale(zoom.scale, step, self.picture.find_fit_scale(record))
        self._set_scale(record, zoom, scale)

    def action_actual_size(self) -> None:
        self._set_scale(*self._find_zoom(), ACTUAL)

    def action_pan(self, across: int, down: int) -> None:
        record, zoom = self._find_zoom()
        size = record.width, record.height
        self.zoom = pan(zoom, across, down, size, self.picture.view_px)
        self.draw_soon()

    def _set_scale(self, record: ImageRecord, zoom: Zoom, scale: float | None) -> None:
        middle = zoom.across, zoom.down
        if zoom.scale is None:  # begin where sharpness matters
            middle = self._find_middle(record)
        self.zoom = Zoom(scale, *middle)
        self.draw_soon()
        self.refresh_bindings()

    def center_zoom(self) -> None:
        """On another image, look at the same scale at what matters there."""
        record = self.session.current
        if self.zoom is not None and self.zoom.scale is not None and record is not None:
            self.zoom = Zoom(self.zoom.scale, *self._find_middle(record))

    def _find_middle(self, record: ImageRecord) -> tuple[float, float]:
        """The middle of the surest face, else of the crop box, else of the picture."""
        faces = (self.session.knowledge.faces or {}).get(record.image_path)
        if faces:
            left, top, right, bottom, _ = faces[0]
            return (left + right) / 2, (top + bottom) / 2
        if record.crop is not None and record.width and record.height:
            box = record.crop
            return (box[0] + box[2]) / 2 / record.width, (box[1] + box[3]) / 2 / record.height
        return 0.5, 0.5

    def _find_zoom(self) -> tuple[ImageRecord, Zoom]:
        record = self.session.current
        assert record is not None
        assert self.zoom is not None
        return record, self.zoom
