"""Edits by hand: they win, they outlive models and rules, and they never contradict themselves."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lorawiz.dataset.records import Dataset, Hand, ImageRecord, Words, load_dataset, save_dataset
from lorawiz.dataset.words import (
    Conflict,
    PartWords,
    add_tags,
    adopt_outside_edits,
    find_conflicts,
    forget_hand,
    made_of,
    move_first,
    overlay,
    raw_words,
    remove_tags,
    rename_tag,
    set_caption,
    settle,
)

RECORD = ImageRecord("images/a.jpg", "0" * 64, 9, 9)
MACHINE = Words("a woman", ("lyq", "smile", "hat"))


def test_a_fingerprint_has_a_part_for_the_caption_and_one_for_the_tags() -> None:
    caption, _, tags = made_of("a", ("b", "c")).partition("-")
    assert (len(caption), len(tags)) == (6, 6)
    assert made_of("x", ("b", "c")).endswith(f"-{tags}")
    assert made_of("a", ("bc",)).startswith(f"{caption}-")
    assert (
        len({made_of("a", given) for given in ((), ("",), ("b", "c"), ("b, c",), ("c", "b"))}) == 5
    )


def test_settling_writes_what_the_machine_says() -> None:
    record = settle(RECORD, MACHINE)
    assert (record.caption, record.tags) == ("a woman", ("lyq", "smile", "hat"))
    assert record.made == made_of(record.caption, record.tags)
    assert record.source is None


def test_words_that_came_with_an_image_are_kept_once_others_are_in_use() -> None:
    came = replace(RECORD, caption="mine", tags=("a", "b"))
    assert raw_words(came) == Words("mine", ("a", "b"))
    assert settle(came, Words("mine", ("a", "b"))) == came
    cleaned = settle(came, Words("mine", ("b",)))
    assert cleaned.source == Words("mine", ("a", "b"))
    assert raw_words(cleaned) == Words("mine", ("a", "b"))
    assert settle(cleaned, Words("mine", ("a", "b"))) == came


def test_a_part_that_the_machine_does_not_know_stays() -> None:
    came = replace(RECORD, caption="mine", tags=("a",))
    record = settle(came, PartWords(tags=("b",)))
    assert (record.caption, record.tags, record.source) == ("mine", ("b",), Words("mine", ("a",)))
    assert settle(record, PartWords()) == record


def test_an_outside_edit_of_an_unknown_part_waits() -> None:
    edited = replace(settle(RECORD, MACHINE), caption="edited")
    waiting = settle(edited, PartWords(tags=("lyq",)))
    assert (waiting.caption, waiting.tags, waiting.hand) == ("edited", ("lyq",), Hand())
    assert settle(waiting, MACHINE).hand == Hand(caption=True)


def test_hand_edits_are_written_down_and_overlaid() -> None:
    record = add_tags(settle(RECORD, MACHINE), ["tree"])
    record = remove_tags(record, ["smile"])
    record = move_first(record, ["hat"])
    record = set_caption(record, "by hand")
    assert record.tags == ("hat", "lyq", "tree")
    assert record.hand == Hand(caption=True, add=("tree",), remove=("smile",), first=("hat",))
    assert overlay(MACHINE, record.hand, Words(record.caption, ())) == Words("by hand", record.tags)
    again = settle(record, Words("other", ("smile", "moon", "hat")))
    assert (again.caption, again.tags) == ("by hand", ("hat", "moon", "tree"))


def test_adding_at_the_front_moves_what_is_there() -> None:
    record = add_tags(settle(RECORD, MACHINE), ["hat", "new"], at_front=True)
    assert record.tags == ("hat", "new", "lyq", "smile")
    assert record.hand == Hand(add=("new",), first=("hat", "new"))


def test_adding_and_removing_undo_each_other() -> None:
    record = settle(RECORD, MACHINE)
    assert remove_tags(add_tags(record, ["tree"]), ["tree"]) == record
    back = add_tags(remove_tags(record, ["smile"]), ["smile"])
    assert back.hand == Hand()
    assert settle(back, MACHINE) == record


def test_an_undo_is_none_where_the_machine_has_changed_its_mind() -> None:
    with_tree = Words("a woman", ("lyq", "tree"))
    record = settle(add_tags(settle(RECORD, MACHINE), ["tree"]), with_tree)
    gone = remove_tags(record, ["tree"], with_tree)
    assert (gone.tags, gone.hand) == (("lyq",), Hand(remove=("tree",)))
    record = settle(remove_tags(settle(RECORD, MACHINE), ["smile"]), with_tree)
    back = add_tags(record, ["smile"], machine=with_tree)
    assert (back.tags, back.hand) == (("lyq", "tree", "smile"), Hand(add=("smile",)))


def test_a_renamed_tag_stays_in_front_and_else_goes_last() -> None:
    record = settle(RECORD, MACHINE)
    renamed = rename_tag(record, "smile", "grin")
    assert (renamed.tags, renamed.hand) == (
        ("lyq", "hat", "grin"), Hand(add=("grin",), remove=("smile",)),
    )  # fmt: skip
    first = rename_tag(move_first(record, ["hat", "smile"]), "hat", "cap")
    assert (first.tags, first.hand.first) == (("cap", "smile", "lyq"), ("cap", "smile"))
    assert rename_tag(record, "smile", "hat").tags == ("lyq", "hat")
    assert rename_tag(record, "moon", "sun") == record
    assert rename_tag(record, "hat", " ") == record


def test_edits_that_change_nothing_leave_no_trace() -> None:
    record = settle(RECORD, MACHINE)
    assert add_tags(record, ["smile", " ", "hat "]) == record
    assert remove_tags(record, ["moon"]) == record
    assert set_caption(record, "a woman") == record
    assert move_first(record, ["moon"]) == record


def test_an_edit_of_words_that_came_keeps_them() -> None:
    came = replace(RECORD, caption="mine", tags=("a", "b"))
    record = remove_tags(came, ["a"])
    assert (record.tags, record.source) == (("b",), Words("mine", ("a", "b")))
    assert settle(record, Words("mine", ("a", "b"))) == record


def test_forgetting_the_hand_leaves_the_machine_and_the_crop() -> None:
    record = replace(settle(RECORD, MACHINE), crop=(0, 0, 5, 5), hand=Hand(crop=True))
    edited = set_caption(remove_tags(add_tags(record, ["tree"]), ["smile"]), "by hand")
    assert forget_hand(edited, MACHINE) == record
    forgotten = forget_hand(edited)
    assert (forgotten.tags, forgotten.hand) == (("lyq", "hat", "smile"), Hand(crop=True))
    assert settle(forgotten, MACHINE) == record


def test_a_line_edited_outside_becomes_edits_by_hand() -> None:
    record = settle(RECORD, MACHINE)
    edited = replace(record, caption="typed", tags=("tree", "lyq", "hat"))
    adopted = adopt_outside_edits(edited, MACHINE)
    assert (adopted.caption, adopted.tags) == ("typed", ("tree", "lyq", "hat"))
    assert adopted.hand == Hand(caption=True, add=("tree",), remove=("smile",), first=("tree",))
    assert adopted.made == made_of("typed", ("tree", "lyq", "hat"))


def test_what_is_typed_where_nothing_stood_takes_nothing_from_the_machine() -> None:
    captioned = settle(RECORD, PartWords(caption="a woman"))
    typed = settle(replace(captioned, tags=("lyq", "tree")), PartWords(caption="a woman"))
    assert typed.hand == Hand(add=("lyq", "tree"))
    assert settle(typed, MACHINE).tags == ("lyq", "smile", "hat", "tree")
    assert settle(replace(captioned, tags=("lyq", "tree")), MACHINE) == settle(typed, MACHINE)
    tagged = settle(RECORD, PartWords(tags=("lyq",)))
    assert settle(replace(tagged, caption="typed"), PartWords()).hand == Hand(caption=True)


def test_taking_out_by_editor_what_was_added_by_hand_undoes_it() -> None:
    record = add_tags(settle(RECORD, MACHINE), ["tree"])
    assert settle(replace(record, tags=MACHINE.tags), MACHINE).hand == Hand()


def test_an_outside_edit_leaves_other_decisions_as_they_are() -> None:
    record = move_first(add_tags(settle(RECORD, MACHINE), ["tree"]), ["lyq", "hat"])
    later = Words("a woman", ("lyq", "smile", "tree"))  # it agrees by now, and has lost the hat
    edited = replace(settle(record, later), tags=("lyq", "tree"))
    hand = Hand(add=("tree",), remove=("smile",), first=("lyq", "hat"))
    assert settle(edited, later).hand == hand
    assert settle(settle(edited, later), MACHINE).tags == ("lyq", "hat", "tree")


def test_words_that_came_are_kept_though_a_hand_has_put_them_back() -> None:
    came = replace(RECORD, tags=("b", "a"))
    cleaned = settle(came, Words("", ("b",)))
    record = add_tags(cleaned, ["a"], machine=Words("", ("b",)))
    assert (record.tags, record.hand) == (("b", "a"), Hand(add=("a",)))
    assert raw_words(record) == Words("", ("b", "a"))


def test_a_line_that_nobody_touched_is_no_edit_by_hand() -> None:
    record = settle(RECORD, MACHINE)
    assert adopt_outside_edits(record, Words("other", ("x",))) == record


def test_an_edit_keeps_an_outside_edit_that_is_not_adopted_yet() -> None:
    edited = replace(settle(RECORD, MACHINE), tags=("lyq", "typed"))
    record = settle(add_tags(edited, ["tree"]), MACHINE)
    assert record.tags == ("lyq", "typed", "tree")
    assert record.hand == Hand(add=("typed", "tree"), remove=("smile", "hat"))


def test_a_spoilt_fingerprint_costs_nothing() -> None:
    record = replace(settle(RECORD, MACHINE), made="<<<<<<< HEAD")
    assert settle(record, MACHINE) == settle(RECORD, MACHINE)


def test_conflicts_are_where_hand_and_machine_differ() -> None:
    raw = Words("a man", ("brown hair", "smile"))
    machine = Words("a man", ("lyq", "smile"))
    hand = Hand(caption=True, add=("brown hair", "tree"), remove=("lyq", "smile"))
    record = replace(RECORD, caption="a woman", hand=hand)
    assert find_conflicts(record, raw, machine) == [
        Conflict("images/a.jpg", "brown hair", "added"),
        Conflict("images/a.jpg", "lyq", "removed"),
        Conflict("images/a.jpg", "", "caption"),
    ]
    assert find_conflicts(replace(RECORD, caption="a woman"), raw, machine) == []


# What holds for any words and edits

TAG = st.sampled_from("abcdefg")
TAGS = st.lists(TAG, max_size=6, unique=True).map(tuple)
WORDS = st.builds(Words, st.sampled_from(["", "one", "two"]), TAGS)
CAME = st.one_of(
    st.just(RECORD),
    WORDS.map(lambda words: replace(RECORD, caption=words.caption, tags=words.tags)),
)
Edit = Callable[[ImageRecord, Words | None], ImageRecord]
EDITS = st.one_of(
    st.builds(lambda tags, front: lambda r, m: add_tags(r, tags, front, m), TAGS, st.booleans()),
    st.builds(lambda tags: lambda r, m: remove_tags(r, tags, m), TAGS),
    st.builds(lambda old, new: lambda r, m: rename_tag(r, old, new, m), TAG, TAG),
    st.builds(lambda tags: lambda r, m: move_first(r, tags), TAGS),
    st.builds(lambda text: lambda r, m: set_caption(r, text), st.sampled_from(["x", "one"])),
)
many = settings(max_examples=300, deadline=None, database=None)


def apply_edits(record: ImageRecord, edits: list[Edit], machine: Words | None) -> ImageRecord:
    for edit in edits:
        record = edit(record, machine)
    return record


@st.composite
def edited_records(draw: st.DrawFn) -> ImageRecord:
    """Records that have seen machines, edits with and without them, and an editor."""
    record = draw(CAME)
    for _ in range(draw(st.integers(0, 2))):
        machine = draw(WORDS)
        record = settle(record, machine)
        told = draw(st.none() | st.just(machine))
        record = apply_edits(record, draw(st.lists(EDITS, max_size=3)), told)
        if draw(st.booleans()):
            words = draw(WORDS)
            record = replace(record, caption=words.caption, tags=words.tags)
    return record


def is_consistent(hand: Hand) -> bool:
    lists = (hand.add, hand.remove, hand.first)
    return all(len(set(tags)) == len(tags) for tags in lists) and not (
        set(hand.remove) & {*hand.add, *hand.first}
    )


@many
@given(edited_records(), WORDS)
def test_settling_twice_is_settling_once(record: ImageRecord, machine: Words) -> None:
    once = settle(record, machine)
    assert settle(once, machine) == once
    assert is_consistent(once.hand)
    assert Words(once.caption, once.tags) == overlay(machine, once.hand, Words(once.caption))


@many
@given(CAME, WORDS, st.lists(EDITS, max_size=4), WORDS)
def test_what_was_typed_outside_comes_out_again_word_for_word(
    record: ImageRecord, machine: Words, edits: list[Edit], typed: Words
) -> None:
    record = apply_edits(settle(record, machine), edits, machine)
    record = replace(record, caption=typed.caption, tags=typed.tags)
    adopted = adopt_outside_edits(record, machine)
    assert is_consistent(adopted.hand)
    if record.made:
        assert overlay(machine, adopted.hand, typed) == typed
    assert Words(adopted.caption, adopted.tags) == typed


@many
@given(CAME, WORDS, st.lists(EDITS, max_size=5), WORDS)
def test_edits_by_hand_survive_any_machine(
    record: ImageRecord, machine: Words, edits: list[Edit], other: Words
) -> None:
    record = apply_edits(settle(record, machine), edits, machine)
    assert settle(record, machine) == record
    later = settle(record, other)
    hand = record.hand
    assert later.hand == hand
    assert set(hand.add) <= set(later.tags)
    assert not set(hand.remove) & set(later.tags)
    assert later.tags[: len(hand.first)] == hand.first or set(hand.first) - set(later.tags)
    assert later.caption == (record.caption if hand.caption else other.caption)
    assert settle(later, machine) == record


@many
@given(CAME, WORDS, st.lists(EDITS, max_size=5))
def test_edits_without_the_machine_mean_the_same_tags(
    record: ImageRecord, machine: Words, edits: list[Edit]
) -> None:
    start = settle(record, machine)
    blind = apply_edits(start, edits, None)
    assert is_consistent(blind.hand)
    assert set(blind.hand.add) <= set(blind.tags)
    assert set(settle(blind, machine).tags) == set(blind.tags)
    assert settle(blind, machine).hand == blind.hand
    told = apply_edits(start, edits, machine)
    assert (set(told.tags), told.hand.caption) == (set(blind.tags), blind.hand.caption)


@many
@given(CAME, WORDS, WORDS)
def test_the_same_tagging_again_changes_nothing(
    record: ImageRecord, machine: Words, other: Words
) -> None:
    first = settle(record, machine)
    assert settle(settle(first, machine), machine) == first
    assert settle(settle(first, other), machine) == first


@many
@given(CAME, st.lists(st.tuples(WORDS, st.lists(EDITS, max_size=3)), max_size=3))
def test_words_that_came_with_an_image_are_never_lost(
    record: ImageRecord, history: list[tuple[Words, list[Edit]]]
) -> None:
    came = raw_words(record)
    for machine, edits in history:
        record = apply_edits(settle(record, machine), edits, None)
        assert raw_words(record) == came


@many
@given(edited_records())
def test_records_edited_by_hand_load_as_they_were_saved(record: ImageRecord) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dataset.jsonl"
        save_dataset(path, Dataset((record,)))
        assert load_dataset(path).records == (record,)
