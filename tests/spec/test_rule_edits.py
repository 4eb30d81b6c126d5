"""[[clean]] tables put in, replaced and taken out; every other line of the file stays."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorawiz.errors import SpecError
from lorawiz.spec.rule_edits import (
    RuleEdit,
    append_rule,
    edit_rules,
    list_rules,
    write_rule_edit,
)

REMOVE = {"rule": "remove", "tags": ["1girl"]}
TEXT = """\
#:schema .lorawiz/schema.json
schema = 1

# faces first
[[clean]]
rule = "dedupe"  # shirt beside white shirt

[[clean]]  # in order
rule = "replace"
# grins are smiles
tags = { "grin" = "smile" }

# how long
[train]
seed = 7
"""


def append(text: str, rule: dict[str, Any]) -> str:
    return edit_rules(text, append_rule(text, rule))


def test_a_rule_is_put_behind_the_last_one() -> None:
    edited = append(TEXT, REMOVE)
    new = '\n[[clean]]\nrule = "remove"\ntags = ["1girl"]\n'
    assert edited == TEXT.replace('"smile" }\n', '"smile" }\n' + new)
    assert list_rules(edited)[2] == REMOVE


@pytest.mark.parametrize(
    "text", [TEXT, "", "schema = 1\n", "schema = 1\n\n[train]\nseed = 7  # mine\n\n# the end\n"]
)
def test_taking_out_what_was_put_in_gives_the_very_text_again(text: str) -> None:
    edit = append_rule(text, REMOVE)
    edited = edit_rules(text, edit)
    assert list_rules(edited)[-1] == REMOVE
    assert edit_rules(edited, edit.reversed()) == text


@pytest.mark.parametrize(
    "text",
    [
        'schema = 1\n[[clean]]\nrule = "dedupe"\n[train]\nseed = 7\n[[clean]]\nrule = "sort"\n',
        'clean = [{ rule = "dedupe" }]  # short\n\n[train]\nseed = 7\n',
        "clean = []\n",
        '[[clean]]\nrule = "replace"\n[clean.tags]\n"grin" = "smile"\n\n[train]\nseed = 7\n',
        '[[clean]]\nrule = "remove"\ntags = [\n  "a",  # one\n  "[[clean]]",\n]\n# of train\n[train]\n',
        '[[clean]]\nrule = "regex"\npattern = """\n# no comment"""\n\n# end',
        "[[clean]]\r\nrule = 'dedupe'\r\n\r\n[train]\r\nseed = 7\r\n",
    ],
)
def test_every_way_to_write_rules_can_be_edited(text: str) -> None:
    before = tomllib.loads(text)
    edited = append(text, REMOVE)
    assert tomllib.loads(edited) == before | {"clean": [*before["clean"], REMOVE]}
    assert ("\r\n" in text) == ("\r\n" in edited)
    assert "\n" not in edited.replace("\r\n", "") or "\r\n" not in text
    for comment in [line for line in text.splitlines() if line.startswith("#")]:
        assert comment in edited
    number = len(before["clean"]) + 1
    back = edit_rules(edited, RuleEdit(number, REMOVE, None))
    assert tomllib.loads(back) == before


def test_a_comment_over_the_next_table_stays_over_it() -> None:
    taken_out = edit_rules(TEXT, RuleEdit(2, list_rules(TEXT)[1], None))
    assert taken_out.endswith("# how long\n[train]\nseed = 7\n")
    assert append(taken_out, REMOVE).endswith('["1girl"]\n\n# how long\n[train]\nseed = 7\n')


def test_the_first_rule_can_be_taken_out_and_put_back() -> None:
    edit = RuleEdit(1, {"rule": "dedupe"}, None)
    taken_out = edit_rules(TEXT, edit)
    assert [rule["rule"] for rule in list_rules(taken_out)] == ["replace"]
    back = edit_rules(taken_out, edit.reversed())
    assert list_rules(back) == list_rules(TEXT)


def test_replacing_a_rule_touches_what_differs_alone() -> None:
    longer = {"rule": "replace", "tags": {"grin": "smile", 'a "b"\\ ]': "c"}}
    edited = edit_rules(TEXT, RuleEdit(2, list_rules(TEXT)[1], longer))
    assert list_rules(edited)[1] == longer
    lines, new_lines = TEXT.splitlines(), edited.splitlines()
    assert [n for n, line in enumerate(lines) if line != new_lines[n]] == [9 + 1]


