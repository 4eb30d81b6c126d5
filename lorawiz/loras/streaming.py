"""Writing a whole model's .safetensors file tensor by tensor, without torch.

The header comes first in the file and holds the hash of what comes behind it; so its place is
kept free, and the hash is written over it last. The format: github.com/huggingface/safetensors.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lorawiz.paths import write_parts_atomically

_HASH_KEYS = {"sshs_model_hash": "", "modelspec.hash_sha256": "0x"}
"""Both are SHA-256 over all tensor bytes: as sd-scripts and the web UIs look for it, and as Stability
AI's standard writes it."""
_NO_HASH = "0" * 64
_ALIGNMENT = 8
_NAMES = {
    "float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2),
    "int64": ("I64", 8), "int32": ("I32", 4), "uint8": ("U8", 1), "bool": ("BOOL", 1),
    "float64": ("F64", 8), "int16": ("I16", 2), "int8": ("I8", 1),
    "uint16": ("U16", 2), "uint32": ("U32", 4), "uint64": ("U64", 8),
    "float8_e4m3fn": ("F8_E4M3", 1), "float8_e5m2": ("F8_E5M2", 1),
}  # fmt: skip
"""The format's names, and bytes an element."""


@dataclass(frozen=True)
class StreamedTensor:
    """A tensor whose bytes are made when they are written: little-endian, contiguous."""

    dtype: str
    """float32, float16, bfloat16, int64 …"""
    shape: tuple[int, ...]
    read: Callable[[], bytes | memoryview]

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * _NAMES[self.dtype][1]


def save_streamed(
    path: Path, tensors: Mapping[str, StreamedTensor], metadata: Mapping[str, str]
) -> int:
    """Write the file in one step, its hash put into the metadata. Returns its bytes.

    At no time are copies of more than two tensors in memory. Raises OSError; a file that was there
    before is then intact.
    """
    tensors = _order(tensors)
    header = _build_header(tensors, {**metadata, **_hash_values(_NO_HASH)})
    digest = hashlib.sha256()

    def iter_parts() -> Iterator[bytes | memoryview]:
        yield header
        for data in _iter_data(tensors):
            digest.update(data)
            yield data

    def put_hash(file: BinaryIO) -> None:
        file.seek(0)
        file.write(_build_header(tensors, {**metadata, **_hash_values(digest.hexdigest())}))

    write_parts_atomically(path, iter_parts(), put_hash)
    return len(header) + sum(tensor.num_bytes for tensor in tensors.values())


def iter_file_parts(tensors: Mapping[str, StreamedTensor]) -> Iterator[bytes | memoryview]:
    """The bytes of a .safetensors file without metadata, its header first, then each tensor."""
    tensors = _order(tensors)
    yield _build_header(tensors, {})
    yield from _iter_data(tensors)


def _iter_data(tensors: Mapping[str, StreamedTensor]) -> Iterator[memoryview]:
    for name, tensor in tensors.items():
        data = memoryview(tensor.read())
        assert data.nbytes == tensor.num_bytes, f"{name}: not the bytes that were announced"
        if data.nbytes:  # of nothing there is no view as bytes
            yield data.cast("B")


def _order(tensors: Mapping[str, StreamedTensor]) -> dict[str, StreamedTensor]:
    """Wide numbers first, so that each tensor begins at a multiple of its numbers' width."""
    return dict(sorted(tensors.items(), key=lambda item: -_NAMES[item[1].dtype][1]))


def _hash_values(digest: str) -> dict[str, str]:
    return {key: prefix + digest for key, prefix in _HASH_KEYS.items()}


def _build_header(tensors: Mapping[str, StreamedTensor], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt", **metadata}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.num_bytes
        entries[name] = {
            "dtype": _NAMES[tensor.dtype][0],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
