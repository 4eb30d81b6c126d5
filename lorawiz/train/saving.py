"""The files that a run saves: LoRA or whole model, new word: each from what trained."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch

from lorawiz.families.adapter import Export
from lorawiz.families.stored import StoredTensor
from lorawiz.loras.file import save_lora
from lorawiz.loras.metadata import Product
from lorawiz.loras.streaming import StreamedTensor, save_streamed
from lorawiz.paths import fsync_folder
from lorawiz.spec.tables import BaseTable
from lorawiz.train.full import FullWeights
from lorawiz.train.network import LoraNetwork
from lorawiz.train.new_word import NewWord
from lorawiz.train.raw_tensors import to_streamed
from lorawiz.train.trained import Trained

FOLDER_TAIL = "-diffusers"
"""Behind a save's name where it is a folder: no name of a run's own folders ends so."""


class Saver(Protocol):
    """Writes one of the things that a run makes."""

    @property
    def product(self) -> Product:
        """What kind of file it is."""

    @property
    def trained(self) -> Trained:
        """What it saves; all of it must be finite in the number format."""

    def find_path(self, path: Path) -> Path:
        """Where it goes, of a save that is called `path` (NAME.safetensors)."""

    def save(self, path: Path, dtype: torch.dtype, metadata: Mapping[str, str]) -> int:
        """Write it to `path`, whole or not at all. Returns its bytes. Raises OSError."""


@dataclass(frozen=True)
class LoraSaver:
    """The LoRA as one file. See `Saver`."""

    trained: LoraNetwork
    product: Product = "lora"

    def find_path(self, path: Path) -> Path:
        return path

    def save(self, path: Path, dtype: torch.dtype, metadata: Mapping[str, str]) -> int:
        return save_lora(path, self.trained.export(dtype), metadata)


@dataclass(frozen=True)
class ModelSaver:
    """The whole base with what trained in it, as a file or as a diffusers folder. See `Saver`."""

    trained: FullWeights
    export: Export
    base: BaseTable
    save_model_as: Literal["safetensors", "diffusers"]
    product: Product = "model"

    def find_path(self, path: Path) -> Path:
        if self.save_model_as == "diffusers":
            return path.with_name(path.name.removesuffix(".safetensors") + FOLDER_TAIL)
        return path

    def save(self, path: Path, dtype: torch.dtype, metadata: Mapping[str, str]) -> int:
        if self.save_model_as == "diffusers":
            return self._save_folder(path, dtype)
        tensors = self.export.name_originally(self.base)
        return save_streamed(path, _stream(tensors, dtype), metadata)

    def _save_folder(self, path: Path, dtype: torch.dtype) -> int:
        temporary = path.with_name(f".{path.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            for name, tensors in self.export.name_for_folder().items():
                save_streamed(temporary / name, _stream(tensors, dtype), {})
            self.export.write_configs(temporary, self.base)
            fsync_folder(temporary)
            # the same step saved anew, behind a resume
            shutil.rmtree(path, ignore_errors=True)
            temporary.rename(path)
            fsync_folder(path.parent)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


@dataclass(frozen=True)
class EmbeddingSaver:
    """The vectors of the new word, as sd-scripts and the web UIs have them. See `Saver`."""

    trained: NewWord
    product: Product = "embedding"

    def find_path(self, path: Path) -> Path:
        name = path.name.removesuffix(".safetensors")
        return path.with_name(f"{name}-{self.trained.file_word}.safetensors")

    def save(self, path: Path, dtype: torch.dtype, metadata: Mapping[str, str]) -> int:
        return save_lora(path, self.trained.export(dtype), metadata)


def _stream(tensors: Mapping[str, StoredTensor], dtype: torch.dtype) -> dict[str, StreamedTensor]:
    return {
        name: to_streamed(tensor.read, tensor.shape, tensor.own_dtype or dtype)
        for name, tensor in tensors.items()
    }
