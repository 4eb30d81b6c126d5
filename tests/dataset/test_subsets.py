"""Subsets and class images: who is which, how often each is seen, and with which prompt."""

from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from lorawiz.dataset.adding import add_images
from lorawiz.dataset.batches import Item, count_steps, epoch_batches, find_unused, iter_steps
from lorawiz.dataset.holdout import split_records
from lorawiz.dataset.prompts import effective_prompt
from lorawiz.dataset.records import ImageRecord, load_dataset
from lorawiz.dataset.settling import load_raw_words
from lorawiz.dataset.sources import Source
from lorawiz.dataset.subsets import find_subset, is_class_image
from lorawiz.errors import SpecError
from lorawiz.spec import load_spec
from lorawiz.spec.subset_edits import add_subset
from lorawiz.spec.subsets import SubsetTable
from lorawiz.spec.tables import Spec
from tests.support.projects import make_project, save_photo


def record(path: str, size: tuple[int, int] = (512, 512), caption: str = "") -> ImageRecord:
    return ImageRecord(path, sha256(path.encode()).hexdigest(), *size, caption=caption)


def make_spec(**dataset: object) -> Spec:
    return Spec.model_validate(
        {
            "project": {"name": "lyq", "trigger": "lyq", "class_word": "woman"},
            "dataset": {
                "subsets": [{"image_dir": "images/class", "is_reg": True}],
                "batch_size": 2,
                **dataset,
            },
            "train": {"max_train_epochs": 2},
        }
    )


SUBJECT = [record(f"images/{i}.jpg") for i in range(3)]
CLASS = [record(f"images/class/{i}.jpg", (512, 768) if i % 2 else (512, 512)) for i in range(2)]


def views(spec: Spec, records: list[ImageRecord], epoch: int = 1) -> list[Item]:
    return [item for batch in epoch_batches(spec, records, epoch) for item in batch]


def test_the_deepest_folder_decides() -> None:
    spec = make_spec(
        subsets=[{"image_dir": "images/a"}, {"image_dir": "images/a/b", "is_reg": True}]
    )
    found = [
        find_subset(record(path), spec.dataset)
        for path in ("images/x.jpg", "images/ab/x.jpg", "images/a/x.jpg", "images/a/b/x.jpg")
    ]
    assert [each and each.image_dir for each in found] == [None, None, "images/a", "images/a/b"]


@pytest.mark.parametrize("num_class", [1, 2, 5])
def test_each_epoch_sees_as_many_class_images_as_others(num_class: int) -> None:
    of_class = [record(f"images/class/{i}.jpg") for i in range(num_class)]
    spec = make_spec(num_repeats=2)
    for epoch in (1, 2):
        seen = Counter(item.record.image_path for item in views(spec, [*of_class, *SUBJECT], epoch))
        assert [seen[each.image_path] for each in SUBJECT] == [2, 2, 2]
        counts = [seen[each.image_path] for each in of_class]
        assert sum(counts) == 6
        assert max(counts) - min(counts) <= 1


def test_views_of_a_class_image_are_told_apart_by_their_repeat() -> None:
    found = [
        (v.record.image_path, v.repeat) for v in views(make_spec(num_repeats=4), [*CLASS, *SUBJECT])
    ]
    assert len(found) == len(set(found)) == 24


def test_the_count_is_that_of_the_steps() -> None:
    for repeats in (1, 2, 3):
        spec = make_spec(num_repeats=repeats)
        count = count_steps(spec, [*CLASS, *SUBJECT])
        steps = list(iter_steps(spec, [*CLASS, *SUBJECT]))
        assert (count.num_images, count.num_class_images) == (3, 2)
        assert len(steps) == count.total_steps
        assert sum(len(step.batches) for step in steps) == 2 * count.batches_per_epoch


def test_class_images_beyond_those_of_the_subject_are_found() -> None:
    many = [record(f"images/class/{i}.jpg") for i in range(5)]
    assert find_unused(make_spec(), [*many, *SUBJECT]) == {
        "images/class/3.jpg",
        "images/class/4.jpg",
    }
    assert find_unused(make_spec(num_repeats=2), [*many, *SUBJECT]) == set()


def test_class_images_are_never_held_out() -> None:
    spec = make_spec()
    values = {**spec.model_dump(by_alias=True), "validation": {"split": 0.5}}
    spec = Spec.model_validate({**values, "clean": [], "dataset": spec.dataset})
    records = [record(f"images/class/{i}.jpg") for i in range(40)]
    split = split_records(spec, [*records, *SUBJECT])
    assert not any(is_class_image(each, spec.dataset) for each in split.held_out)
    assert len(split.trained) >= 40


