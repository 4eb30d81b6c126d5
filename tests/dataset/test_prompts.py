"""The effective prompt follows sd-scripts' process_caption, and is a pure function."""

from dataclasses import replace
from typing import Any

import pytest

from lorawiz.dataset.prompts import effective_prompt, prompt_text, split_prompt, varies
from lorawiz.dataset.records import ImageRecord
from lorawiz.spec.document import build_spec
from lorawiz.spec.tables import PromptTable, Spec

RECORD = ImageRecord(
    "images/a.jpg", "0" * 64, 9, 9, "a woman", ("lyq", "smile", "red coat", "hat", "sun", "tree")
)


def spec_of(**prompt: Any) -> Spec:
    project = {"trigger": "lyq", "class_word": "woman"}
    return build_spec({"schema": 1, "project": project, "prompt": prompt})


def test_caption_and_tags_are_joined_without_a_space_as_sd_scripts_does() -> None:
    assert effective_prompt(RECORD, spec_of(), 1) == "a woman,lyq, smile, red coat, hat, sun, tree"


@pytest.mark.parametrize(
    ("caption", "tags", "text"),
    [("a", (), "a"), ("", ("b", "c"), "b, c"), ("", (), "lyq woman")],
)
def test_what_is_missing_leaves_no_separator(
    caption: str, tags: tuple[str, ...], text: str
) -> None:
    assert prompt_text(replace(RECORD, caption=caption, tags=tags), spec_of()) == text


def test_prefix_and_suffix_are_joined_with_one_space() -> None:
    spec = spec_of(caption_prefix="lyq,", caption_suffix="photo")
    assert prompt_text(replace(RECORD, caption="a", tags=()), spec) == "lyq, a photo"


def test_only_the_first_line_of_a_caption_counts() -> None:
    assert effective_prompt(replace(RECORD, caption="a\nb", tags=()), spec_of(), 1) == "a"


def test_kept_parts_stay_and_the_rest_is_shuffled() -> None:
    spec = spec_of(shuffle_caption=True, keep_tokens=2)
    seen = {effective_prompt(RECORD, spec, epoch) for epoch in range(1, 30)}
    assert len(seen) > 15
    for prompt in seen:
        parts = prompt.split(", ")
        assert parts[:2] == ["a woman", "lyq"]
        assert sorted(parts[2:]) == ["hat", "red coat", "smile", "sun", "tree"]


def test_the_same_epoch_and_image_give_the_same_prompt() -> None:
    spec = spec_of(shuffle_caption=True, caption_tag_dropout_rate=0.5)
    one = effective_prompt(RECORD, spec, 3)
    assert one == effective_prompt(RECORD, spec, 3)
    others = [
        effective_prompt(RECORD, spec, 4),
        effective_prompt(RECORD, spec, 3, repeat=1),
        effective_prompt(replace(RECORD, image_path="images/b.jpg"), spec, 3),
    ]
    assert any(other != one for other in others)


def test_a_known_shuffle_stays_what_it_is() -> None:
    # stored: a change here changes every repeated run
    spec = spec_of(shuffle_caption=True, keep_tokens=2)
    assert effective_prompt(RECORD, spec, 1) == "a woman, lyq, smile, sun, red coat, hat, tree"


def test_a_separator_mark_takes_the_place_of_keep_tokens() -> None:
    table = PromptTable(keep_tokens=1, keep_tokens_separator="|||")
    parts = split_prompt("a, b ||| c, d ||| e", table)
    assert (parts.kept, parts.shuffled, parts.kept_end) == (("a", "b"), ("c", "d"), ("e",))
    assert split_prompt("a, b, c", table).kept == ("a",)


def test_dropped_tags_are_about_the_share_that_is_set() -> None:
    spec = spec_of(caption_tag_dropout_rate=0.3, keep_tokens=2)
    counts = [len(effective_prompt(RECORD, spec, epoch).split(", ")) - 2 for epoch in range(1, 801)]
    assert 0.65 < sum(counts) / (5 * 800) < 0.75
    assert all("lyq" in effective_prompt(RECORD, spec, epoch) for epoch in range(1, 50))


def test_dropped_captions_are_about_the_share_that_is_set() -> None:
    spec = spec_of(caption_dropout_rate=0.2)
    empty = sum(not effective_prompt(RECORD, spec, epoch) for epoch in range(1, 1001))
    assert 150 < empty < 250


def test_every_nth_epoch_is_trained_without_words() -> None:
    spec = spec_of(caption_dropout_every_n_epochs=3)
    empty = [epoch for epoch in range(1, 10) if not effective_prompt(RECORD, spec, epoch)]
    assert empty == [3, 6, 9]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ({}, False),
        ({"keep_tokens": 2, "caption_prefix": "x"}, False),
        ({"shuffle_caption": True}, True),
        ({"caption_dropout_rate": 0.1}, True),
        ({"caption_tag_dropout_rate": 0.1}, True),
        ({"caption_dropout_every_n_epochs": 2}, True),
    ],
)
def test_whether_prompts_vary_decides_what_can_be_cached(
    prompt: dict[str, Any], expected: bool
) -> None:
    assert varies(PromptTable(**prompt)) == expected
    prompts = {effective_prompt(RECORD, spec_of(**prompt), epoch) for epoch in range(1, 40)}
    assert (len(prompts) > 1) == expected
