"""What `lorawiz add` makes of the paths it is given."""

import os
import zipfile
from pathlib import Path

import pytest

from lorawiz.dataset.finding_images import find_images
from lorawiz.errors import DatasetError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(*paths: Path) -> list[str]:
    return [source.name for source in find_images(paths).sources]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    touch(folder / "b.jpg", folder / "a.JPG", folder / "notes.txt", folder / ".hidden.jpg")
    touch(folder / "deep" / "er" / "x.png", folder / "deep" / "y.png", folder / ".git" / "z.png")
    return folder


def test_folders_are_searched_in_depth_and_loops_end(photos: Path) -> None:
    (photos / "deep" / "loop").symlink_to(photos)
    assert names(photos) == ["a.JPG", "b.jpg", "x.png", "y.png"]


def test_a_link_that_leads_out_of_the_folder_is_a_file_and_never_a_folder(
    photos: Path, tmp_path: Path
) -> None:
    touch(tmp_path / "elsewhere" / "one.jpg", tmp_path / "elsewhere" / "two.jpg")
    (photos / "one.jpg").symlink_to(tmp_path / "elsewhere" / "one.jpg")
    (photos / "all").symlink_to(tmp_path / "elsewhere")
    assert names(photos) == ["a.JPG", "b.jpg", "x.png", "y.png", "one.jpg"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["b.jpg"]),
        ("*", ["a.JPG", "b.jpg", "x.png", "y.png"]),
        ("[ab].*", ["a.JPG", "b.jpg"]),
        ("**/*.png", ["x.png", "y.png"]),
        ("**", ["a.JPG", "b.jpg", "x.png", "y.png"]),
        ("**/er/**/*.png", ["x.png"]),
        ("*/?.png", ["y.png"]),
        (".*.jpg", [".hidden.jpg"]),
    ],
)
def test_a_pattern_is_expanded(photos: Path, pattern: str, expected: list[str]) -> None:
    assert sorted(names(photos / pattern)) == expected


def test_a_pattern_of_any_depth_ends_in_loops(photos: Path) -> None:
    (photos / "deep" / "loop").symlink_to(photos)
    (photos / "deep" / "other").symlink_to(photos / "deep")
    assert sorted(names(photos / "**" / "*.png")) == ["x.png", "y.png"]


def test_a_relative_pattern_is_looked_up_here(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    assert names(Path("deep/*.png")) == ["y.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(photos: Path) -> None:
    touch(photos / "b[1].jpg", photos / "b1.jpg")
    assert names(photos / "b[1].jpg") == ["b[1].jpg"]


def test_a_file_named_outright_is_taken_whatever_its_name_but_words_are_not(photos: Path) -> None:
    touch(photos / "scan")
    assert names(photos / "scan", photos / "notes.txt") == ["scan"]


def test_the_same_file_twice_is_one(photos: Path) -> None:
    assert names(photos / "b.jpg", photos / "b.jpg", photos / "*.jpg") == ["b.jpg"]


@pytest.mark.parametrize("where", ["none", "none*.jpg", "a\0b", "x" * 5000, "photos/*/none"])
def test_what_is_not_there_is_a_sentence(photos: Path, where: str) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        find_images([photos.parent / where])


def test_a_folder_without_images_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no images in it"):
        find_images([tmp_path])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_searched_is_told(photos: Path) -> None:
    (photos / "deep").chmod(0)
    found = find_images([photos])
    (photos / "deep").chmod(0o700)
    assert [(Path(each.path).name, each.reason) for each in found.skipped] == [
        ("deep", "Permission denied")
    ]


def test_a_zip_file_is_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("b.jpg", "in/a.png", "in/a.txt", "__MACOSX/._b.jpg", "in/.x.jpg", "c.md"):
            archive.writestr(name, b"x")
    found = find_images([tmp_path / "a.zip"]).sources
    assert [(source.member, source.name) for source in found] == [
        ("b.jpg", "b.jpg"),
        ("in/a.png", "a.png"),
    ]
