"""Whether a saved file is still what was saved, and how two files differ, tensor by tensor."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from lorawiz.errors import ModelError, visible_text

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Difference:
    """How two files' tensors differ."""

    num_tensors: int
    num_different: int
    """Tensors with other bytes, shapes or dtypes, or in one file alone."""
    largest: float | None
    """The greatest difference of two numbers; None where it cannot be said."""


def hash_tensors(path: Path) -> str:
    """SHA-256 over all tensor bytes, which `sshs_model_hash` is. Raises ModelError."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            file.seek(8 + int.from_bytes(file.read(8), "little"))
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except (OSError, OverflowError) as error:
        raise ModelError(f"{visible_text(str(path))}: cannot be read", "") from error
    return digest.hexdigest()


def read_saved_hash(path: Path) -> str:
    """The `sshs_model_hash` that the file was saved with; empty where it has none.

    Raises ModelError for what is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return str(header.get("__metadata__", {}).get("sshs_model_hash", ""))
    except (OSError, ValueError, OverflowError, MemoryError, AttributeError) as error:
        raise ModelError(f"{visible_text(str(path))}: not a whole .safetensors file", "") from error


def compare_tensors(one: Path, other: Path) -> Difference:
    """How the tensors of two files differ. Raises ModelError where one cannot be read."""
    try:
        with safe_open(one, framework="np") as left, safe_open(other, framework="np") as right:
            names, others = set(left.keys()), set(right.keys())
            num_different, largest = len(names ^ others), 0.0
            for name in sorted(names & others):
                a, b = _widen(left.get_tensor(name)), _widen(right.get_tensor(name))
                if a.shape != b.shape:
                    num_different += 1
                elif not np.array_equal(a, b):
                    num_different += 1
                    largest = max(largest, float(np.max(np.abs(a - b))))
    except (OSError, SafetensorError, TypeError) as error:
        raise ModelError(f"{visible_text(str(one))}: cannot be compared", "") from error
    return Difference(len(names | others), num_different, largest or None)


def _widen(tensor: NDArray[np.generic]) -> NDArray[np.float64]:
    return tensor.astype(np.float64)
