"""Folders without a screen: order, suffixes, counting, completing."""

import os
from pathlib import Path

import pytest

from lorawiz.tui import folders
from lorawiz.tui.folders import (
    FolderView,
    complete_path,
    count_files,
    find_start,
    has_suffix,
    read_folder,
    read_path,
)


def names_of(folder: Path) -> list[str]:
    return [entry.name for entry in read_folder(folder).entries]


def test_folders_come_first_and_numbers_count(tmp_path: Path) -> None:
    for name in ("b10.jpg", "B9.jpg", "a.jpg", "10.jpg", "9.jpg"):
        (tmp_path / name).touch()
    for name in ("z2", "z10"):
        (tmp_path / name).mkdir()
    assert names_of(tmp_path) == ["z2", "z10", "9.jpg", "10.jpg", "a.jpg", "B9.jpg", "b10.jpg"]


def test_names_of_digits_in_other_scripts_and_of_any_length_are_sorted(tmp_path: Path) -> None:
    names = {"٣.jpg", "²", "1" * 200, "a" + "9" * 100, "日本2"}
    for name in names:
        (tmp_path / name).touch()
    assert set(names_of(tmp_path)) == names


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_folder(tmp_path / "none").error == "No such file or directory"
    assert read_folder(tmp_path / "file").error == "Not a directory"
    assert count_files(tmp_path / "none", ()) == "No such file or directory"


def test_links_and_loops(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "here").symlink_to(tmp_path)
    kinds = {entry.name: entry.kind for entry in read_folder(tmp_path).entries}
    assert kinds == {"loop": "broken", "here": "folder"}


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a.jpg", True), ("A.JPG", True), (".jpg", False), ("jpg", False), ("a.jpg.txt", False), ("a.", False)],
)  # fmt: skip
def test_suffixes(name: str, is_one: bool) -> None:
    assert has_suffix(name, {".jpg"}) is is_one
    assert has_suffix(name, ())


def test_files_are_counted_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        (tmp_path / f"{number}.jpg").touch()
    (tmp_path / "a.txt").touch()
    assert count_files(tmp_path, {".jpg"}) == 8
    monkeypatch.setattr(folders, "MOST_COUNTED", 3)
    assert str(count_files(tmp_path, ())) == "3+"


def test_completing(tmp_path: Path) -> None:
    for name in ("models", "Mine", ".mark"):
        (tmp_path / name).mkdir()
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "es\x1bc").touch()
    assert complete_path("mo", tmp_path) == ("model", ["models/", "model.safetensors"])
    assert complete_path("models", tmp_path) == ("models/", [])
    assert complete_path("MO", tmp_path) == ("model", ["models/", "model.safetensors"])
    assert complete_path(".m", tmp_path) == (".mark/", [])
    assert complete_path("M", tmp_path) == ("Mine/", [])
    assert complete_path("es", tmp_path) == ("es", [])  # it could not be typed
    assert complete_path(f"{tmp_path}/mi", Path("/")) == (f"{tmp_path}/Mine/", [])
    assert complete_path("none/x", tmp_path) == ("none/x", [])
    assert complete_path("~", tmp_path) == ("~/", [])


def test_paths_are_read_from_the_folder_or_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert read_path("~/x", tmp_path) == tmp_path / "home" / "x"
    assert read_path("a/../b", tmp_path) == tmp_path / "b"
    assert read_path("/x", tmp_path) == Path("/x")
    assert read_path("~no-such-user-here/x", tmp_path) == tmp_path / "~no-such-user-here" / "x"
    assert read_path("", tmp_path) == tmp_path


def test_a_link_keeps_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "blob").touch()
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "blob")
    assert read_path("model.safetensors", tmp_path).name == "model.safetensors"


def test_the_start_is_the_nearest_folder(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").touch()
    assert find_start(tmp_path / "a" / "b") == (tmp_path, "a")
    assert find_start(tmp_path / "x.jpg") == (tmp_path, "x.jpg")


def test_the_suffix_filter_hides_no_folder(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "a.ckpt").touch()
    view = FolderView("file", frozenset({".safetensors"}))
    view.show(read_folder(tmp_path))
    assert [entry.name for entry in view.shown] == ["..", "unet"]
    assert view.num_left_out == 1


def test_at_the_root_nothing_is_above() -> None:
    view = FolderView("any", frozenset())
    view.show(read_folder(Path("/")))
    assert view.shown[0].name == "."
    assert os.sep == str(view.folder)
