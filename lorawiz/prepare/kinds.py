"""The four jobs of models over images: tags, captions, faces and masks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from lorawiz.annotate.protocols import MIN_SCORE, Face, FloatArray, Segmenter
from lorawiz.annotate.registry import (
    CAPTIONERS,
    FACE_DETECTORS,
    SEGMENTERS,
    TAGGERS,
    load_model,
)
from lorawiz.dataset.content import content_key, load_content
from lorawiz.dataset.evidence import Model
from lorawiz.dataset.images import load_image, parse_colour
from lorawiz.dataset.masks import build_mask, load_mask, save_mask
from lorawiz.dataset.records import ImageRecord, find_image
from lorawiz.errors import DatasetError
from lorawiz.paths import Project
from lorawiz.prepare.feeding import LoadPicture
from lorawiz.prepare.jobs import Job
from lorawiz.spec import Spec
from lorawiz.spec.annotating import CutoutTable

_SHARE_DIGITS = 5
_SCORE_DIGITS = 4


def build_tag_job(project: Project, spec: Spec) -> Job:
    """Raises ModelError and MissingExtraError."""
    tagger = load_model(TAGGERS, spec.tag.model, project, spec.tag)
    categories = {label.name: label.category for label in tagger.labels}

    def as_json(record: ImageRecord, scores: dict[str, float]) -> dict[str, Any]:
        rounded = {name: round(score, _SCORE_DIGITS) for name, score in scores.items()}
        return {"scores": rounded, "categories": _by_category(scores, categories)}

    model = Model("tags", spec.tag.model, tagger.revision, MIN_SCORE)
    load = _content_loader(project, spec, tagger.min_side)
    return Job(model, tagger, spec.tag.batch_size, load, _content_view(spec), as_json)


def build_caption_job(project: Project, spec: Spec) -> Job:
    """Raises ModelError and MissingExtraError."""
    captioner = load_model(CAPTIONERS, spec.caption.model, project, spec.caption)
    model = Model("captions", spec.caption.model, captioner.revision)
    load = _content_loader(project, spec, captioner.min_side)
    return Job(
        model, captioner, spec.caption.batch_size, load, _content_view(spec),
        lambda record, caption: {"caption": caption},
    )  # fmt: skip


def build_face_job(project: Project, spec: Spec) -> Job:
    """Raises MissingExtraError."""
    detector = FACE_DETECTORS[spec.crop.detector](spec.crop)
    model = Model("faces", spec.crop.detector, detector.revision, spec.crop.min_score)
    return Job(
        model, detector, 1, _whole_loader(project, spec, detector.min_side),
        # the search goes on in smaller parts until something scores as high
        lambda record: f"whole from {spec.crop.min_score}",
        lambda record, faces: {"faces": [_face_as_json(face) for face in faces]},
    )  # fmt: skip


def build_mask_job(project: Project, spec: Spec) -> Job:
    """Raises MissingExtraError."""
    segmenter = SEGMENTERS[spec.cutout.segmenter](spec.cutout)
    maker = MaskMaker(segmenter, spec.cutout)
    load = _whole_loader(project, spec, maker.min_side)
    model = Model("masks", spec.cutout.segmenter, segmenter.revision)
    return Job(
        model,
        maker,
        1,
        lambda record: Scene(load(record), _crop_shares(record)),
        lambda record: f"crop {record.crop} feather {spec.cutout.feather}",
        lambda record, mask: {
            "mask": save_mask(project, record, mask),
            "share": _masked_share(mask, record),
        },
        lambda record, finding: _has_mask(project, replace(record, mask=finding["mask"])),
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture and what of it will be trained."""

    image: Image.Image
    crop: tuple[float, float, float, float] | None
    """(left, top, right, bottom) as shares of the picture."""


class MaskMaker:
    """A segmenter that looks twice: at the whole picture, and closely at its crop."""

    def __init__(self, segmenter: Segmenter, table: CutoutTable) -> None:
        self.name = segmenter.name
        self.revision = segmenter.revision
        self.device = segmenter.device
        self.min_side = segmenter.min_side
        self._segmenter = segmenter
        self._table = table

    def prepare(self, image: Any) -> Scene:
        scene: Scene = image
        return scene

    def run(self, inputs: Sequence[Scene], keys: Sequence[str]) -> list[Image.Image]:
        return [self._build(scene, key) for scene, key in zip(inputs, keys, strict=True)]

    def _build(self, scene: Scene, key: str) -> Image.Image:
        def segment(image: Image.Image) -> FloatArray:
            return self._segmenter.run([self._segmenter.prepare(image)], [key])[0]

        return build_mask(segment, scene.image, scene.crop, self._table.feather)


def _content_loader(project: Project, spec: Spec, min_side: int | None) -> LoadPicture:
    return lambda record: load_content(project, record, spec.dataset, spec.cutout, min_side)


def _whole_loader(project: Project, spec: Spec, min_side: int | None) -> LoadPicture:
    background = parse_colour(spec.dataset.alpha_background)

    def load(record: ImageRecord) -> Image.Image:
        path = find_image(project, record)
        return load_image(path, min_side=min_side, background=background)

    return load


def _content_view(spec: Spec) -> Any:
    return lambda record: content_key(record, spec.dataset, spec.cutout)


def _has_mask(project: Project, record: ImageRecord) -> bool:
    try:
        return load_mask(project, record) is not None
    except DatasetError:
        return False


def _masked_share(mask: Image.Image, record: ImageRecord) -> float:
    """How much of what is trained is subject, 0…1."""
    shares = _crop_shares(record) or (0.0, 0.0, 1.0, 1.0)
    sides = (mask.width, mask.height, mask.width, mask.height)
    part = mask.crop(tuple(round(s * side) for s, side in zip(shares, sides, strict=True)))  # type: ignore[arg-type]
    histogram = part.histogram()
    covered = sum(value * count for value, count in enumerate(histogram)) / 255
    return round(covered / max(sum(histogram), 1), _SCORE_DIGITS)


def _crop_shares(record: ImageRecord) -> tuple[float, float, float, float] | None:
    if record.crop is None:
        return None
    left, top, right, bottom = record.crop
    return (
        left / record.width,
        top / record.height,
        right / record.width,
        bottom / record.height,
    )


def _by_category(scores: dict[str, float], categories: dict[str, Any]) -> dict[str, list[str]]:
    """Names by category, of those that are not general."""
    named: dict[str, list[str]] = {}
    for name in scores:
        if categories[name] != "general":
            named.setdefault(categories[name], []).append(name)
    return named


def _face_as_json(face: Face) -> dict[str, Any]:
    return {
        "box": [
            round(share, _SHARE_DIGITS) for share in (face.left, face.top, face.right, face.bottom)
        ],
        "score": round(face.score, _SCORE_DIGITS),
        "points": [[round(x, _SHARE_DIGITS), round(y, _SHARE_DIGITS)] for x, y in face.points],
    }
