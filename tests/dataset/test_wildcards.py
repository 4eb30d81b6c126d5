"""Wildcards are replaced as sd-scripts does it, and only where they are switched on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorawiz.dataset.prompts import (
    effective_prompt,
    longest_prompt,
    prompt_lines,
    prompt_text,
)
from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.wildcards import expand_wildcards, has_wildcard
from lorawiz.spec.document import build_spec
from lorawiz.spec.tables import Spec

RECORD = ImageRecord("images/a.jpg", "0" * 64, 9, 9, "a {red|blue|green} coat", ())


def spec_of(**prompt: Any) -> Spec:
    project = {"trigger": "lyq", "class_word": "woman"}
    return build_spec(
        {"schema": 1, "project": project, "prompt": {"enable_wildcard": True, **prompt}}
    )


def last(choices: Sequence[str]) -> str:
    return choices[-1]


@pytest.mark.parametrize(
    ("line", "expanded"),
    [
        ("{a|b} {c|d|e f}", "b e f"),
        ("{solo}", "solo"),
        ("{a|}", ""),
        ("{}", "{}"),
        ("{{a|b}}", "{a|b}"),
        ("{{{a|b}}", "{{a|b}"),
        ("{a}} b", "{a} b"),
        ("{a}}|b} c", "b c"),
        ("{a|b{{c}}}", "b{c}"),
        ("a } b { c", "a } b { c"),
        ("{a {{b", "{a {b"),
    ],
)
def test_braces_are_read_as_sd_scripts_reads_them(line: str, expanded: str) -> None:
    assert expand_wildcards(line, last) == expanded


@given(st.text(alphabet="ab |,\n"))
def test_a_line_without_braces_stays_as_it_is(line: str) -> None:
    assert expand_wildcards(line, last) == line
    assert not has_wildcard(line)


@given(st.text(alphabet="ab|{} "))
def test_every_line_of_braces_is_read_and_doubling_them_protects_it(line: str) -> None:
    expand_wildcards(line, last)
    doubled = line.replace("{", "{{").replace("}", "}}")
    assert expand_wildcards(doubled, last) == line


def test_a_caption_of_open_braces_takes_no_time() -> None:
    line = "{a" * 200_000
    assert expand_wildcards(line, last) == line


def test_a_wildcard_has_braces_and_a_bar() -> None:
    assert has_wildcard("a {red|blue} coat")
    assert not has_wildcard("a {red} coat | {{")


def test_every_choice_is_drawn_about_as_often() -> None:
    drawn = [effective_prompt(RECORD, spec_of(), epoch) for epoch in range(1, 601)]
    for colour in ("red", "blue", "green"):
        assert 150 < drawn.count(f"a {colour} coat") < 250


def test_a_known_draw_stays_what_it_is() -> None:
    # stored: a change here changes every repeated run
    drawn = [effective_prompt(RECORD, spec_of(), epoch) for epoch in range(1, 9)]
    assert (
        " ".join(prompt.split()[1] for prompt in drawn) == "red blue red blue red green green red"
    )


def test_a_repeat_and_another_image_draw_for_themselves() -> None:
    other = replace(RECORD, image_path="images/b.jpg")
    views = [(RECORD, 0), (RECORD, 1), (other, 0)]
    drawn = [
        tuple(effective_prompt(record, spec_of(), epoch, repeat) for epoch in range(1, 20))
        for record, repeat in views
    ]
    assert len(set(drawn)) == 3


def test_one_line_of_several_is_drawn_with_its_tags() -> None:
    record = replace(RECORD, caption="one\n\ntwo", tags=("lyq", "hat"))
    drawn = {effective_prompt(record, spec_of(), epoch) for epoch in range(1, 40)}
    assert drawn == {"one,lyq, hat", "two,lyq, hat"}


def test_a_blank_line_is_never_drawn() -> None:
    record = replace(RECORD, caption="one\n \ntwo\n")
    drawn = {effective_prompt(record, spec_of(), epoch) for epoch in range(1, 40)}
    assert drawn == {"one", "two"}


def test_tags_without_a_caption_are_kept() -> None:
    record = replace(RECORD, caption="", tags=("lyq", "hat"))
    assert effective_prompt(record, spec_of(), 1) == "lyq, hat"


def test_an_image_without_words_is_trained_with_the_projects_words() -> None:
    record = replace(RECORD, caption=" \n ")
    assert effective_prompt(record, spec_of(), 1) == "lyq woman"


def test_wildcards_in_tags_and_prefix_are_drawn_too() -> None:
    record = replace(RECORD, caption="a", tags=("{hat|cap}",))
    spec = spec_of(caption_prefix="{photo|picture}:")
    drawn = {effective_prompt(record, spec, epoch) for epoch in range(1, 60)}
    assert drawn == {
        f"{prefix}: a,{tag}" for prefix in ("photo", "picture") for tag in ("hat", "cap")
    }


def test_a_line_break_in_a_tag_is_a_separator() -> None:
    record = replace(RECORD, caption="a", tags=("hat\ncap",))
    assert prompt_text(record, spec_of()) == "a,hat,cap"


def test_without_wildcards_the_first_line_is_used_as_it_stands() -> None:
    record = replace(RECORD, caption="a {red|blue} coat\ntwo")
    spec = spec_of(enable_wildcard=False)
    assert effective_prompt(record, spec, 1) == "a {red|blue} coat"
    assert prompt_lines(record, spec, last) == ["a {red|blue} coat"]


def test_the_longest_prompt_has_the_longest_choices_and_leaves_nothing_out() -> None:
    record = replace(RECORD, caption="{x|xx} end\n{a|bbb|cc} tail", tags=("u;;;v", "w"))
    spec = spec_of(
        caption_dropout_rate=1.0, caption_tag_dropout_rate=1.0, secondary_separator=";;;"
    )
    assert longest_prompt(record, spec, len) == "bbb tail, u,v, w"
    assert longest_prompt(record, spec_of(enable_wildcard=False), len) == "{x|xx} end"
