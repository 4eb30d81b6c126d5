"""`lorawiz check --memory` and `--probe`."""

import json
from pathlib import Path

import pytest

from lorawiz.errors import RunError
from lorawiz.paths import Project
from lorawiz.preflight import forecasts
from lorawiz.preflight.check import check_project
from lorawiz.preflight.forecasts import find_forecast, make_forecast
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.machine import look_at_machine
from lorawiz.spec import load_spec
from lorawiz.spec.document import set_value
from tests.cli.runner import lorawiz
from tests.support.projects import link_base, make_project


@pytest.fixture
def project(tmp_path: Path, tiny_base: Path) -> Project:
    made = make_project(tmp_path / "p", 2, {"dataset.batch_size": "2"})
    link_base(made, tiny_base)
    return made


def inspect(project: Project) -> Inspection:
    return Inspection(project, load_spec(project.spec), look_at_machine(project))


def test_it_says_what_each_phase_needs_and_what_saves_some(project: Project) -> None:
    said = lorawiz("check", "--memory", cwd=project.root)
    for words in ("while caching latents", "while making a step", "what saves memory"):
        assert words in said.out
    assert "train.gradient_checkpointing = true" in said.out
    assert "dataset.batch_size = 1, train.gradient_accumulation_steps = 2" in said.out
    # what is known now, the plan tells too
    assert "forecast, most while" in lorawiz("check", cwd=project.root).out


def test_steps_are_measured(project: Project) -> None:
    set_value(project.spec, "dataset.batch_size", "1")
    set_value(project.spec, "network.train_unet_only", "true")
    told = json.loads(lorawiz("check", "--probe", "--json", cwd=project.root).out)["memory"]
    assert told["measured"]["peak_bytes"] > 10**8
    assert told["measured"]["step_s"] > 0
    found = {key for each in told["savings"] for key in each["settings"]}
    assert found == {"train.gradient_checkpointing", "train.fp8_base"}
    for saving in told["savings"]:
        assert saving["peak_bytes"] < told["peak_bytes"]
        assert saving["measured"]["peak_bytes"] > 10**8


def test_a_forecast_is_remembered_until_something_changes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = make_forecast(inspect(project))
    monkeypatch.setattr(forecasts, "_run_child", lambda *inputs: pytest.fail("asked again"))
    assert make_forecast(inspect(project)) == find_forecast(inspect(project)) == found
    for key, value in (("train.learning_rate", "1e-3"), ("network.dim", "8")):
        set_value(project.spec, key, value)
    assert find_forecast(inspect(project)) is None


def test_a_tiny_base_is_not_worth_the_seconds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasts, "_run_child", lambda *inputs: pytest.fail("asked"))
    report = check_project(project, load_spec(project.spec), with_forecast=True)
    assert report.plan.memory_source == "estimate"


def test_without_a_base_it_says_so(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", 1)
    said = lorawiz("check", "--memory", cwd=project.root)
    assert said.code == 2
    assert "memory can be foretold where torch, a base and images are there" in said.err


def test_a_base_of_another_family_is_a_sentence(project: Project) -> None:
    set_value(project.spec, "base.family", "sdxl")
    with pytest.raises(RunError, match="tiny is sd15, but"):
        make_forecast(inspect(project))


def test_a_child_that_breaks_is_a_sentence(project: Project) -> None:
    at = inspect(project)
    with pytest.raises(RunError, match=r"memory cannot be foretold: .*No module named"):
        list(forecasts._run_child("lorawiz.train.nothing", at, [at.spec]))
