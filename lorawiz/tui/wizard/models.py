"""The base models that lie on this machine: found by name where lorawiz looks, told by content."""

from dataclasses import dataclass

from lorawiz.errors import LorawizError
from lorawiz.families import FAMILIES
from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.paths import Project, model_folders
from lorawiz.wording import show_bytes


@dataclass(frozen=True)
class BaseModel:
    """One base checkpoint that can be trained on."""

    name: str
    """As base.checkpoint takes it."""
    note: str
    """`Stable Diffusion 1.x, 4.3 GB`."""


def list_bases(project: Project) -> list[BaseModel]:
    """Every base in the project's models/, in LORAWIZ_MODELS and in the data folder, by name."""
    found: dict[str, BaseModel] = {}
    for folder in model_folders(project):
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            continue
        for path in paths:
            if path.name in found or not (path.is_dir() or path.suffix == ".safetensors"):
                continue
            try:
                base = inspect_checkpoint(path)
            except (LorawizError, OSError):
                continue  # a tagger, a LoRA, a VAE: no base
            note = f"{FAMILIES[base.family].title}, {show_bytes(base.num_bytes)}"
            found[path.name] = BaseModel(path.name, note)
    return sorted(found.values(), key=lambda base: base.name.casefold())
