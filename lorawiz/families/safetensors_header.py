"""The header of a .safetensors file, read and checked without torch and without its tensors."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorawiz.errors import ModelError, visible_text

MAX_HEADER_BYTES = 100_000_000
"""The limit of the format's own reader (safetensors, tensor.rs)."""

CONVERT_PICKLE_HINT = """convert it where you trust it, with torch installed, then use the new file:
    import torch, safetensors.torch
    state = torch.load("model.ckpt", map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    state = {k: v.contiguous() for k, v in state.items() if torch.is_tensor(v)}
    safetensors.torch.save_file(state, "model.safetensors")"""


@dataclass(frozen=True)
class SafetensorsHeader:
    """What a file says it holds: shapes by key, and its metadata."""

    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]
    num_bytes: int
    """Size of the whole file."""


def read_header(path: Path) -> SafetensorsHeader:
    """Read the header of `path`. Raises ModelError for anything but a whole safetensors file."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
            num_bytes = path.stat().st_size
            _refuse_pickle(path, start)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > MAX_HEADER_BYTES:
                raise ModelError(f"{_shown(path)}: not a safetensors file", _REDOWNLOAD)
            if length + 8 > num_bytes:
                raise ModelError(f"{_shown(path)}: cut off inside its header", _REDOWNLOAD)
            raw = file.read(length)
    except OSError as error:
        raise ModelError(f"{_shown(path)}: {error.strerror}") from error
    header = _parse(path, raw)
    metadata = header.pop("__metadata__", {})
    data_bytes = _check_offsets(path, header)
    if 8 + length + data_bytes != num_bytes:
        raise ModelError(
            f"{_shown(path)}: {num_bytes:,} bytes, but its header promises "
            f"{8 + length + data_bytes:,}",
            _REDOWNLOAD,
        )
    return SafetensorsHeader(
        shapes={key: tuple(entry["shape"]) for key, entry in header.items()},
        metadata={str(k): str(v) for k, v in metadata.items()},
        num_bytes=num_bytes,
    )


_REDOWNLOAD = "download it again and compare its SHA-256 with the publisher's"


def _shown(path: Path) -> str:
    return visible_text(str(path))


def _refuse_pickle(path: Path, start: bytes) -> None:
    """Pickles run code when opened: torch's zip files, bare pickles, tar files."""
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise ModelError(
            f"{_shown(path)}: a pickled checkpoint, which can run any code; lorawiz never opens one",
            CONVERT_PICKLE_HINT,
        )


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{_shown(path)}: not a safetensors file", _REDOWNLOAD) from error
    if not isinstance(header, dict):
        raise ModelError(f"{_shown(path)}: not a safetensors file", _REDOWNLOAD)
    return header


def _check_offsets(path: Path, header: dict[str, Any]) -> int:
    """The bytes of data that the header describes; its tensors must fill them without gaps."""
    try:
        spans = sorted(tuple(entry["data_offsets"]) for entry in header.values())
        sound = all(
            isinstance(entry["shape"], list) and isinstance(entry["dtype"], str)
            for entry in header.values()
        )
        end = 0
        for begin, stop in spans:
            sound = sound and begin == end and stop >= begin
            end = stop
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{_shown(path)}: damaged safetensors header", _REDOWNLOAD) from error
    if not sound:
        raise ModelError(f"{_shown(path)}: damaged safetensors header", _REDOWNLOAD)
    return end
