"""The tag report counts what is there, and says where captions and tags exclude each other."""

import json
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorawiz.dataset.opposites import find_contradictions
from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.tag_report import TagCount, TagPair, TagReport


def record_of(name: str, caption: str, tags: str) -> ImageRecord:
    return ImageRecord(
        f"images/{name}.jpg", "0" * 64, 9, 9, caption, tuple(tags.split(", ")) if tags else ()
    )


RECORDS = [
    record_of("a", "a woman with black hair, smiling", "lyq, brown hair, smile, red coat, gloves"),
    record_of("b", "a smile and a RED COAT", "lyq, brown hair, smile, red_coat"),
    record_of("c", "", "lyq, brown hair, red coat, gloves"),
    record_of("d", "no tags here", ""),
    record_of("e", "a friend", "blonde hair"),
]


def test_tags_are_counted_most_frequent_first() -> None:
    report = TagReport(RECORDS, "lyq")
    assert (report.num_images, report.num_tagged) == (5, 4)
    assert report.counts[:3] == (
        TagCount("brown hair", 3, 0.75), TagCount("lyq", 3, 0.75), TagCount("gloves", 2, 0.5),
    )  # fmt: skip
    assert report.rare == ("blonde hair", "red_coat")


def test_looks_are_constant_among_images_with_the_trigger() -> None:
    assert TagReport(RECORDS, "lyq").constant_looks == ("brown hair",)
    assert TagReport(RECORDS).constant_looks == ()
    assert TagReport(RECORDS[:3], "other").constant_looks == ("brown hair",)


def test_images_and_neighbours_of_a_tag_are_found() -> None:
    report = TagReport(RECORDS)
    assert report.images_with("smile") == ["images/a.jpg", "images/b.jpg"]
    assert report.images_with("moon") == []
    assert report.often_with("smile", most=2) == (
        TagCount("brown hair", 2, 1.0), TagCount("lyq", 2, 1.0),
    )  # fmt: skip
    assert report.often_with("moon") == ()


def test_pairs_that_are_never_apart_come_first() -> None:
    records = [
        record_of(str(i), "", f"lyq, all, {'hat, coat' if i < 5 else 'sun'}") for i in range(10)
    ]
    assert TagReport(records).pairs[0] == TagPair("coat", "hat", 5, 1.0)
    names = {(pair.one, pair.other) for pair in TagReport(records).pairs}
    assert ("all", "lyq") not in names
    assert ("all", "coat") in names


def test_captions_that_say_a_tag_too_are_counted() -> None:
    assert TagReport(RECORDS).captions_that_say == {"smile": 1, "red_coat": 1}


def test_a_report_is_json() -> None:
    shown = TagReport(RECORDS, "lyq").as_json()
    assert json.loads(json.dumps(shown)) == shown
    assert shown["contradictions"] == [
        {"image_path": "images/a.jpg", "kind": "hair colour", "caption": "black hair", "tags": ["brown hair"]}
    ]  # fmt: skip


def test_a_report_of_nothing_is_empty() -> None:
    report = TagReport([])
    assert (report.counts, report.pairs, report.constant_looks) == ((), (), ())
    assert report.as_json()["num_images"] == 0


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=20))
def test_counts_and_pairs_are_those_of_counting_by_hand(tag_lists: list[list[str]]) -> None:
    report = TagReport([record_of(str(i), "", ", ".join(t)) for i, t in enumerate(tag_lists)])
    sets = [set(tags) for tags in tag_lists]
    num_tagged = sum(map(bool, sets))
    for count in report.counts:
        assert count.num_images == sum(count.tag in tags for tags in sets)
        assert count.share == count.num_images / num_tagged
    assert {count.tag for count in report.counts} == set().union(*sets)
    expected = {}
    for one, other in combinations("abcdef", 2):
        with_one, with_other = (sum(t in tags for tags in sets) for t in (one, other))
        both = sum({one, other} <= tags for tags in sets)
        if both > 1 and min(with_one, with_other) / num_tagged < 0.9:
            expected[frozenset((one, other))] = (both, both / (with_one + with_other - both))
    found = {frozenset((p.one, p.other)): (p.num_images, p.share) for p in report.pairs}
    assert found == expected


@pytest.mark.parametrize(
    ("caption", "tags", "kind", "said"),
    [
        ("a woman with black hair", "blonde hair", "hair colour", "black hair"),
        ("a man with long, black curly hair", "red_hair", "hair colour", "black curly hair"),
        ("a woman with brown hair", "very long black hair", "hair colour", "brown hair"),
        ("Short hair and a hat", "very long hair, long hair", "hair length", "short hair"),
        ("she has green eyes", "Blue eyes", "eye colour", "green eyes"),
        ("a man in a suit", "1girl", "sex", "man"),
        ("two women talking", "solo", "number of people", "two women"),
        ("a woman outdoors", "indoors", "place", "outdoors"),
        ("a city at night", "day", "time of day", "at night"),
        ("a woman sitting", "standing", "posture", "sitting"),
        ("with her mouth open", "closed mouth", "mouth", "mouth open"),
        ("a man with glasses", "no glasses", "glasses", "with glasses"),
    ],
)
def test_words_that_exclude_each_other_are_found(
    caption: str, tags: str, kind: str, said: str
) -> None:
    (found,) = [c for c in find_contradictions("a", caption, tags.split(", ")) if c.kind == kind]
    assert found.caption == said
    assert found.tags
    assert set(found.tags) <= set(tags.split(", "))


@pytest.mark.parametrize(
    ("caption", "tags"),
    [
        ("a woman with brown hair", "brown hair, 1girl"),
        ("a brunette woman", "brown hair"),
        ("a woman with gray hair", "silver hair"),
        ("a man and a woman", "1girl, 1boy"),
        ("a woman and a man", "1girl"),
        ("black hair and blonde hair", "blonde hair"),
        ("black and blonde hair", "blonde hair"),
        ("a woman indoors", "beach umbrella"),
        ("a woman with brown hair", "black hair ornament"),
        ("a black coat, brown hair", "brown hair"),
        ("a salesman's daughter", "1girl"),
        ("a woman with hair", "brown hair"),
        ("a short man with long hair", "long hair, 1boy"),
        ("a black dress and her long blonde hair", "blonde hair"),
        ("", "brown hair"),
        ("a manly beard", "1girl"),
    ],
)
def test_words_that_agree_or_speak_of_other_things_are_left_alone(caption: str, tags: str) -> None:
    assert find_contradictions("a", caption, tags.split(", ")) == []
