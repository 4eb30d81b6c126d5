"""The effective prompt follows sd-scripts' process_caption, and is a pure function."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lorawiz.dataset import prompts
from lorawiz.dataset.prompts import (
    RunStep,
    draw_prompt,
    effective_prompt,
    join_line,
    prompt_text,
    split_prompt,
    varies,
)
from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import SpecError
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


def test_what_the_secondary_separator_joins_is_one_part_and_stays_together() -> None:
    spec = spec_of(shuffle_caption=True, secondary_separator=";;;")
    record = replace(RECORD, caption="", tags=("coat;;;fur", "hat", "sun", "tree"))
    assert len(split_prompt(prompt_text(record, spec), spec.prompt).shuffled) == 4
    seen = {effective_prompt(record, spec, epoch) for epoch in range(1, 30)}
    assert len(seen) > 10
    assert all("coat,fur" in prompt for prompt in seen)


def test_tags_are_joined_with_the_separator_of_the_spec() -> None:
    record = replace(RECORD, tags=("red, long coat", "hat"))
    assert prompt_text(record, spec_of(caption_separator=";")) == "a woman;red, long coat; hat"
    assert prompt_text(record, spec_of(caption_separator="; ")) == "a woman; red, long coat; hat"


def test_a_separator_has_to_be_something() -> None:
    with pytest.raises(SpecError, match="text that is not empty"):
        spec_of(caption_separator="")


def test_the_warm_up_shows_one_more_tag_after_another() -> None:
    spec = spec_of(token_warmup_step=10, keep_tokens=2)
    counts = [
        len(effective_prompt(RECORD, spec, 1, at=RunStep(step, 40)).split(", ")) - 2
        for step in range(1, 13)
    ]
    assert counts == [1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5]


def test_a_share_of_all_steps_is_a_warm_up_of_that_many() -> None:
    share, whole = spec_of(token_warmup_step=0.25), spec_of(token_warmup_step=10)
    for step in range(1, 42):
        at = RunStep(step, 41)  # a quarter of 41 is rounded down
        assert effective_prompt(RECORD, share, 1, at=at) == effective_prompt(
            RECORD, whole, 1, at=at
        )


def test_without_a_step_the_prompt_is_the_one_behind_the_warm_up() -> None:
    spec = spec_of(token_warmup_step=10, shuffle_caption=True)
    assert effective_prompt(RECORD, spec, 2) == effective_prompt(
        RECORD, spec, 2, at=RunStep(11, 40)
    )


def test_brackets_show_what_stays_in_place() -> None:
    record = replace(RECORD, caption="a woman,lyq ||| hat, sun ||| photo", tags=())
    spec = spec_of(shuffle_caption=True, keep_tokens_separator="|||")
    drawn = draw_prompt(record, spec, 1)
    assert drawn.in_brackets() in (
        "[a woman, lyq] hat, sun [photo]",
        "[a woman, lyq] sun, hat [photo]",
    )
    assert draw_prompt(RECORD, spec_of(keep_tokens=2), 1).in_brackets() == prompt_text(
        RECORD, spec_of()
    )


def test_brackets_name_the_same_parts_as_the_prompt() -> None:
    spec = spec_of(shuffle_caption=True, keep_tokens=1, secondary_separator="+")
    record = replace(RECORD, tags=("coat+fur", "hat"))
    drawn = draw_prompt(record, spec, 1)
    assert drawn.parts is not None
    assert ", ".join([*drawn.parts.kept, *drawn.parts.shuffled]) == drawn.text
    assert "coat,fur" in drawn.parts.shuffled


def test_a_dropped_caption_is_told_from_one_whose_tags_all_fell() -> None:
    assert draw_prompt(RECORD, spec_of(caption_dropout_rate=1.0), 1).is_dropped
    fallen = draw_prompt(RECORD, spec_of(caption_tag_dropout_rate=1.0), 1)
    assert (fallen.text, fallen.is_dropped) == ("", False)


def test_a_line_is_joined_as_if_nothing_were_shuffled() -> None:
    assert join_line("a ,b", PromptTable(shuffle_caption=True)) == "a, b"
    assert join_line("a ,b", PromptTable()) == "a ,b"


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
        ({"enable_wildcard": True}, True),
        ({"token_warmup_step": 20}, True),
        ({"secondary_separator": ";;;", "keep_tokens_separator": "|||"}, False),
    ],
)
def test_whether_prompts_vary_decides_what_can_be_cached(
    prompt: dict[str, Any], expected: bool
) -> None:
    assert varies(PromptTable(**prompt)) == expected
    record = replace(RECORD, caption="a {tall|short} woman")
    seen = {
        effective_prompt(record, spec_of(**prompt), epoch, at=RunStep(epoch, 40))
        for epoch in range(1, 40)
    }
    assert (len(seen) > 1) == expected


TAGS = ("lyq", "smile", "red coat", "hat")


class FixedRandom:
    """Shuffling reverses, a choice is the last, a number is one half."""

    def __init__(self, seed: int) -> None:
        pass

    def random(self) -> float:
        return 0.5

    def choice(self, choices: list[str]) -> str:
        return choices[-1]

    def shuffle(self, tags: list[str]) -> None:
        tags.reverse()


@pytest.mark.parametrize(
    ("prompt", "caption", "tags", "step", "expected"),
    [
        ({}, "a woman", TAGS, 1, "a woman,lyq, smile, red coat, hat"),
        ({"shuffle_caption": True}, "a woman", TAGS, 1, "hat, red coat, smile, lyq, a woman"),
        ({"shuffle_caption": True, "keep_tokens": 2}, "a woman", TAGS, 1, "a woman, lyq, hat, red coat, smile"),
        ({"keep_tokens": 2}, "a woman", TAGS, 1, "a woman,lyq, smile, red coat, hat"),
        ({"shuffle_caption": True, "keep_tokens": 9}, "a woman", TAGS, 1, "a woman, lyq, smile, red coat, hat"),
        ({"shuffle_caption": True}, "a woman, ,  sitting ", TAGS, 1, "hat, red coat, smile, lyq, sitting, , a woman"),
        ({"shuffle_caption": True, "caption_prefix": "photo of", "caption_suffix": "outdoors"}, "a woman", TAGS, 1, "hat outdoors, red coat, smile, lyq, photo of a woman"),
        ({"shuffle_caption": True, "keep_tokens": 2, "keep_tokens_separator": "|||"}, "a woman ||| b, , c", TAGS, 1, "a woman, hat, red coat, smile, lyq, c, b"),
        ({"shuffle_caption": True, "keep_tokens": 2, "keep_tokens_separator": "|||"}, "a, b ||| c, d ||| e, f ||| g", (), 1, "a, b, d, c, e, f ||| g"),
        ({"keep_tokens_separator": "|||"}, "a ||| b", (), 1, "a ||| b"),
        ({"caption_tag_dropout_rate": 0.4, "keep_tokens": 1}, "a woman", TAGS, 1, "a woman, lyq, smile, red coat, hat"),
        ({"caption_tag_dropout_rate": 0.6, "keep_tokens": 1}, "a woman", TAGS, 1, "a woman"),
        ({"caption_dropout_rate": 0.6, "caption_prefix": "x"}, "a woman", TAGS, 1, ""),
        ({"caption_dropout_rate": 0.5}, "a woman", TAGS, 1, "a woman,lyq, smile, red coat, hat"),
        ({"caption_dropout_every_n_epochs": 3}, "a woman", TAGS, 1, ""),
        ({"shuffle_caption": True, "secondary_separator": ";;;"}, "a woman,red coat;;;fur collar,hat;;;glasses", (), 1, "hat,glasses, red coat,fur collar, a woman"),
        ({"secondary_separator": ";;;"}, "a;;;b ;;; c", (), 1, "a,b , c"),
        ({"shuffle_caption": True, "caption_separator": ";"}, "a, b; c; d", (), 1, "d, c, a, b"),
        ({"shuffle_caption": True, "caption_separator": ";", "secondary_separator": "+"}, "a+b; c", (), 1, "c, a;b"),
        ({}, "one\ntwo", (), 1, "one"),
        ({}, "one\ntwo", TAGS, 1, "one"),
        ({"enable_wildcard": True}, "one\ntwo", TAGS, 1, "two,lyq, smile, red coat, hat"),
        ({"enable_wildcard": True, "caption_prefix": "p", "caption_suffix": "s"}, "one\ntwo", TAGS, 1, "two,lyq, smile, red coat, hat s"),
        ({"enable_wildcard": True, "caption_prefix": "p,"}, "one", TAGS, 1, "p, one,lyq, smile, red coat, hat"),
        ({"enable_wildcard": True}, "a {red|blue|old green} coat", (), 1, "a old green coat"),
        ({"enable_wildcard": True}, "{{a|b}} and {{{c|d}}}", (), 1, "{a|b} and {d}"),
        ({"enable_wildcard": True}, "{a|{b|c}} d", (), 1, "{a|{b|c} d"),
        ({"enable_wildcard": True}, "{a {b|c} d", (), 1, "c d"),
        ({"enable_wildcard": True}, "{} {x} {a|} } {un", (), 1, "{} x  } {un"),
        ({"enable_wildcard": True, "shuffle_caption": True}, "{a|b, c}, d", (), 1, "d, c, b"),
        ({"enable_wildcard": False}, "{a|b} {{c}}", (), 1, "{a|b} {{c}}"),
        ({"token_warmup_step": 10}, "a woman", TAGS, 1, "a woman"),
        ({"token_warmup_step": 10}, "a woman", TAGS, 4, "a woman, lyq"),
        ({"token_warmup_step": 10, "keep_tokens": 1, "token_warmup_min": 2}, "a woman", TAGS, 6, "a woman, lyq, smile, red coat"),
        ({"token_warmup_step": 10}, "a woman", TAGS, 11, "a woman, lyq, smile, red coat, hat"),
        ({"token_warmup_step": 0.5}, "a woman", TAGS, 26, "a woman, lyq, smile"),
        ({"token_warmup_step": 0.5, "shuffle_caption": True}, "a woman", TAGS, 26, "smile, lyq, a woman"),
        ({"token_warmup_step": 0.001}, "a woman", TAGS, 1, "a woman, lyq, smile, red coat, hat"),
        ({"token_warmup_step": 7.5, "token_warmup_min": 9}, "a woman", TAGS, 1, "a woman, lyq, smile, red coat, hat"),
    ],
)  # fmt: skip
def test_the_prompt_is_the_one_that_sd_scripts_makes_of_the_same_draws(
    monkeypatch: pytest.MonkeyPatch,
    prompt: dict[str, Any], caption: str, tags: tuple[str, ...], step: int, expected: str,
) -> None:  # fmt: skip
    """What `process_caption` of sd-scripts gives in epoch 3 of a run of 100 steps."""
    monkeypatch.setattr(prompts, "random", SimpleNamespace(Random=FixedRandom))
    record = replace(RECORD, caption=caption, tags=tags)
    spec = build_spec({"schema": 1, "prompt": prompt})
    assert effective_prompt(record, spec, 3, at=RunStep(step, 100)) == expected
