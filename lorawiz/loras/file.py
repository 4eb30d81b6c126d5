"""Writing and reading a LoRA's .safetensors file, without torch."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import TensorSpec, serialize

from lorawiz.paths import write_atomically

_LEGACY_OFFSET = 0x100000
_LEGACY_BYTES = 0x10000


@dataclass(frozen=True)
class RawTensor:
    """A tensor as its bytes: little-endian, contiguous."""

    dtype: str
    """safetensors' name: float32, float16, bfloat16."""
    shape: tuple[int, ...]
    data: bytes


def save_lora(path: Path, tensors: Mapping[str, RawTensor], metadata: Mapping[str, str]) -> int:
    """Write a LoRA file in one step, its hashes put into the metadata. Returns its bytes.

    Raises OSError; a file that was there before is then intact.
    """
    hashes = lora_hashes(tensors, metadata)
    data = _serialize(tensors, {**metadata, **hashes})
    write_atomically(path, data)
    return len(data)


def lora_hashes(tensors: Mapping[str, RawTensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """`sshs_model_hash` and `sshs_legacy_hash` as sd-scripts computes them.

    The first is SHA-256 over all tensor bytes (model sites show it as AutoV3); the second the
    first 8 hex digits of SHA-256 over 64 KiB at 1 MiB of the file with `ss_*` metadata alone.
    (sd-scripts, train_util.py: `precalculate_safetensors_hashes`.)
    """
    data = _serialize(tensors, {k: v for k, v in metadata.items() if k.startswith("ss_")})
    header = 8 + int.from_bytes(data[:8], "little")
    window = data[_LEGACY_OFFSET : _LEGACY_OFFSET + _LEGACY_BYTES]
    return {
        "sshs_model_hash": hashlib.sha256(memoryview(data)[header:]).hexdigest(),
        "sshs_legacy_hash": hashlib.sha256(window).hexdigest()[:8],
    }


def _serialize(tensors: Mapping[str, RawTensor], metadata: Mapping[str, str]) -> bytes:
    # the arrays lend their addresses to the specs and must outlive the call
    arrays = {key: np.frombuffer(tensor.data, np.uint8) for key, tensor in tensors.items()}
    specs = {
        key: TensorSpec(
            dtype=tensor.dtype,
            shape=tensor.shape,
            data_ptr=arrays[key].ctypes.data,
            data_len=arrays[key].nbytes,
        )
        for key, tensor in tensors.items()
    }
    return bytes(serialize(specs, dict(metadata)))
