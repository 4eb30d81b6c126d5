"""`lorawiz class-images`: drawn by the base, brought in with their prompts, never drawn twice."""

import json
from pathlib import Path

import pytest

from lorawiz.dataset.records import load_dataset
from lorawiz.spec import load_spec
from tests.cli.runner import lorawiz
from tests.support.projects import link_base, make_project


def test_the_base_draws_class_images_and_a_run_would_see_them(
    tmp_path: Path, tiny_base: Path
) -> None:
    settings = {"sample.steps": "2", "sample.prompts": '["a woman"]'}
    project = make_project(tmp_path / "p", 2, settings)
    link_base(project, tiny_base)
    asked = ["class-images", "--count", "3", "--prompt", "a woman", "--prompt", "a hat", "--json"]
    drawn = lorawiz(*asked, cwd=project.root)
    assert drawn.code == 0, drawn.err
    added = json.loads(drawn.out)["added"]
    assert len(added) == 3
    captions = {r.image_path: r.caption for r in load_dataset(project.dataset).records}
    assert sorted(captions[path] for path in added) == ["a hat", "a woman", "a woman"]
    contents = {(project.root / path).read_bytes() for path in added}
    assert len(contents) == 3, "each has a seed of its own"
    (table,) = load_spec(project.spec).dataset.subsets
    assert (table.image_dir, table.is_reg) == ("images/class", True)
    plan = json.loads(lorawiz("check", "--json", cwd=project.root).out)["plan"]
    assert (plan["num_images"], plan["num_class_images"]) == (2, 3)

    times = {path: path.stat().st_mtime_ns for path in (project.work / "class-images").iterdir()}
    more = lorawiz(*asked[:2], "4", *asked[3:], cwd=project.root)
    assert len(json.loads(more.out)["added"]) == 1
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_the_class_word_is_the_prompt_where_none_is_given(tmp_path: Path, tiny_base: Path) -> None:
    project = make_project(
        tmp_path / "p", 1, {"sample.steps": "1", "project.class_word": '"woman"'}
    )
    link_base(project, tiny_base)
    assert lorawiz("class-images", "--count", "1", cwd=project.root).code == 0
    captions = [record.caption for record in load_dataset(project.dataset).records]
    assert "a photo of a woman" in captions


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ([], {"project.class_word": '""'}, "there is no class word to draw"),
        (["--subset", "../x", "--prompt", "a"], {}, "not the name of a folder"),
        (["--prompt", "a"], {"base.checkpoint": '"nowhere"'}, "nowhere"),
        (["--count", "0"], {}, "--count"),
    ],
)
def test_what_cannot_be_drawn_is_told_and_nothing_changes(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], said: str
) -> None:
    project = make_project(tmp_path / "p", 1, settings)
    before = project.spec.read_text()
    told = lorawiz("class-images", *arguments, cwd=project.root)
    assert (told.code, said in told.err) == (2, True), told.err
    assert project.spec.read_text() == before


def test_a_folder_of_the_subject_does_not_become_one_of_class_images(
    tmp_path: Path, tiny_base: Path
) -> None:
    project = make_project(tmp_path / "p", 1, {"sample.steps": "1"})
    link_base(project, tiny_base)
    with project.spec.open("a") as file:
        file.write('\n[[dataset.subsets]]\nimage_dir = "images/class"\nnum_repeats = 3\n')
    told = lorawiz("class-images", "--count", "1", "--prompt", "a", cwd=project.root)
    assert told.code == 2
    assert "images/class is a subset of the subject's images" in told.err
    assert not (project.images / "class").exists()
