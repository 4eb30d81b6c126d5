"""Hashes of models: what they are, and that their progress is told."""

import hashlib
from pathlib import Path

import pytest

from lorawiz import paths
from lorawiz.paths import file_sha256, folder_sha256, model_sha256


def test_a_file_is_told_piece_by_piece_to_its_end(tmp_path: Path) -> None:
    data = bytes(range(256)) * 12_000  # three pieces
    file = tmp_path / "base.safetensors"
    file.write_bytes(data)
    told: list[tuple[int, int]] = []
    digest = file_sha256(file, lambda done, total: told.append((done, total)))
    assert digest == hashlib.sha256(data).hexdigest() == file_sha256(file)
    assert len(told) == 3
    assert told[-1] == (len(data), len(data))
    assert told == sorted(told)


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    for name, size in (("unet/w.safetensors", 3_000_000), ("vae/w.safetensors", 1_500_000)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"w" * size)
    (tmp_path / "readme.md").write_text("not weighed")
    told: list[tuple[int, int]] = []
    digest = model_sha256(tmp_path, lambda done, total: told.append((done, total)))
    assert digest == folder_sha256(tmp_path)
    assert {total for _, total in told} == {4_500_000}
    assert told[-1] == (4_500_000, 4_500_000)
    assert told == sorted(told)


def test_a_large_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_REMEMBERED_BYTES", 10)
    file = tmp_path / "base.safetensors"
    file.write_bytes(b"x" * 100)
    told: list[int] = []
    first = file_sha256(file, lambda done, _total: told.append(done))
    assert file_sha256(file, lambda done, _total: told.append(done)) == first
    assert told == [100]
