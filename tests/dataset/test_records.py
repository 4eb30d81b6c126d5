"""dataset.jsonl: readable in a diff, whole at any time, every mistake with its line."""

from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.dataset.records import (
    Dataset,
    ImageRecord,
    dataset_digest,
    find_image,
    load_dataset,
    save_dataset,
)
from lorawiz.errors import DatasetError
from lorawiz.paths import Project

RECORD = ImageRecord("images/b.jpg", "0" * 64, 300, 400, "a woman, smiling", ("lyq", "smile"))


def test_what_is_saved_loads_as_the_same(tmp_path: Path) -> None:
    path = tmp_path / "dataset.jsonl"
    records = (
        replace(RECORD, image_path="images/a.jpg", crop=(1, 2, 100, 200), keep=False),
        RECORD,
        replace(RECORD, image_path="images/ü 日本.jpg", status="broken", reason="empty"),
    )
    save_dataset(path, Dataset(records))
    assert load_dataset(path) == Dataset(records)


def test_a_line_is_one_image_with_keys_in_order_and_no_defaults(tmp_path: Path) -> None:
    path = tmp_path / "dataset.jsonl"
    save_dataset(path, Dataset((RECORD,)))
    assert path.read_text() == (
        '{"image_path": "images/b.jpg", "caption": "a woman, smiling", "tags": ["lyq", "smile"], '
        f'"width": 300, "height": 400, "sha256": "{"0" * 64}"}}\n'
    )


def test_new_records_take_the_place_of_old_ones_and_are_sorted() -> None:
    first = replace(RECORD, image_path="images/a.jpg")
    changed = replace(RECORD, caption="new")
    assert Dataset((RECORD,)).with_records([first, changed]).records == (first, changed)


def test_a_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    path = tmp_path / "dataset.jsonl"
    record = replace(RECORD, image_path="images/\udce9.jpg")
    save_dataset(path, Dataset((record,)))
    assert load_dataset(path).records == (record,)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        ("[1]", "not a JSON object"),
        ('{"image_path": "a", "sha256": "x", "width": 1, "height": 1, "tag": []}', "unknown key tag"),
        ('{"sha256": "x", "width": 1, "height": 1}', "no image_path"),
        ('{"image_path": 3, "sha256": "x", "width": 1, "height": 1}', "image_path is not a str"),
        ('{"image_path": "a", "sha256": "x", "width": true, "height": 1}', "width is not a int"),
        ('{"image_path": "a", "sha256": "x", "width": 9, "height": 9, "crop": [0, 0, 10, 9]}', "does not lie"),
        ('{"image_path": "a", "sha256": "x", "width": 9, "height": 9, "crop": [0, 0, "5", 9]}', "crop is not"),
        ('{"image_path": "a", "sha256": "x", "width": 9, "height": 9, "tags": [1]}', "tags are not all text"),
        ('{"image_path": "a", "sha256": "x", "width": 9, "height": 9, "status": "odd"}', "status is neither"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "dataset.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(DatasetError, match=r"^dataset.jsonl:2: ") as caught:
        load_dataset(path)
    assert said in caught.value.message


def test_an_image_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dataset.jsonl"
    save_dataset(path, Dataset((RECORD, RECORD)))
    with pytest.raises(DatasetError, match="stands in line 1 already"):
        load_dataset(path)


@pytest.mark.parametrize("image_path", ["../x.jpg", "/etc/passwd", "images/../../x.jpg"])
def test_a_path_out_of_the_project_is_refused(tmp_path: Path, image_path: str) -> None:
    with pytest.raises(DatasetError, match="outside the project"):
        find_image(Project(tmp_path), replace(RECORD, image_path=image_path))


def test_the_digest_changes_with_what_is_trained_and_only_then() -> None:
    changes = ({"caption": "x"}, {"tags": ("x",)}, {"crop": (0, 0, 9, 9)}, {"sha256": "1" * 64})
    digests = {dataset_digest([replace(RECORD, **change)]) for change in changes}
    assert len(digests | {dataset_digest([RECORD])}) == 5
    assert dataset_digest([replace(RECORD, reason="x")]) == dataset_digest([RECORD])