def test_a_list_grows_where_it_stands() -> None:
    text = '[[clean]]\nrule = "remove"\ntags = [\n  "a",  # one\n]\n\n[train]\nseed = 7\n'
    longer = {"rule": "remove", "tags": ["a", "b"]}
    edited = edit_rules(text, RuleEdit(1, {"rule": "remove", "tags": ["a"]}, longer))
    assert "# one" in edited
    assert list_rules(edited) == [longer]
    shorter = edit_rules(edited, RuleEdit(1, longer, {"rule": "remove", "tags": ["a"]}))
    assert list_rules(shorter) == [{"rule": "remove", "tags": ["a"]}]


def test_a_long_list_is_broken_into_lines() -> None:
    rule = {"rule": "remove", "tags": [f"a rather long tag, {n}" for n in range(20)]}
    edited = append(TEXT, rule)
    assert max(map(len, edited.splitlines())) < 100
    assert list_rules(edited)[-1] == rule


def test_an_edit_that_is_made_already_changes_nothing() -> None:
    edit = append_rule(TEXT, REMOVE)
    edited = edit_rules(TEXT, edit)
    assert edit_rules(edited, edit) == edited
    assert edit_rules(TEXT, edit.reversed()) == TEXT


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TEXT.replace("dedupe", "sort"), 5),
        (TEXT.replace('[[clean]]\nrule = "dedupe"', '[[clean]]\nrule="sort"\n[[clean]]\nrule = "dedupe"'), 5),
    ],
)  # fmt: skip
def test_a_rule_that_was_changed_since_is_left_alone(text: str, line: int) -> None:
    with pytest.raises(SpecError, match=f"lorawiz.toml:{line}: rule 1 was changed since"):
        edit_rules(text, RuleEdit(1, {"rule": "dedupe"}, None))


def test_a_rule_that_moved_up_is_not_taken_for_gone() -> None:
    text = edit_rules(append(TEXT, REMOVE), RuleEdit(1, {"rule": "dedupe"}, None))
    with pytest.raises(SpecError, match="rule 3 was changed since"):
        edit_rules(text, RuleEdit(3, REMOVE, None))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train\n", "lorawiz.toml:1: not valid TOML"),
        ('\n[[clean]]\nrule = "remov"\n', "lorawiz.toml:2: "),
        ("[train]\nseed = 'x'\n", "lorawiz.toml:2: train.seed"),
        ("\nclean = 3\n", "lorawiz.toml:2: clean is no list of tables"),
    ],
)
def test_an_invalid_file_is_not_edited(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "lorawiz.toml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        write_rule_edit(path, RuleEdit(1, None, REMOVE))
    assert said in str(caught.value)
    assert path.read_text() == text


@pytest.mark.parametrize(
    "rule",
    [{"rule": "remove", "tags": []}, {"rule": "none"}, {"rule": "remove", "tags": ["\ud800"]}],
)
def test_a_rule_that_cannot_be_is_not_written(tmp_path: Path, rule: dict[str, Any]) -> None:
    path = tmp_path / "lorawiz.toml"
    path.write_text(TEXT)
    with pytest.raises(SpecError):
        write_rule_edit(path, append_rule(TEXT, rule))
    assert path.read_text() == TEXT


def test_a_file_that_another_program_saved_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "lorawiz.toml"
    path.write_text(TEXT.replace("seed = 7", "seed = 8"))
    with pytest.raises(SpecError, match=r"lorawiz\.toml:15: changed in the meantime"):
        write_rule_edit(path, append_rule(TEXT, REMOVE), seen_text=TEXT)
    assert "seed = 8" in path.read_text()
    assert "1girl" not in path.read_text()
    before, after = write_rule_edit(path, append_rule(TEXT, REMOVE))
    assert path.read_text() == after != before


letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(st.lists(words, min_size=1, max_size=3), st.dictionaries(words, letters, min_size=1))
def test_any_word_comes_back_as_it_was(tags: list[str], news: dict[str, str]) -> None:
    first, second = {"rule": "remove", "tags": tags}, {"rule": "replace", "tags": news}
    edited = append(append(TEXT, first), second)
    assert list_rules(edited)[2:] == [first, second]
    taken_out = edit_rules(edited, RuleEdit(3, first, None))
    assert list_rules(taken_out)[2:] == [second]
    assert edit_rules(taken_out, RuleEdit(3, second, None)) == TEXT
    longer = {**second, "tags": {**news, "a new word": "\u2028"}}
    assert list_rules(edit_rules(edited, RuleEdit(4, second, longer)))[3] == longer
