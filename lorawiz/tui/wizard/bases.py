"""The models that lie on this machine: found by name where lorawiz looks, told by content."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorawiz.annotate.registry import ModelKind, find_model
from lorawiz.errors import LorawizError, visible_text
from lorawiz.families import FAMILIES
from lorawiz.families.checkpoints import HUB_FILES, inspect_checkpoint
from lorawiz.hub import find_in_hub_cache, list_folder, list_hub_cache
from lorawiz.paths import Project, model_folders
from lorawiz.tui.language import tr
from lorawiz.wording import show_bytes


@dataclass(frozen=True)
class LocalModel:
    """One model that can be used now."""

    name: str
    """As the spec takes it."""
    note: str
    """What it is and where it lies, safe to show."""


def list_bases(project: Project) -> list[LocalModel]:
    """Every base in the project's models/, LORAWIZ_MODELS, the data folder and the hub's cache."""
    found: dict[str, LocalModel] = {}
    for name, path, where in _iter_places(project):
        if name in found:
            continue
        try:
            base = inspect_checkpoint(path)
        except (LorawizError, OSError):
            continue  # a tagger, a LoRA, a VAE: no base
        title = FAMILIES[base.family].title
        note = f"{title}, {base.size}, {show_bytes(base.num_bytes)}  {where}"
        found[name] = LocalModel(name, note)
    return sorted(found.values(), key=lambda base: base.name.casefold())


def list_models(project: Project, kind: ModelKind[Any]) -> list[LocalModel]:
    """Every captioner, or every tagger, that is on this machine."""
    names = [path.name for folder in model_folders(project) for path in list_folder(folder)]
    found: dict[str, LocalModel] = {}
    for name in (*names, *list_hub_cache()):
        if name in found:
            continue
        try:
            layout, folder = find_model(kind, name, project)
        except (LorawizError, OSError):
            continue
        found[name] = LocalModel(name, f"{layout.name}  {visible_text(str(folder.parent))}")
    return sorted(found.values(), key=lambda model: model.name.casefold())


def _iter_places(project: Project) -> Iterator[tuple[str, Path, str]]:
    """(name, path, where it lies) of all that may be a base."""
    for folder in model_folders(project):
        where = "models/" if folder == project.models else visible_text(str(folder))
        for path in list_folder(folder):
            if path.suffix == ".safetensors" or path.is_dir():
                yield path.name, path, where
    for name in list_hub_cache():
        try:
            yield name, find_in_hub_cache(name, HUB_FILES), tr("in the hub's cache")
        except (LorawizError, OSError):
            continue
