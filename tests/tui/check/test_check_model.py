"""The check's session and fixer without a screen."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.errors import SpecError
from lorawiz.paths import Project
from lorawiz.preflight.check import check_project
from lorawiz.preflight.finding import Finding, Severity
from lorawiz.preflight.fixes import AddRule, SetSettings, run, set_to
from lorawiz.preflight.report_lines import plan_lines, summary_line
from lorawiz.spec import load_spec
from lorawiz.spec.document import set_value
from lorawiz.tui.background import run_in_background
from lorawiz.tui.check.checking import AbandonedError, CheckResult, Progress, make_check
from lorawiz.tui.check.fixing import Fixer
from lorawiz.tui.check.session import START, CheckSession
from lorawiz.tui.settings.state import SpecState, load_state
from tests.preflight.test_rules import GOOD, MACHINE
from tests.support.projects import make_project
from tests.tui.check_support import use_machine


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    use_machine(monkeypatch, MACHINE)
    return make_project(tmp_path / "lyq", settings=GOOD)


def build_finding(code: str, severity: Severity = "warning", key: str = "") -> Finding:
    fix = set_to(key, 1) if key else run("clean")
    return Finding(code, severity, "project", "", f"{code} is so", fix, "It matters.", key)


def build_result(*findings: Finding) -> CheckResult:
    return CheckResult((), SpecState(None), findings)


def show(session: CheckSession, *findings: Finding) -> None:
    assert session.take(build_result(*findings), session.begin())


def test_the_cursor_stays_at_its_finding_when_others_go(tmp_path: Path) -> None:
    session = CheckSession(Project(tmp_path))
    a, b, c = (build_finding(code) for code in "abc")
    show(session, a, b, c)
    session.go_to(2)
    show(session, b, c)
    assert session.current == c
    show(session, a, b)
    assert session.current == b  # the nearest that is left
    session.go_to(9)
    show(session, a, b, c)
    assert session.identity == START


def test_the_cursor_begins_at_the_worst_or_at_the_run(tmp_path: Path) -> None:
    session = CheckSession(Project(tmp_path))
    show(session, build_finding("a", "error"), build_finding("b", "info"))
    assert (session.cursor, session.can_start) == (0, False)
    show(session, build_finding("b", "info"))
    assert session.identity == START
    can_start = [session.can_start]
    session.begin()
    assert [*can_start, session.can_start] == [True, False]


def test_hidden_infos_give_the_cursor_to_a_neighbour(tmp_path: Path) -> None:
    session = CheckSession(Project(tmp_path))
    show(session, build_finding("a"), build_finding("b", "info"))
    session.go_to(1)
    session.toggle_infos()
    assert session.current is not None
    assert session.current.code == "a"
    session.go_to(1)
    session.toggle_infos()
    assert session.identity == START


def test_of_two_fixes_for_one_setting_the_first_is_made(tmp_path: Path) -> None:
    session = CheckSession(Project(tmp_path))
    first, second = build_finding("a", key="train.seed"), build_finding("b", key="train.seed")
    other = build_finding("c", key="network.dim")
    show(session, first, second, build_finding("d"), other)
    assert [finding.code for finding, _ in session.list_settings_fixes()] == ["a", "c"]
    session.note_healed([first])
    assert [finding.code for finding, _ in session.list_settings_fixes()] == ["b", "c"]


def test_the_result_of_an_abandoned_check_is_not_shown(tmp_path: Path) -> None:
    session = CheckSession(Project(tmp_path))
    old = session.begin()
    new = session.begin()
    assert old.is_abandoned
    assert not session.take(build_result(build_finding("a")), old)
    assert session.take(build_result(build_finding("b")), new)
    assert [finding.code for finding in session.shown] == ["b"]


def test_an_abandoned_check_ends_at_its_next_rule(project: Project) -> None:
    progress = Progress(is_abandoned=True)
    with pytest.raises(AbandonedError):
        make_check(project, progress)


def test_files_that_are_being_written_are_waited_for(project: Project) -> None:
    session = CheckSession(project)
    progress = session.begin()
    assert session.take(make_check(project, progress), progress)
    assert not session.is_outdated()
    set_value(project.spec, "train.seed", "7")
    assert session.is_changed
    assert not session.is_outdated()  # it may not be all
    set_value(project.spec, "train.seed", "8")
    assert not session.is_outdated()
    assert session.is_outdated()


@pytest.mark.parametrize(
    "name", ["lorawiz.toml", "dataset.jsonl", "evidence/new.jsonl", "images/new.jpg", "models/new"]
)
def test_every_file_that_is_looked_at_is_watched(project: Project, name: str) -> None:
    for folder in (project.evidence, project.models):
        folder.mkdir(exist_ok=True)
    session = CheckSession(project)
    progress = session.begin()
    session.take(make_check(project, progress), progress)
    path = project.root / name
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
    assert session.is_changed


def test_a_check_writes_nothing_that_would_be_checked_again(project: Project) -> None:
    session = CheckSession(project)
    progress = session.begin()
    session.take(make_check(project, progress), progress)
    assert not session.is_changed
    assert progress.total == progress.done + 1


def test_what_cannot_be_read_is_the_result(project: Project) -> None:
    project.dataset.write_text("{torn\n")
    result = make_check(project, Progress())
    assert "dataset.jsonl:1" in str(result.failure)
    assert not result.findings


def test_settings_up_to_one_that_is_refused_are_taken_back_by_one_undo(project: Project) -> None:
    before = project.spec.read_bytes()
    fixer, seen = Fixer(project), load_state(project)
    set_value(project.spec, "train.max_train_epochs", "99")
    with pytest.raises(SpecError, match="changed elsewhere"):
        fixer.change_settings({"network.dim": "8", "train.max_train_epochs": "5"}, seen)
    assert load_spec(project.spec).network.dim == 8
    assert fixer.undo() == "network.dim"
    set_value(project.spec, "train.max_train_epochs", "100")
    assert project.spec.read_bytes() == before


def test_a_setting_is_taken_out_and_put_back(project: Project) -> None:
    fixer = Fixer(project)
    fixer.change_settings({"train.max_train_epochs": None}, load_state(project))
    assert "max_train_epochs" not in project.spec.read_text()
    fixer.undo()
    assert load_spec(project.spec).train.max_train_epochs == 100


def test_a_rule_that_was_changed_since_is_not_taken_out(project: Project) -> None:
    fixer = Fixer(project)
    fixer.add_rule(AddRule({"rule": "limit", "max_tags": 2}))
    text = project.spec.read_text().replace("max_tags = 2", "max_tags = 1")
    project.spec.write_text(text)
    with pytest.raises(SpecError, match="was changed since"):
        fixer.undo()
    assert project.spec.read_text() == text


def test_a_job_in_the_background_gives_or_raises() -> None:
    def fail() -> int:
        raise SpecError("no")

    assert asyncio.run(run_in_background(lambda: 7)) == 7
    with pytest.raises(SpecError):
        asyncio.run(run_in_background(fail))


def test_a_time_that_is_no_number_is_a_question_mark(project: Project) -> None:
    report = check_project(project, load_spec(project.spec))
    report = replace(report, plan=replace(report.plan, step_s=math.nan))
    assert next(line for line in plan_lines(report) if "time" in line).split()[1] == "?"
    assert summary_line(report) == "1 error"


def test_a_fix_of_settings_names_its_keys() -> None:
    assert set_to("train.seed", 1).action == SetSettings((("train.seed", "1"),))
