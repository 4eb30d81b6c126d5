"""`lorawiz add`: byte for byte, nothing moved, broken ones told."""

import os
from pathlib import Path

import pytest

from lorawiz.dataset.adding import Source, add_images, find_images
from lorawiz.dataset.records import load_dataset
from lorawiz.errors import DatasetError
from lorawiz.paths import Project, file_sha256
from tests.support.projects import save_photo


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for index in range(3):
        save_photo(folder / f"IMG_{index}.jpg", (80 + index, 60), seed=index)
    return folder


def add(project: Project, *paths: Path, link: bool = False) -> list[str]:
    report = add_images(project, [Source(path) for path in find_images(paths)], link)
    return [record.image_path for record in report.added]


def test_images_come_in_byte_for_byte_and_stay_where_they_were(
    project: Project, photos: Path
) -> None:
    before = {path.name: file_sha256(path) for path in photos.iterdir()}
    assert add(project, photos) == ["images/IMG_0.jpg", "images/IMG_1.jpg", "images/IMG_2.jpg"]
    assert {path.name: file_sha256(path) for path in photos.iterdir()} == before
    for record in load_dataset(project.dataset).records:
        assert file_sha256(project.root / record.image_path) == record.sha256
        assert record.width - 80 == int(record.image_path[-5])


def test_the_same_bytes_are_added_once(project: Project, photos: Path) -> None:
    add(project, photos)
    (photos / "copy.jpg").write_bytes((photos / "IMG_0.jpg").read_bytes())
    assert add(project, photos) == []
    assert len(load_dataset(project.dataset).records) == 3


def test_another_image_of_the_same_name_gets_a_number(
    project: Project, photos: Path, tmp_path: Path
) -> None:
    add(project, photos)
    other = save_photo(tmp_path / "other" / "IMG_0.jpg", seed=9)
    assert add(project, other) == ["images/IMG_0-2.jpg"]


def test_a_broken_image_gets_a_line_with_the_reason(project: Project, photos: Path) -> None:
    (photos / "IMG_1.jpg").write_bytes(b"not an image")
    add(project, photos)
    broken = [r for r in load_dataset(project.dataset).records if r.status == "broken"]
    assert [(r.image_path, r.reason) for r in broken] == [("images/IMG_1.jpg", "not an image")]
    assert (photos / "IMG_1.jpg").read_bytes() == b"not an image"
    assert len(load_dataset(project.dataset).trained) == 2


def test_links_point_at_the_originals(project: Project, photos: Path) -> None:
    add(project, photos, link=True)
    link = project.images / "IMG_0.jpg"
    assert link.is_symlink()
    assert link.resolve() == (photos / "IMG_0.jpg").resolve()


def test_images_that_lie_in_the_project_already_are_not_copied(project: Project) -> None:
    save_photo(project.images / "a.jpg")
    assert add(project, project.images) == ["images/a.jpg"]
    assert [path.name for path in project.images.iterdir()] == ["a.jpg"]


def test_hand_written_words_survive_a_second_add(project: Project, photos: Path) -> None:
    add(project, photos)
    text = project.dataset.read_text().replace('"caption": ""', '"caption": "mine"', 1)
    project.dataset.write_text(text)
    save_photo(photos / "new.jpg", seed=8)
    assert add(project, photos) == ["images/new.jpg"]
    assert load_dataset(project.dataset).records[0].caption == "mine"


def test_folders_are_searched_in_depth_and_loops_end(photos: Path) -> None:
    save_photo(photos / "deep" / "er" / "x.PNG")
    (photos / "deep" / "loop").symlink_to(photos)
    (photos / ".hidden.jpg").write_bytes(b"x")
    assert [p.name for p in find_images([photos])] == [
        "IMG_0.jpg",
        "IMG_1.jpg",
        "IMG_2.jpg",
        "x.PNG",
    ]


def test_a_pipe_is_never_opened(project: Project, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(DatasetError, match="not a regular file"):
        add(project, tmp_path / "a.jpg")


@pytest.mark.parametrize(("name", "said"), [("none", "no such file"), ("empty", "no images in it")])
def test_nothing_to_add_is_a_sentence(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=said):
        find_images([tmp_path / name])


def test_an_add_that_was_killed_before_its_line_was_written_can_be_repeated(
    project: Project, photos: Path
) -> None:
    add(project, photos)
    project.dataset.unlink()
    assert len(add(project, photos)) == 3
    assert sorted(p.name for p in project.images.iterdir()) == [
        "IMG_0.jpg",
        "IMG_1.jpg",
        "IMG_2.jpg",
    ]
