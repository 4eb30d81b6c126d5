"""Every model that lorawiz can use on images: a new one is a file here beside and a line below."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from lorawiz.annotate import blazeface, blip, cl_tagger, florence2, selfie, wd14
from lorawiz.annotate.model_folder import read_model_type
from lorawiz.annotate.protocols import Captioner, FaceDetector, Segmenter, Tagger
from lorawiz.errors import ModelError, visible_text
from lorawiz.hub import HubFiles, find_in_hub_cache, is_hub_id, iter_model_folders
from lorawiz.paths import Project, model_folders
from lorawiz.spec.annotating import CaptionTable, CropTable, CutoutTable, TagTable

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Layout(Generic[Loaded]):
    """One way in which a model lies in a folder."""

    name: str
    fits: Callable[[Path], bool]
    """Whether a folder holds such a model, whole."""
    load: Callable[[Path, Any, str], Loaded]
    """From a folder, the spec's table and the name that the user calls the model."""


@dataclass(frozen=True)
class ModelKind(Generic[Loaded]):
    """A job that models of several layouts can do."""

    title: str
    setting: str
    layouts: Sequence[Layout[Loaded]]
    files: HubFiles


def _has(names: Sequence[str]) -> Callable[[Path], bool]:
    return lambda folder: all((folder / name).is_file() for name in names)


def _is_of_type(model_type: str) -> Callable[[Path], bool]:
    return lambda folder: read_model_type(folder) == model_type


TAGGERS: ModelKind[Tagger] = ModelKind(
    "a tagger",
    "tag.model",
    (
        Layout("wd14", _has(wd14.FILES), wd14.load_wd14),
        Layout("cl_tagger", _has(cl_tagger.FILES), cl_tagger.load_cl_tagger),
    ),
    HubFiles(
        patterns=(*wd14.FILES, *cl_tagger.FILES),
        weights=("*.onnx",),
        advice=f"{' and '.join(wd14.FILES)} (or {' and '.join(cl_tagger.FILES)})",
        command="lorawiz tag",
    ),
)

CAPTIONERS: ModelKind[Captioner] = ModelKind(
    "a captioner",
    "caption.model",
    (
        Layout("blip", _is_of_type(blip.MODEL_TYPE), blip.load_blip),
        Layout("florence2", _is_of_type(florence2.MODEL_TYPE), florence2.load_florence2),
    ),
    HubFiles(
        patterns=("*.json", "*.safetensors", "*.txt"),
        weights=("*.safetensors",),
        advice="config.json, preprocessor_config.json, the tokenizer's files and *.safetensors",
        command="lorawiz caption",
    ),
)

FACE_DETECTORS: dict[str, Callable[[CropTable], FaceDetector]] = {
    "blazeface": lambda table: blazeface.load_blazeface(table.min_score),
}

SEGMENTERS: dict[str, Callable[[CutoutTable], Segmenter]] = {
    "selfie": lambda table: selfie.load_selfie(),
}


def load_model(
    kind: ModelKind[Loaded], name: str, project: Project | None, table: TagTable | CaptionTable
) -> Loaded:
    """The model called `name`. Never touches the network.

    Raises ModelError that names the files and the folder to put them in, and MissingExtraError.
    """
    layout, folder = find_model(kind, name, project)
    return layout.load(folder, table, name)


def find_model(
    kind: ModelKind[Loaded], name: str, project: Project | None
) -> tuple[Layout[Loaded], Path]:
    """The model's layout and folder: looked up by name, then in the hub's cache."""
    incomplete: Path | None = None
    for folder in iter_model_folders(name, project):
        if not folder.is_dir():
            continue
        layout = _recognise(kind, folder)
        if layout is not None:
            return layout, folder
        incomplete = incomplete or folder
    if incomplete is not None:
        raise _not_whole(kind, incomplete)
    if not is_hub_id(name):
        folders = ", ".join(visible_text(str(folder)) for folder in model_folders(project))
        raise ModelError(
            f"{visible_text(name)}: no such model in {folders}",
            f"put {kind.files.advice} into models/{visible_text(name)}/, or name another: "
            f"lorawiz set {kind.setting} OWNER/NAME",
        )
    folder = find_in_hub_cache(name, kind.files)
    layout = _recognise(kind, folder)
    if layout is None:
        raise _not_whole(kind, folder)
    return layout, folder


def _recognise(kind: ModelKind[Loaded], folder: Path) -> Layout[Loaded] | None:
    return next((layout for layout in kind.layouts if layout.fits(folder)), None)


def _not_whole(kind: ModelKind[Any], folder: Path) -> ModelError:
    there = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(visible_text(name) for name in there[:6]) or "nothing"
    return ModelError(
        f"{visible_text(str(folder))}: not {kind.title} that lorawiz knows; in it: {shown}",
        f"it wants {kind.files.advice}",
    )
