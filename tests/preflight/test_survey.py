"""How each step of a project stands, from a bare folder to a finished run."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lorawiz.dataset.facts import compute_missing_facts
from lorawiz.dataset.records import Dataset, save_dataset
from lorawiz.dataset.store import read_dataset
from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project
from lorawiz.preflight import survey as survey_module
from lorawiz.preflight.check import check_project
from lorawiz.preflight.last_check import check_file, keep_check, load_last_check
from lorawiz.preflight.standing import (
    STEPS,
    Pictures,
    State,
    StepName,
    stand_clean,
    stand_run,
)
from lorawiz.preflight.survey import Surveyor, iter_overview, survey_project
from lorawiz.runs.view import RunView
from lorawiz.spec import load_spec
from lorawiz.spec.document import set_value
from tests.support.projects import make_project


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    return make_project(tmp_path / "lyq", num_images=0)


@pytest.fixture
def filled(tmp_path: Path) -> Project:
    return make_project(tmp_path / "lyq", num_images=3)


def states(project: Project) -> dict[StepName, State]:
    return {step.name: step.state for step in survey_project(project).steps}


def lines_of(project: Project, name: StepName) -> list[str]:
    return [str(line) for line in survey_project(project).find(name).lines]


def put(project: Project, key: str, value: str) -> None:
    set_value(project.spec, key, value)


def change_records(project: Project, **changes: Any) -> None:
    records = [replace(record, **changes) for record in read_dataset(project).records]
    save_dataset(project.dataset, Dataset(tuple(records)))


# the steps, one by one


def test_a_bare_project_has_images_base_check_and_run_to_do(bare: Project) -> None:
    assert states(bare) == {
        "project": "done", "images": "due", "base": "due", "crop": "optional",
        "captions": "optional", "tags": "optional", "review": "optional", "clean": "optional",
        "settings": "done", "check": "due", "run": "due",
    }  # fmt: skip
    due = survey_project(bare).due
    assert due is not None
    assert (due.name, due.command) == ("images", "lorawiz add PHOTOS…")


def test_without_trigger_and_class_word_the_project_is_due(bare: Project) -> None:
    put(bare, "project.trigger", "")
    assert states(bare)["project"] == "done"
    put(bare, "project.class_word", "")
    assert states(bare)["project"] == "due"


def test_images_are_counted_with_their_sizes_and_what_is_wrong(filled: Project) -> None:
    step = survey_project(filled).find("images")
    assert [str(line) for line in step.lines][:2] == ["3 images", "96×96 (3)"]
    assert step.state == "done"
    (filled.images / "IMG_0001.jpg").write_bytes(b"no image")
    records = read_dataset(filled).records
    broken = replace(records[1], status="broken", reason="cut off\x1b[2J")
    save_dataset(filled.dataset, Dataset((records[0], broken, replace(records[2], keep=False))))
    step = survey_project(filled).find("images")
    assert "1 is rejected" in [str(line) for line in step.lines]
    assert ("IMG_0001.jpg", f"broken: {visible_text('cut off' + chr(27) + '[2J')}") in [
        (each.name, each.text) for each in step.findings
    ]


def test_images_that_were_not_measured_are_told(filled: Project) -> None:
    # `add` has measured them: with the facts gone they are unknown again
    shutil.rmtree(filled.work, ignore_errors=True)
    assert "3 not measured yet: the check does that" in lines_of(filled, "images")
    compute_missing_facts(filled, read_dataset(filled).trained)
    assert "3 not measured yet: the check does that" not in lines_of(filled, "images")


def test_a_base_is_here_or_missing_or_no_base(bare: Project, tiny_base: Path) -> None:
    put(bare, "base.checkpoint", "tiny")
    step = survey_project(bare).find("base")
    assert step.state == "due"
    assert "tiny" in step.findings[0].text
    bare.models.mkdir()
    shutil.copytree(tiny_base, bare.models / "tiny")
    step = survey_project(bare).find("base")
    assert step.state == "done"
    assert str(step.lines[1]).startswith("Stable Diffusion 1.x, ")


def test_a_base_on_the_hub_is_fetched_only_with_a_network(
    bare: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bare, "base.checkpoint", "someone/some-model")
    assert states(bare)["base"] == "due"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    step = survey_project(bare).find("base")
    assert step.state == "done"
    assert step.is_remote


@pytest.mark.parametrize(("name", "key"), [("captions", "caption"), ("tags", "tags")])
def test_words_are_due_where_a_model_could_give_them(
    filled: Project, name: StepName, key: str
) -> None:
    assert states(filled)[name] == "done"
    change_records(filled, **{key: () if key == "tags" else " "})
    setting = {"caption": "caption.model", "tags": "tag.model"}[key]
    put(filled, setting, "none")
    assert states(filled)[name] == "optional"
    put(filled, setting, "my-model")
    step = survey_project(filled).find(name)
    assert step.state == "due"
    assert "my-model" in step.findings[0].text


def test_review_is_done_when_somebody_has_rejected_or_edited(filled: Project) -> None:
    assert states(filled)["review"] == "optional"
    records = read_dataset(filled).records
    save_dataset(filled.dataset, Dataset((*records[:2], replace(records[2], keep=False))))
    assert states(filled)["review"] == "done"


def test_rules_are_due_until_they_are_applied(filled: Project) -> None:
    text = filled.spec.read_text("utf-8")
    filled.spec.write_text(text + '\n[[clean]]\nrule = "remove"\ntags = ["smile"]\n', "utf-8")
    assert states(filled)["clean"] == "due"
    assert "3 images would change" in lines_of(filled, "clean")
    change_records(filled, tags=("lyq",))
    assert states(filled)["clean"] == "done"


def test_rules_that_cannot_be_replayed_say_why(filled: Project) -> None:
    spec = load_spec(filled.spec)
    step = stand_clean(spec, Pictures(), DatasetError("evidence/x.jsonl:3: no JSON", "delete it"))
    assert step.state == "due"
    assert step.findings[0].text.startswith("evidence/x.jsonl:3: no JSON")


def view(state: str, run_id: str = "lyq-0001") -> RunView:
    seen = RunView(run_id)
    seen.outcome = "finished" if state == "finished" else None
    assert seen.state() == state or state != "finished"
    return seen


def test_a_finished_run_is_done_and_more_than_six_are_counted() -> None:
    step = stand_run([view("finished", f"lyq-{n:04}") for n in range(9, 0, -1)])
    assert (step.state, step.command) == ("done", "lorawiz run")
    assert str(step.lines[0]).startswith("lyq-0009  finished")
    assert str(step.lines[-1]) == "and 3 older runs"


def test_without_runs_the_run_is_due() -> None:
    assert (stand_run([]).state, stand_run([]).command) == ("due", "lorawiz run")


# the last check


def test_a_check_is_kept_until_something_changes(filled: Project) -> None:
    assert load_last_check(filled) is None
    keep_check(filled, check_project(filled, load_spec(filled.spec)))
    last = load_last_check(filled)
    assert last is not None
    assert last.is_fresh
    assert last.num_errors > 0  # no base
    step = survey_project(filled).find("check")
    assert step.state == "due"
    assert str(step.lines[0]) == f"{last.num_errors} error" + "s" * (last.num_errors != 1)
    put(filled, "train.seed", "7")
    again = load_last_check(filled)
    assert again is not None
    assert not again.is_fresh
    assert "changed since it was checked" in lines_of(filled, "check")


def test_a_check_of_other_settings_is_not_kept(filled: Project) -> None:
    spec = load_spec(filled.spec)
    other = spec.model_copy(update={"train": spec.train.model_copy(update={"seed": 9})})
    keep_check(filled, check_project(filled, other))
    assert load_last_check(filled) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"inputs": 1}', "\x00"])
def test_a_spoilt_memory_of_the_check_is_none(filled: Project, text: str) -> None:
    check_file(filled).parent.mkdir(exist_ok=True)
    check_file(filled).write_text(text)
    assert load_last_check(filled) is None


def test_a_project_that_was_moved_is_still_checked(filled: Project, tmp_path: Path) -> None:
    keep_check(filled, check_project(filled, load_spec(filled.spec)))
    moved = tmp_path / "elsewhere"
    filled.root.rename(moved)
    last = load_last_check(Project(moved))
    assert last is not None
    assert last.is_fresh


# what cannot be read


def test_a_broken_spec_leaves_the_steps_that_do_not_need_it(filled: Project) -> None:
    filled.spec.write_text("schema = 1\n[network\n", "utf-8")
    survey = survey_project(filled)
    assert "lorawiz.toml:2" in survey.failure
    assert survey.find("images").state == "done"
    assert survey.find("settings").state == "due"
    assert survey.find("base").state == "unknown"
    assert [step.name for step in survey.steps] == list(STEPS)


def test_a_broken_dataset_leaves_the_steps_that_do_not_need_it(filled: Project) -> None:
    filled.dataset.write_text("{\n", "utf-8")
    survey = survey_project(filled)
    assert "dataset.jsonl:1" in survey.failure
    assert survey.find("images").state == "due"
    assert survey.find("settings").state == "done"
    assert survey.find("review").state == "unknown"


# looking again


def test_what_has_not_changed_is_not_read_again(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def count(project: Project) -> Dataset:
        read.append("dataset")
        return read_dataset(project)

    monkeypatch.setattr(survey_module, "read_dataset", count)
    surveyor = Surveyor(filled)
    first = surveyor.survey()
    num_first = len(read)
    second = surveyor.survey()
    assert first == second
    assert len(read) == num_first
    change_records(filled, caption="")
    read.clear()
    put(filled, "caption.model", "none")
    assert surveyor.survey().find("captions").state == "optional"
    assert read


# telling it


def test_the_overview_ends_with_the_next_command(bare: Project) -> None:
    lines = list(iter_overview(survey_project(bare)))
    assert lines[0].startswith("lyq")
    assert lines[-1].split(maxsplit=1) == ["next", "lorawiz add PHOTOS…"]
    assert len(lines) == len(STEPS) + 2


def test_the_json_says_the_same(bare: Project) -> None:
    told = json.loads(json.dumps(survey_project(bare).as_json()))
    assert told["due"] == "images"
    assert told["next"] == "lorawiz add PHOTOS…"
    assert [step["name"] for step in told["steps"]] == list(STEPS)
    assert told["steps"][0]["lines"][1] == "trigger: lyq"
