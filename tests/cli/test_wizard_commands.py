"""`lorawiz` and `lorawiz new` where nobody can be asked, and the forms for programs."""

import json
from pathlib import Path

from lorawiz.spec import load_spec
from tests.cli.runner import lorawiz
from tests.support.projects import make_project


def test_alone_it_says_where_the_project_stands(tmp_path: Path) -> None:
    project = make_project(tmp_path / "lyq", num_images=2)
    answer = lorawiz(cwd=project.root)
    assert answer.code == 0
    assert "✓ images   2 images" in answer.out
    assert answer.out.splitlines()[-1].split()[0] == "next"


def test_as_json_a_program_can_read_it(tmp_path: Path) -> None:
    project = make_project(tmp_path / "lyq", num_images=0)
    answer = lorawiz("--json", "-C", str(project.root), cwd=tmp_path)
    assert answer.code == 0
    assert json.loads(answer.out)["due"] == "images"


def test_a_project_that_cannot_be_read_exits_with_two_and_says_where(tmp_path: Path) -> None:
    project = make_project(tmp_path / "lyq", num_images=0)
    project.spec.write_text("schema = 1\nname = \n", "utf-8")
    answer = lorawiz(cwd=project.root)
    assert answer.code == 2
    assert "lorawiz.toml:2" in answer.out
    told = lorawiz("--json", cwd=project.root)
    assert told.code == 2
    assert "lorawiz.toml:2" in json.loads(told.out)["failure"]


def test_where_no_project_is_it_helps(tmp_path: Path) -> None:
    answer = lorawiz(cwd=tmp_path)
    assert answer.code == 0
    assert "lorawiz new face-lora" in answer.out
    told = lorawiz("--json", cwd=tmp_path)
    assert told.code == 2
    assert "lorawiz.toml" in told.err
    assert list(tmp_path.iterdir()) == []


def test_new_without_a_terminal_says_what_is_missing(tmp_path: Path) -> None:
    answer = lorawiz("new", cwd=tmp_path)
    assert answer.code == 2
    assert "face-lora" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_new_with_all_answers_asks_nothing(tmp_path: Path) -> None:
    answer = lorawiz(
        "new", "face-lora", "lyq", "--trigger", "lyq", "--class-word", "dog",
        "--set", "network.dim=8", cwd=tmp_path,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    spec = load_spec(tmp_path / "lyq" / "lorawiz.toml")
    assert (spec.project.name, spec.project.class_word, spec.network.dim) == ("lyq", "dog", 8)


def test_models_fetch_without_a_network_is_a_sentence(tmp_path: Path) -> None:
    project = make_project(tmp_path / "lyq", 0, {"base.checkpoint": "someone/some-model"})
    answer = lorawiz("models", "fetch", cwd=project.root, HF_HUB_OFFLINE="1")
    assert answer.code == 2
    assert "someone/some-model" in answer.err
    assert "Traceback" not in answer.err
