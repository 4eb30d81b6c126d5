"""The weights of a base's parts in their files: which files, and each tensor when it is asked for."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from lorawiz.errors import ModelError, visible_text

TITLES = {
    "unet": "U-Net",
    "vae": "VAE",
    "text_encoder": "text encoder",
    "text_encoder_2": "second text encoder",
}
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_VARIANTS = ("", "fp16", "bf16")
"""Sets of weights in one folder, first choice first: the unmarked one is the most exact."""
_MAPPED_BYTES = 256_000_000
"""A file is opened anew behind so many bytes: what was read of it leaves memory."""


@dataclass(frozen=True)
class Source:
    """The weights of one part of a base."""

    title: str
    """What the user knows it by: `model.safetensors: its U-Net`."""
    tensors: Mapping[str, Tensor]
    """Under the names that the file has, read when they are asked for."""


class TensorFiles(Mapping[str, Tensor]):
    """The tensors under a prefix in some files. Each comes mapped to its file: copy and drop it."""

    def __init__(self, files: Iterable[Path], prefix: str) -> None:
        self._places: dict[str, tuple[Path, str]] = {}
        self._open: tuple[Path, Any] | None = None
        self._mapped_bytes = 0
        for path in files:
            for key in self._handle(path).keys():  # noqa: SIM118 - a handle, not a dict
                if key.startswith(prefix):
                    self._places[key.removeprefix(prefix)] = (path, key)

    def __getitem__(self, name: str) -> Tensor:
        path, key = self._places[name]
        handle = self._handle(path)
        try:
            tensor: Tensor = handle.get_tensor(key)
        except SafetensorError as error:
            raise _unreadable(path, error) from error
        self._mapped_bytes += tensor.nbytes
        return tensor

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _handle(self, path: Path) -> Any:
        if self._open is None or self._open[0] != path or self._mapped_bytes > _MAPPED_BYTES:
            self._open, self._mapped_bytes = None, 0
            try:
                self._open = path, safe_open(path, framework="pt")
            except (OSError, SafetensorError) as error:
                raise _unreadable(path, error) from error
        return self._open[1]


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{visible_text(str(path))}: {visible_text(str(error)[:200])}",
        "download it again, and leave it alone while it is read",
    )


def read_single_file(path: Path, part: str, prefix: str) -> Source:
    """The tensors under `prefix`, which is taken off. Raises ModelError."""
    return Source(f"{visible_text(path.name)}: its {TITLES[part]}", TensorFiles([path], prefix))


def read_folder(folder: Path, inner: str, part: str) -> Source:
    """The weights in folder/inner, whole or in shards, as `part`. Raises ModelError."""
    shown = visible_text(str(folder))
    files = choose_weights(sorted((folder / inner).glob("*.safetensors")))
    if not files:
        raise ModelError(f"{shown}/{inner}: no .safetensors weights", "download them again")
    return Source(f"{shown}: its {TITLES[part]}", TensorFiles(files, ""))


def choose_weights(files: Iterable[Path]) -> list[Path]:
    """The files of one set of weights: the unmarked one, else fp16, bf16, or what there is."""
    sets: dict[str, list[Path]] = {}
    for file in files:
        stem, _, variant = file.stem.partition(".")
        if _SHARD.sub("", stem) in ("model", "diffusion_pytorch_model"):
            sets.setdefault(_SHARD.sub("", variant), []).append(file)
    for variant in (*_VARIANTS, *sets):
        if variant in sets:
            return sets[variant]
    return []
