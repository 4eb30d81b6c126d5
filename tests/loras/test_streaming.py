"""A model file that is written tensor by tensor: whole or not there, with its own hash."""

import errno
import hashlib
import json
import weakref
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from lorawiz.families.safetensors_header import read_header
from lorawiz.loras.file import RawTensor, lora_hashes
from lorawiz.loras.streaming import StreamedTensor, save_streamed


def make_array(side: int) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    return np.random.default_rng(side).random((side, side)).astype(np.float16)


def make_tensor(side: int) -> StreamedTensor:
    return StreamedTensor("float16", (side, side), lambda: make_array(side).data)


def test_tensors_and_metadata_come_back(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {f"layer.{side}": make_tensor(side) for side in (3, 17, 64)}
    nothing = np.zeros((0,), np.float32)
    tensors["v_pred"] = StreamedTensor("float32", (0,), lambda: nothing.data)
    num_bytes = save_streamed(path, tensors, {"modelspec.title": "ü"})
    assert num_bytes == path.stat().st_size == read_header(path).num_bytes
    with safe_open(path, framework="np") as file:
        assert set(file.keys()) == set(tensors)
        assert all(
            np.array_equal(file.get_tensor(f"layer.{s}"), make_array(s)) for s in (3, 17, 64)
        )
        assert file.get_tensor("v_pred").shape == (0,)
        assert file.metadata()["modelspec.title"] == "ü"
        assert file.metadata()["format"] == "pt"


def test_its_hash_is_that_of_all_tensor_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_streamed(path, {"a": make_tensor(17), "b": make_tensor(3)}, {})
    data = path.read_bytes()
    behind = data[8 + int.from_bytes(data[:8], "little") :]
    digest = hashlib.sha256(behind).hexdigest()
    metadata = read_header(path).metadata
    assert metadata["sshs_model_hash"] == digest
    assert metadata["modelspec.hash_sha256"] == f"0x{digest}"
    raw = {
        name: RawTensor("float16", (side, side), make_array(side).tobytes())
        for name, side in (("a", 17), ("b", 3))
    }
    assert lora_hashes(raw, {})["sshs_model_hash"] == digest


def test_tensors_leave_memory_as_they_are_written(tmp_path: Path) -> None:
    made: list[weakref.ref[np.ndarray[tuple[int, int], np.dtype[np.float16]]]] = []
    num_alive = []

    def read() -> memoryview:
        num_alive.append(sum(each() is not None for each in made))
        array = make_array(64)
        made.append(weakref.ref(array))
        return array.data

    tensors = {str(i): StreamedTensor("float16", (64, 64), read) for i in range(8)}
    save_streamed(tmp_path / "model.safetensors", tensors, {})
    assert max(num_alive) <= 1


def test_each_tensor_begins_at_a_multiple_of_its_width(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    odd = StreamedTensor("uint8", (3,), lambda: b"abc")
    wide = StreamedTensor("float64", (2,), lambda: np.ones(2).data)
    save_streamed(path, {"a": odd, "b": make_tensor(3), "c": wide}, {})
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    begins = {name: header[name]["data_offsets"][0] for name in ("a", "b", "c")}
    assert (length % 8, begins["c"] % 8, begins["b"] % 2) == (0, 0, 0)


def test_a_disk_that_fills_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"the one before")

    def fail() -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    broken = StreamedTensor("float16", (4, 4), fail)
    with pytest.raises(OSError, match="No space"):
        save_streamed(path, {"a": make_tensor(3), "b": broken}, {})
    assert path.read_bytes() == b"the one before"
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
