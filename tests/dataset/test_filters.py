"""The filter language: what each word means, how they join, and what is said of mistakes."""

import time
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorawiz.dataset.filters import FilterError, FilterFacts, parse_filter
from lorawiz.dataset.records import Hand, ImageRecord

RECORD = ImageRecord(
    "images/IMG_0012.jpg",
    "0" * 64,
    640,
    480,
    caption="A woman in a Red coat?",
    tags=("lyq", "smile", "red coat", "saber_(fate)", ":d"),
)


def facts_of(record: ImageRecord = RECORD, num_faces: int | None = 1) -> FilterFacts:
    return FilterFacts(record, ("blurred", "small"), num_faces, lambda each: 76)


def matches(text: str, facts: FilterFacts | None = None) -> bool:
    return parse_filter(text).matches(facts or facts_of())


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "tag:smile", "TAG:Smile", "tag:smi*", "tag:?mile", 'tag:"red coat"', "tag::d",
        "tag:saber_(fate)", "(tag:saber_(fate))", ":d", "caption:red", 'caption:"red coat?"',
        "caption:w*coat", "name:IMG_1* or name:IMG_00*", "name:img_0012", "name:IMG_0012.jpg",
        "woman", "0012", "smil", "sm*e", "tokens:>75", "tokens:76", "tokens:>=76", "tokens:=76",
        "tags:5", "tags:<6", "tags:<=5", "face:1", "face:>0", "keep:yes", "keep:YES", "status:ok",
        "crop:no", "mask:no", "by:machine", "finding:blurred", "finding:*", "finding:s*",
        "-tag:solo", "not tag:solo", "--tag:smile", "not not tag:smile", "-(tag:solo or tag:hat)",
        "tag:solo or tag:smile", "tag:smile and tag:lyq", "tag:solo or tag:lyq tag:smile",
        "not tag:solo tag:lyq", "(tag:solo or tag:lyq) -tag:hat", '-"or"', "-tag:-",
    ],
)  # fmt: skip
def test_what_matches(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "tag:smil", "tag:red", 'tag:"smi*"', "tag:coat", "caption:green", 'caption:"red*"',
        "name:IMG_001", "hat", "tokens:<76", "tags:>5", "face:0", "face:>1", "keep:no",
        "status:broken", "crop:yes", "mask:yes", "by:hand", "finding:dark", "-finding:*",
        "tag:smile tag:solo", "tag:lyq tag:solo or tag:hat", "-(tag:solo or tag:lyq)",
        "not tag:smile or tag:solo", "-woman",
    ],
)  # fmt: skip
def test_what_does_not_match(text: str) -> None:
    assert not matches(text)


def test_decisions_are_seen() -> None:
    decided = replace(
        RECORD,
        keep=False,
        crop=(0, 0, 10, 10),
        mask="ab",
        status="broken",
        hand=Hand(add=("hat",)),
    )
    for text in ("keep:no", "crop:yes", "mask:yes", "status:broken", "by:hand"):
        assert matches(text, facts_of(decided)), text


def test_faces_nobody_looked_for_match_no_number() -> None:
    for text in ("face:0", "face:>=0", "face:<5"):
        assert not matches(text, facts_of(num_faces=None))


def test_tokens_are_counted_only_when_asked_for() -> None:
    def refuse(record: ImageRecord) -> int:
        raise AssertionError(record.image_path)

    assert matches("tag:smile -face:0", FilterFacts(RECORD, (), 1, refuse))


@pytest.mark.parametrize(
    ("text", "column", "said", "hint"),
    [
        ("tag:smile colour:red", 11, "no field colour", "tag, caption, name"),
        ("tag:smile tokens:many", 18, "many is no number", "tokens:>3"),
        ("tags:>", 6, "> is no number", "tags:>3"),
        ("keep:maybe", 6, "keep: is never maybe", "yes, no"),
        ("status:fine", 8, "status: is never fine", "ok, broken"),
        ("by:chance", 4, "by: is never chance", "hand, machine"),
        ("finding:ugly", 9, "finding: is never ugly", "blurred"),
        ('caption:"red', 9, "a quote that is never closed", '"'),
        ("tag:", 5, "nothing stands behind tag:", ""),
        ("(tag:a or", 10, "the end where a word should be", "fields:"),
        ("(tag:a", 1, "( that is never closed", ")"),
        ("tag:a)", 6, ") without a ( before it", ""),
        ("or tag:a", 1, "or where a word should be", "fields:"),
        ("tag:a not", 10, "the end where a word should be", "fields:"),
        ("()", 2, ") where a word should be", "fields:"),
    ],
)
def test_mistakes_are_told_with_their_column(text: str, column: int, said: str, hint: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert caught.value.column == column
    assert caught.value.message == f"column {column}: {said}"
    assert hint in caught.value.hint


def test_what_was_typed_is_made_visible() -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter("keep:\x1b[31m")
    assert "\x1b" not in caught.value.message


def test_depth_and_wildcards_have_no_price() -> None:
    with pytest.raises(FilterError, match="inside each other"):
        parse_filter("(" * 10_000 + "a" + ")" * 10_000)
    assert not matches("not " * 10_001 + "tag:smile")
    begin = time.perf_counter()
    long = replace(RECORD, caption="a" * 5000)
    assert not matches("caption:" + "*a" * 30 + "*b", facts_of(long))
    assert time.perf_counter() - begin < 1


words = st.sampled_from(["tag:smile", "tag:solo", "keep:yes", "face:0", "woman", "tags:>3"])
trees = st.recursive(
    words,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
    ),
    max_leaves=12,
)


def written(tree: object) -> str:
    match tree:
        case ("not", inner):
            return f"-({written(inner)})"
        case ("and", left, right):
            return f"({written(left)}) ({written(right)})"
        case ("or", left, right):
            return f"({written(left)}) or ({written(right)})"
    return str(tree)


def truth(tree: object) -> bool:
    match tree:
        case ("not", inner):
            return not truth(inner)
        case ("and", left, right):
            return truth(left) and truth(right)
        case ("or", left, right):
            return truth(left) or truth(right)
    return matches(str(tree))


@given(trees)
def test_words_join_as_logic_has_it(tree: object) -> None:
    assert matches(written(tree)) == truth(tree)


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_a_mistake_within_it(text: str) -> None:
    try:
        matches(text)
    except FilterError as error:
        assert 1 <= error.column <= len(text) + 1


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", max_size=8))
def test_wildcards_are_those_of_file_names(pattern: str, tag: str) -> None:
    record = replace(RECORD, tags=(tag,))
    assert matches(f"tag:{pattern}", facts_of(record)) == fnmatchcase(tag, pattern)


@given(st.text(max_size=12).filter(lambda text: '"' not in text))
def test_quoted_text_is_taken_as_it_is(text: str) -> None:
    assert matches(f'tag:"{text}"', facts_of(replace(RECORD, tags=(text,))))
