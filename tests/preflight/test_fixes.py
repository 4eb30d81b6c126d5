"""Every fix can be carried out, and mends what it says it mends, over the rules' own cases."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import typer.main

from lorawiz.cli.main import app
from lorawiz.dataset.settling import settle_words
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.preflight.finding import Problem
from lorawiz.preflight.fixes import (
    AddRule,
    ByHand,
    ChooseModel,
    EditSetting,
    Fix,
    Review,
    RunCommand,
    SetSettings,
    add_rule,
    review,
    run,
    set_all,
    set_to,
    unset,
)
from lorawiz.preflight.inspection import Inspection
from lorawiz.spec import load_spec
from lorawiz.spec.document import change_values, find_field
from lorawiz.spec.rule_edits import append_rule, write_rule_edit
from lorawiz.tui.review.session import ReviewSession
from tests.preflight.test_rules import FAILING_CASES, Case, inspect, name_cases, problems

HELPS_WITHOUT_HEALING = {"memory-short"}
"""How much a setting saves cannot be said before: the estimate may still be too high."""
NAMES_OF_CODES = {
    "images-duplicate": {"duplicate"},
    "images-near-duplicate": {"near-duplicate"},
    "images-blurred": {"blurred"},
    "images-exposure": {"dark", "bright", "clipped"},
    "faces-none": {"no-face"},
    "faces-several": {"several-faces"},
    "faces-small": {"small-face"},
}
every_case = pytest.mark.parametrize(("code", "case"), FAILING_CASES, ids=name_cases(FAILING_CASES))


def look_again(at: Inspection) -> Inspection:
    return Inspection(at.project, load_spec(at.project.spec), at.machine)


def iter_actions(found: list[Problem]) -> Iterator[tuple[Problem, object]]:
    for problem in found:
        for way in problem.fix.ways:
            yield problem, way.action


@every_case
def test_every_way_can_be_gone_or_says_why_not(
    tmp_path: Path, tiny_base: Path, code: str, case: Case
) -> None:
    at = inspect(tmp_path, tiny_base, case)
    commands = typer.main.get_command(app)
    found = problems(code, at)
    for problem, action in iter_actions(found):
        assert problem.fix.text
        match action:
            case ByHand():
                assert len(action.why) > 10
            case RunCommand():
                context = commands.make_context("lorawiz", list(action.arguments))
                assert commands.get_command(context, action.arguments[0]) is not None  # type: ignore[attr-defined]
            case EditSetting() | ChooseModel():
                find_field(action.key)
            case SetSettings():
                for key, _ in action.values:
                    find_field(key)
            case Review():
                ReviewSession(at.project, at.spec, action.text)
    assert all(way["kind"] and way["text"] for p in found for way in p.fix.as_json())


@every_case
def test_settings_that_a_fix_changes_heal_the_finding(
    tmp_path: Path, tiny_base: Path, code: str, case: Case
) -> None:
    num_ways = max((len(p.fix.ways) for p in problems(code, inspect(tmp_path / "n", tiny_base, case))), default=0)  # fmt: skip
    for number in range(num_ways):
        at = inspect(tmp_path / str(number), tiny_base, case)
        for problem in problems(code, at):
            way = problem.fix.ways[number] if number < len(problem.fix.ways) else None
            if way is None or not isinstance(way.action, SetSettings):
                continue
            change_values(at.project.spec, dict(way.action.values))
            remaining = problems(code, look_again(at))
            is_healed = not any(
                each.key == problem.key or each.message == problem.message for each in remaining
            )
            assert code in HELPS_WITHOUT_HEALING or is_healed, way.text


def test_enough_findings_are_healed_by_one_key(tmp_path: Path, tiny_base: Path) -> None:
    firsts = {}
    for number, (code, case) in enumerate(FAILING_CASES):
        for problem in problems(code, inspect(tmp_path / str(number), tiny_base, case)):
            firsts[code] = type(problem.fix.action)
    by_hand = {code for code, kind in firsts.items() if kind is ByHand}
    to_install = {"extra-missing", "optimizer-missing"}
    assert by_hand == {*to_install, "base-fetched", "optimizer-settings-wrong", "subset-empty"}
    assert sum(kind is SetSettings for kind in firsts.values()) >= 25


@every_case
def test_a_review_shows_exactly_the_images_concerned(
    tmp_path: Path, tiny_base: Path, code: str, case: Case
) -> None:
    at = inspect(tmp_path, tiny_base, case)
    for _, action in iter_actions(problems(code, at)):
        if not isinstance(action, Review):
            continue
        session = ReviewSession(at.project, at.spec, action.text)
        shown = {session.record_at(place).image_path for place in range(len(session.shown))}
        if action.image_paths:
            assert shown == set(action.image_paths)
        elif code in NAMES_OF_CODES:
            codes = NAMES_OF_CODES[code]
            assert shown == {p.image_path for p in at.image_problems if p.code in codes}
        elif code != "images-none" or case.change is not None:
            assert shown == {at.dataset.records[0].image_path}


@pytest.mark.parametrize(
    "code", ["trigger-absent", "trigger-not-first", "caption-comma", "caption-lines-unused"]
)
def test_a_rule_that_a_fix_adds_heals_the_finding(
    tmp_path: Path, tiny_base: Path, code: str
) -> None:
    healed = 0
    for number, case in enumerate(case for known, case in FAILING_CASES if known == code):
        at = inspect(tmp_path / str(number), tiny_base, case)
        for problem, action in iter_actions(problems(code, at)):
            if isinstance(action, AddRule):
                spec = at.project.spec
                write_rule_edit(spec, append_rule(spec.read_text(), action.rule))
                settle_words(at.project, load_spec(spec), "clean")
                remaining = [each.message for each in problems(code, look_again(at))]
                healed += problem.message not in remaining
    assert healed


def test_the_family_of_the_base_is_set_as_it_is(tmp_path: Path, tiny_base: Path) -> None:
    at = inspect(tmp_path, tiny_base, Case())
    assert isinstance(at.base, Checkpoint)
    at.__dict__["base"] = replace(at.base, family="sdxl")
    [problem] = problems("base-family", at)
    assert problem.fix.action == SetSettings((("base.family", "sdxl"),))


@pytest.mark.parametrize(
    ("fix", "text"),
    [
        (set_to("train.seed", 7), "lorawiz set train.seed 7"),
        (set_to("prompt.shuffle_caption", True), "lorawiz set prompt.shuffle_caption true"),
        (set_to("sample.prompts", ['a "b"']), "lorawiz set sample.prompts '[\"a \\\"b\\\"\"]'"),
        (set_all({"a.b": 1, "a.c": ""}), "lorawiz set a.b 1 && lorawiz set a.c ''"),
        (unset("train.seed"), "lorawiz unset train.seed"),
        (run("crop", words="closer: {}"), "closer: lorawiz crop"),
        (review("finding:blurred"), "lorawiz review --filter finding:blurred shows them"),
        (review(image_paths=["images/a.jpg"]), "lorawiz review shows them"),
        (add_rule("limit", max_tags=20), '[[clean]] rule = "limit", max_tags = 20; then lorawiz clean'),
        (run("tag") | run("caption"), "lorawiz tag, or lorawiz caption"),
        (set_to("project.trigger", "a\x1bb"), "lorawiz set project.trigger 'a␛b'"),
    ],
)  # fmt: skip
def test_the_words_are_made_of_the_action(fix: Fix, text: str) -> None:
    assert fix.text == text


def test_many_images_are_named_by_the_first_ones() -> None:
    paths = (*(f"images/{number}.jpg" for number in range(200)), 'images/a"b.jpg')
    assert Review(image_paths=paths).text.count("name:") == 50
    assert Review(image_paths=('images/a"b.jpg', "images/c.jpg")).text == 'name:"c.jpg"'
