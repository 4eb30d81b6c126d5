"""A new word in a prompt: found as a word, read as its vectors."""

import pytest

from lorawiz.families.clip import encode_prompt, frame_ids
from lorawiz.families.clip.new_token import FIRST_ID, NewToken, has_token
from lorawiz.families.clip.tokens import read_ids

NEW = [FIRST_ID, FIRST_ID + 1]


@pytest.mark.parametrize(
    ("prompt", "before", "behind"),
    [
        ("a photo of lyq, smile", "a photo of", ", smile"),
        ("LYQ woman", "", "woman"),
        ("a (lyq)", "a (", ")"),
        ("lyq", "", ""),
    ],
)
def test_it_stands_for_its_vectors(prompt: str, before: str, behind: str) -> None:
    wanted = [*read_ids(before), *NEW, *read_ids(behind)]
    assert read_ids(prompt, NewToken("lyq", 2)) == wanted


def test_signs_around_a_bracketed_word_do_not_hide_it() -> None:
    ids = read_ids("a <lyq>, b <lyq>", NewToken("<lyq>", 2))
    assert ids == [*read_ids("a"), *NEW, *read_ids(", b"), *NEW]


@pytest.mark.parametrize("prompt", ["lyqs", "xlyq", "lyq2", "ly q", ""])
def test_it_is_a_word_and_not_a_part_of_one(prompt: str) -> None:
    assert read_ids(prompt, NewToken("lyq", 2)) == read_ids(prompt)
    assert not has_token(prompt, "lyq")


def test_signs_of_patterns_mean_themselves() -> None:
    assert has_token("a l.q", "l.q")
    assert not has_token("a lyq", "l.q")


def test_without_a_new_word_prompts_are_read_as_ever() -> None:
    for prompt in ("a photo of lyq, smile", "", "word " * 90):
        assert frame_ids(read_ids(prompt)) == encode_prompt(prompt)


def test_many_vectors_are_cut_like_any_other_tokens() -> None:
    ids = frame_ids(read_ids("a lyq", NewToken("lyq", 75)))
    assert len(ids) == 77
    assert ids[2:76] == list(range(FIRST_ID, FIRST_ID + 74))
