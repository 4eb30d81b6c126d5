"""Hashes that are remembered as long as nobody wrote the file."""

import json
import os
from pathlib import Path

import pytest

from lorawiz.dataset import hashing as hashing_module
from lorawiz.dataset.hashing import hash_images
from lorawiz.dataset.records import ImageRecord, load_dataset
from lorawiz.paths import Project, file_sha256
from tests.support.projects import make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    # the photos of a test have only just been written
    monkeypatch.setattr(hashing_module, "_SETTLED_AFTER_NS", -(10**12))
    return make_project(tmp_path)


@pytest.fixture
def records(project: Project) -> list[ImageRecord]:
    return list(load_dataset(project.dataset).records)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read = []

    def count(path: Path) -> str:
        read.append(path)
        return file_sha256(path)

    monkeypatch.setattr(hashing_module, "file_sha256", count)
    return read


def test_files_are_read_once(
    project: Project, records: list[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_reads(monkeypatch)
    expected = {record.image_path: record.sha256 for record in records}
    assert hash_images(project, records) == expected
    assert hash_images(project, records) == expected
    assert len(read) == 4


def test_a_file_that_changed_is_read_again(
    project: Project, records: list[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    hash_images(project, records)
    path = project.root / records[0].image_path
    times = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    # as large as before, and its time set back
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    read = count_reads(monkeypatch)
    assert hash_images(project, records)[records[0].image_path] != records[0].sha256
    assert read == [path]


def test_a_file_that_was_only_just_written_is_not_trusted(
    project: Project, records: list[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing_module, "_SETTLED_AFTER_NS", 10**12)
    hash_images(project, records)
    read = count_reads(monkeypatch)
    hash_images(project, records)
    assert len(read) == 4


def test_what_is_gone_or_outside_has_no_hash(project: Project, records: list[ImageRecord]) -> None:
    hash_images(project, records)
    (project.root / records[0].image_path).unlink()
    os.mkfifo(project.images / "pipe.jpg")
    odd = [ImageRecord(path, "0", 1, 1) for path in ("images/pipe.jpg", "../x.jpg", "images")]
    hashes = hash_images(project, [*records[:2], *odd])
    assert list(hashes.values()) == [None, records[1].sha256, None, None, None]


@pytest.mark.parametrize("junk", ["", "[]", "{", '{"a": 1}', '{"a": [1, 2]}', "[" * 100_000])
def test_a_spoilt_memory_is_as_good_as_none(
    project: Project, records: list[ImageRecord], junk: str
) -> None:
    project.work.mkdir(exist_ok=True)
    (project.work / "hashes.json").write_text(junk)
    assert len(hash_images(project, records)) == 4
    assert len(json.loads((project.work / "hashes.json").read_text())) == 4


def test_a_memory_that_cannot_be_written_stops_nobody(
    project: Project, records: list[ImageRecord]
) -> None:
    (project.work / "hashes.json").mkdir(parents=True)
    assert len(hash_images(project, records)) == 4
