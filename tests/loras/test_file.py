"""The LoRA file: whole or not there, with hashes that other tools compute the same."""

import hashlib
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from lorawiz.loras.file import RawTensor, lora_hashes, save_lora


def make_tensors(count: int, side: int = 64) -> dict[str, RawTensor]:
    draw = np.random.default_rng(0)
    return {
        f"lora_unet_{i}.lora_down.weight": RawTensor(
            "float16", (side, side), draw.random((side, side)).astype(np.float16).tobytes()
        )
        for i in range(count)
    }


def test_tensors_and_metadata_come_back(tmp_path: Path) -> None:
    tensors = make_tensors(3)
    num_bytes = save_lora(
        tmp_path / "a.safetensors", tensors, {"ss_epoch": "3", "modelspec.title": "ü"}
    )
    assert num_bytes == (tmp_path / "a.safetensors").stat().st_size
    with safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
        assert sorted(file.keys()) == sorted(tensors)
        for key, tensor in tensors.items():
            assert file.get_tensor(key).tobytes() == tensor.data
        metadata = file.metadata()
    assert metadata["ss_epoch"] == "3"
    assert metadata["modelspec.title"] == "ü"
    assert metadata.keys() >= {"sshs_model_hash", "sshs_legacy_hash"}


def test_the_model_hash_is_that_of_the_bytes_behind_the_header(tmp_path: Path) -> None:
    save_lora(tmp_path / "a.safetensors", make_tensors(3), {"ss_epoch": "3"})
    raw = (tmp_path / "a.safetensors").read_bytes()
    behind = raw[8 + int.from_bytes(raw[:8], "little") :]
    with safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
        assert file.metadata()["sshs_model_hash"] == hashlib.sha256(behind).hexdigest()


def test_hashes_do_not_depend_on_what_a_user_may_edit() -> None:
    tensors = make_tensors(200)  # larger than 1 MiB, so that the legacy window holds something
    bare = lora_hashes(tensors, {"ss_epoch": "3"})
    titled = lora_hashes(tensors, {"ss_epoch": "3", "modelspec.title": "mine"})
    assert bare == titled
    assert bare["sshs_legacy_hash"] != hashlib.sha256(b"").hexdigest()[:8]


def test_hashes_of_a_known_file_are_those_sd_scripts_gives() -> None:
    # values printed by sd-scripts v0.10.1, train_util.precalculate_safetensors_hashes, for the
    # same tensors and metadata
    ramp = {
        f"lora_unet_{i}.alpha": RawTensor("float32", (65536,), np.full(65536, i, "<f4").tobytes())
        for i in range(8)
    }
    assert lora_hashes(ramp, {"ss_network_dim": "4", "modelspec.title": "x"}) == {
        "sshs_model_hash": "fcf68e06efef97e6e2d9ccd159cfee727b9f5569a64d35eea14fe0d330b0e23c",
        "sshs_legacy_hash": "458bd197",
    }


def test_a_full_disk_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_lora(path, make_tensors(1), {})
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="large"):
            save_lora(path, make_tensors(20), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
