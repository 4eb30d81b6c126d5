"""Zip files: nothing escapes, nothing unpacks without bounds, everything bad is a sentence."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from lorawiz.dataset import archives as archives_module
from lorawiz.dataset.adding import AddReport, add_images
from lorawiz.dataset.archives import Archive
from lorawiz.dataset.finding_images import find_images
from lorawiz.dataset.records import load_dataset
from lorawiz.errors import DatasetError
from lorawiz.interop.sidecars import read_sidecars
from lorawiz.paths import Project, file_sha256
from tests.support.projects import save_photo


def photo(tmp_path: Path, seed: int = 0) -> bytes:
    return save_photo(tmp_path / f"{seed}.jpg", (40, 30), seed=seed).read_bytes()


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def add(tmp_path: Path, archive: Path) -> AddReport:
    sources = list(read_sidecars(find_images([archive]).sources))
    return add_images(Project(tmp_path / "project"), sources)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_images_in_a_zip_come_in_byte_for_byte_with_their_words(tmp_path: Path) -> None:
    first, second = photo(tmp_path, 1), photo(tmp_path, 2)
    archive = make_zip(
        tmp_path / "a.zip",
        {"x/one.jpg": first, "x/one.txt": b"lyq, smile", "x/one.caption": b"a woman",
         "x/y/two.jpg": second},
    )  # fmt: skip
    report = add(tmp_path, archive)
    assert [(r.image_path, r.caption, r.tags) for r in report.added] == [
        ("images/one.jpg", "a woman", ("lyq", "smile")),
        ("images/two.jpg", "", ()),
    ]
    project = Project(tmp_path / "project")
    assert (project.images / "one.jpg").read_bytes() == first
    assert all(file_sha256(project.root / r.image_path) == r.sha256 for r in report.added)
    assert add(tmp_path, archive).added == []
    assert tree(project.images) == ["one.jpg", "two.jpg"]


@pytest.mark.parametrize(
    "name", ["../../out.jpg", "/etc/out.jpg", "..\\..\\out.jpg", "a/../../../out.jpg", "C:/out.jpg"]
)
def test_nothing_is_written_outside_images(tmp_path: Path, name: str) -> None:
    archive = make_zip(tmp_path / "a.zip", {name: photo(tmp_path), name[:-3] + "txt": b"lyq"})
    before = set(tree(tmp_path))
    [record] = add(tmp_path, archive).added
    assert record.tags == ("lyq",)
    assert record.image_path == "images/out.jpg"
    inside = (f"project/{record.image_path}", "project/dataset", "project/work", "project/.lorawiz")
    assert all(path.startswith(inside) for path in set(tree(tmp_path)) - before)


def test_a_member_that_is_no_image_is_broken_like_a_file(tmp_path: Path) -> None:
    report = add(tmp_path, make_zip(tmp_path / "a.zip", {"a.jpg": b"text", "b.jpg": b""}))
    assert [r.image_path for r in report.broken] == ["images/a.jpg", "images/b.jpg"]
    assert len(load_dataset(tmp_path / "project" / "dataset.jsonl").records) == 2


def test_a_bomb_is_refused_from_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives_module, "_SUSPECT_BYTES", 1 << 20)
    bomb = make_zip(tmp_path / "a.zip", {"a.jpg": bytes(2 << 20), "b.jpg": photo(tmp_path)})
    report = add(tmp_path, bomb)
    assert [r.image_path for r in report.added] == ["images/b.jpg"]
    assert [each.path for each in report.skipped] == [f"{bomb}/a.jpg"]
    assert "times its size" in report.skipped[0].reason


def test_a_member_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    archive = Archive(make_zip(tmp_path / "a.zip", {"a.jpg": bytes(3 << 20)}, zipfile.ZIP_STORED))
    with archive, pytest.raises(DatasetError, match=r"a\.zip/a\.jpg: unpacks to more than 2 MiB"):
        b"".join(archive.iter_bytes("a.jpg", 2 << 20))


def test_a_member_that_lies_about_its_size_stops_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive(make_zip(tmp_path / "a.zip", {"a.jpg": b"x"})) as archive:
        monkeypatch.setattr(archive, "_read", lambda member, file: bytes(1 << 20))
        with pytest.raises(DatasetError, match="unpacks to more than 4 MiB"):
            for _ in archive.iter_bytes("a.jpg", 4 << 20):
                pass


def test_more_than_the_disk_holds_is_refused_before_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": photo(tmp_path)})
    monkeypatch.setattr(Archive, "size_bytes", lambda self, member: 281 * 10**12)
    with pytest.raises(DatasetError, match=r"unpacks to 281\.0 TB, and .* are free"):
        add(tmp_path, archive)
    assert tree(tmp_path / "project") == []


def encrypt_flag(raw: bytes) -> bytes:
    """Set the flag 'encrypted' of the only member, in both of its headers."""
    changed = bytearray(raw)
    changed[6] |= 1
    changed[raw.index(b"PK\1\2") + 8] |= 1
    return bytes(changed)


def unknown_method(raw: bytes) -> bytes:
    changed = bytearray(raw)
    struct.pack_into("<H", changed, 8, 9)
    struct.pack_into("<H", changed, raw.index(b"PK\1\2") + 10, 9)
    return bytes(changed)


def spoil_content(raw: bytes) -> bytes:
    changed = bytearray(raw)
    for index in range(60, 200):
        changed[index] ^= 0x55
    return bytes(changed)


def spoil_header(raw: bytes) -> bytes:
    return b"XX" + raw[2:]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (encrypt_flag, "is encrypted"),
        (unknown_method, "packed in a way"),
        (spoil_content, "is damaged"),
        (spoil_header, "is damaged"),
    ],
)
def test_a_member_that_cannot_be_unpacked_is_told(tmp_path: Path, spoil: object, said: str) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.jpg": photo(tmp_path)})
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    report = add(tmp_path, path)
    assert report.added == []
    assert said in report.skipped[0].reason
    assert tree(tmp_path / "project" / "images") == []


def test_words_that_cannot_be_unpacked_leave_the_image(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": photo(tmp_path), "a.txt": b"caf\xe9"})
    report = add(tmp_path, archive)
    assert len(report.added) == 1
    assert "a.txt:1: not UTF-8" in report.wordless[0].reason


def test_a_link_in_a_zip_is_not_an_image(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.jpg")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert add(tmp_path, tmp_path / "a.zip").skipped[0].reason == "is a link, not a file"


def test_every_cut_of_a_zip_is_a_sentence(tmp_path: Path) -> None:
    raw = make_zip(tmp_path / "a.zip", {"a.jpg": photo(tmp_path)}).read_bytes()
    for length in [0, 1, 20, 100, len(raw) // 2, len(raw) - 30, len(raw) - 1]:
        (tmp_path / "cut.zip").write_bytes(raw[:length])
        with pytest.raises(DatasetError, match=r"cut\.zip: not a zip file"):
            find_images([tmp_path / "cut.zip"])


def test_flipped_bytes_are_a_sentence_or_harmless(tmp_path: Path) -> None:
    raw = make_zip(tmp_path / "a.zip", {"a.jpg": photo(tmp_path)}).read_bytes()
    for index in [*range(60), *range(len(raw) - 100, len(raw))]:
        changed = bytearray(raw)
        changed[index] ^= 0xFF
        path = tmp_path / "flipped.zip"
        path.write_bytes(changed)
        try:
            with Archive(path) as archive:
                for name in archive.list_files():
                    io.BytesIO().writelines(archive.iter_bytes(name))
        except DatasetError as error:
            assert "flipped.zip" in error.message