@pytest.mark.parametrize(
    ("subset", "caption", "prompt"),
    [
        ({"is_reg": True}, "", "woman"),
        ({"is_reg": True, "class_tokens": "a photo of a woman"}, "", "a photo of a woman"),
        ({"is_reg": True, "class_tokens": "woman"}, "an old woman", "an old woman"),
        ({"class_tokens": "lyq woman, close-up"}, "", "lyq woman, close-up"),
        ({}, "", "lyq woman"),
    ],
)
def test_prompts_of_images_without_words(
    subset: dict[str, object], caption: str, prompt: str
) -> None:
    spec = make_spec(subsets=[{"image_dir": "images/class", **subset}])
    assert effective_prompt(record("images/class/x.jpg", caption=caption), spec, 1) == prompt


def test_a_subset_has_repeats_of_its_own() -> None:
    spec = make_spec(num_repeats=2, subsets=[{"image_dir": "images/close", "num_repeats": 5}])
    records = [record("images/close/x.jpg"), record("images/y.jpg")]
    seen = Counter(item.record.image_path for item in views(spec, records))
    assert seen == {"images/close/x.jpg": 5, "images/y.jpg": 2}


def test_images_are_brought_into_the_folder_of_a_subset(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", 1)
    photo = save_photo(tmp_path / "brought" / "IMG_0000.jpg", seed=7)
    report = add_images(project, [Source(photo, "", ())], subset="class")
    assert [each.image_path for each in report.added] == ["images/class/IMG_0000.jpg"]
    assert (project.images / "class" / "IMG_0000.jpg").read_bytes() == photo.read_bytes()
    again = add_images(
        project,
        [Source(save_photo(tmp_path / "c" / "IMG_0000.jpg", seed=8), "", ())],
        subset="class",
    )
    assert [each.image_path for each in again.added] == ["images/class/IMG_0000-2.jpg"]
    assert len(load_dataset(project.dataset).records) == 3


def test_cleaning_leaves_class_images_as_they_came(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", 1)
    add_subset(project.spec, SubsetTable(image_dir="images/class", is_reg=True))
    photo = save_photo(tmp_path / "brought" / "a.jpg", seed=7)
    add_images(project, [Source(photo, "a woman", ("hat",))], subset="class")
    raw = load_raw_words(project, load_spec(project.spec), load_dataset(project.dataset).records)
    assert list(raw) == ["images/IMG_0000.jpg"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_is_put_at_the_end_once_and_all_else_stays(tmp_path: Path, line_end: str) -> None:
    project = make_project(tmp_path / "p", 0)
    text = "# mine\n" + project.spec.read_text() + "\n# the end"
    text = text.replace("\n", line_end)
    project.spec.write_bytes(text.encode())
    table = SubsetTable(image_dir="images/class", is_reg=True, class_tokens="eine Frau")
    assert add_subset(project.spec, table)
    written = project.spec.read_bytes().decode()
    assert written.startswith(text)
    assert written.count("\r\n") == (written.count("\n") if line_end == "\r\n" else 0)
    assert load_spec(project.spec).dataset.subsets == (table,)
    assert not add_subset(project.spec, table)
    assert project.spec.read_bytes().decode() == written


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('image_dir = "images/a"\nis_rge = true', "[[dataset.subsets]] is_rge: unknown setting"),
        ("is_reg = true", "[[dataset.subsets]] image_dir is missing"),
        ('image_dir = "../a"', '[[dataset.subsets]] image_dir = "../a": expected'),
        ('image_dir = "images/a"\nis_reg = 1', "[[dataset.subsets]] is_reg = 1: expected"),
        (
            'image_dir = "images/a"\n[[dataset.subsets]]\nimage_dir = "images/a"',
            "images/a is the image_dir of two subsets",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, lines: str, said: str) -> None:
    project = make_project(tmp_path / "p", 0)
    text = project.spec.read_text()
    project.spec.write_text(f"{text}\n[[dataset.subsets]]\n{lines}\n")
    with pytest.raises(SpecError) as caught:
        load_spec(project.spec)
    assert said in caught.value.message
    first = text.count("\n") + 2
    number = int(caught.value.message.partition("lorawiz.toml:")[2].partition(":")[0])
    assert number >= first or "two subsets" in said
