"""A sheet of what training would see: crops and cut-outs before anything is trained."""

from collections.abc import Sequence
from pathlib import Path

from lorawiz.dataset.contact_sheet import build_contact_sheet
from lorawiz.dataset.content import load_content
from lorawiz.dataset.records import ImageRecord
from lorawiz.paths import Project
from lorawiz.spec import Spec

_COLUMNS = 6
_MOST_IMAGES = 120
_MIN_SIDE_PX = 256


def draw_preview(project: Project, spec: Spec, records: Sequence[ImageRecord], target: str) -> Path:
    """Draw the images as training would see them into the PNG `target`. Raises OSError."""
    path = Path(target).expanduser()
    cutout = spec.cutout
    if cutout.background == "keep":  # a sheet on which nothing changes shows no mask
        cutout = cutout.model_copy(update={"background": "white"})
    shown = [record for record in records if record.is_trained][:_MOST_IMAGES]
    pictures = [
        (
            load_content(project, record, spec.dataset, cutout, min_side=_MIN_SIDE_PX),
            Path(record.image_path).name,
        )
        for record in shown
    ]
    build_contact_sheet(pictures, _COLUMNS).save(path, format="PNG")
    return path
