"""What `lorawiz check` says about single images."""

import json
from pathlib import Path

from lorawiz.preflight.check import check_project
from lorawiz.spec import load_spec
from tests.preflight.test_rules import GOOD, add_copy
from tests.support.projects import make_project


def test_the_report_lists_the_problems_of_single_images(tmp_path: Path) -> None:
    project = make_project(tmp_path, settings=GOOD, size=(600, 600))
    add_copy("twin.png")(project)
    values = json.loads(json.dumps(check_project(project, load_spec(project.spec)).as_json()))
    assert values["images"] == [
        {
            "image_path": "images/twin.png",
            "code": "duplicate",
            "message": "duplicate: the same pixels as IMG_0000.jpg",
        }
    ]


def test_a_check_drops_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path, settings=GOOD)
    add_copy("twin.png")(project)
    before = project.dataset.read_bytes()
    assert len(check_project(project, load_spec(project.spec)).records) == 5
    assert project.dataset.read_bytes() == before
