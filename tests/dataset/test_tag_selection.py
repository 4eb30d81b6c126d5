"""From scores to tags: every option of the [tag] table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorawiz.dataset.tag_selection import KAOMOJI, clean_underscores, select_tags
from lorawiz.spec.annotating import TagTable

SCORES = {
    "general": 0.3, "sensitive": 0.6, "1girl": 0.99, "long_hair": 0.4, "^_^": 0.5, "hat": 0.36,
    "alice_(wonderland)": 0.8, "bob_(costume)_(series)": 0.7, "best_quality": 0.9,
}  # fmt: skip
CATEGORIES = {
    "general": "rating", "sensitive": "rating", "alice_(wonderland)": "character",
    "bob_(costume)_(series)": "character", "best_quality": "quality",
}  # fmt: skip


def tags(**options: Any) -> list[str]:
    return list(select_tags(SCORES, CATEGORIES, TagTable(**options), by_score=False))


PLAIN = ["1girl", "long hair", "^_^", "hat", "alice (wonderland)", "bob (costume) (series)"]


@pytest.mark.parametrize(("options", "expected"), [
    ({}, PLAIN),
    ({"remove_underscore": False}, ["1girl", "long_hair", "^_^", "hat", "alice_(wonderland)", "bob_(costume)_(series)"]),
    ({"thresh": 0.6}, ["1girl", "alice (wonderland)", "bob (costume) (series)"]),
    ({"thresh": 0.36}, PLAIN),
    ({"general_threshold": 0.5}, ["1girl", "^_^", "alice (wonderland)", "bob (costume) (series)"]),
    ({"character_threshold": 0.75}, ["1girl", "long hair", "^_^", "hat", "alice (wonderland)"]),
    ({"thresh": 0.9, "general_threshold": 0.36, "character_threshold": 1.0}, PLAIN[:4]),
    ({"use_rating_tags": True}, ["sensitive", *PLAIN]),
    ({"use_rating_tags_as_last_tag": True}, [*PLAIN, "sensitive"]),
    ({"use_quality_tags": True}, ["best quality", *PLAIN]),
    ({"use_quality_tags": True, "use_rating_tags": True}, ["sensitive", "best quality", *PLAIN]),
    ({"use_quality_tags_as_last_tag": True, "use_rating_tags_as_last_tag": True}, [*PLAIN, "best quality", "sensitive"]),
    ({"character_tag_expand": True}, [*PLAIN[:4], "alice", "wonderland", "bob (costume)", "series"]),
    ({"character_tags_first": True}, [*PLAIN[4:], *PLAIN[:4]]),
    ({"undesired_tags": ["long hair", "hat"]}, ["1girl", "^_^", *PLAIN[4:]]),
    ({"undesired_tags": ["long_hair"]}, ["1girl", "^_^", "hat", *PLAIN[4:]]),
    ({"undesired_tags": ["sensitive"], "use_rating_tags": True}, PLAIN),
    ({"tag_replacement": {"1girl": "woman"}}, ["woman", *PLAIN[1:]]),
    ({"tag_replacement": {"long_hair": "1girl"}}, ["1girl", "^_^", "hat", *PLAIN[4:]]),
    ({"tag_replacement": {"hat": "cap"}, "undesired_tags": ["cap"]}, ["1girl", "long hair", "^_^", *PLAIN[4:]]),
    ({"always_first_tags": ["hat", "absent", "long hair"]}, ["hat", "long hair", "1girl", "^_^", *PLAIN[4:]]),
    ({"always_first_tags": ["hat"], "use_rating_tags": True}, ["hat", "sensitive", "1girl", "long hair", "^_^", *PLAIN[4:]]),
])  # fmt: skip
def test_options(options: dict[str, Any], expected: list[str]) -> None:
    assert tags(**options) == expected


def test_a_rating_needs_a_score() -> None:
    table = TagTable(use_rating_tags=True)
    assert select_tags({"hat": 0.9}, CATEGORIES, table, by_score=False) == ("hat",)


def test_by_score_the_surest_comes_first() -> None:
    found = select_tags(SCORES, CATEGORIES, TagTable(), by_score=True)
    assert found[:3] == ("1girl", "alice (wonderland)", "bob (costume) (series)")


@pytest.mark.parametrize("face", sorted(KAOMOJI))
def test_faces_keep_their_mouths(face: str) -> None:
    assert clean_underscores(face) == face


def test_there_are_nineteen_faces() -> None:
    assert len(KAOMOJI) == 19
    assert clean_underscores("a_b_c") == "a b c"


@given(
    scores=st.dictionaries(st.sampled_from(sorted(SCORES)), st.floats(0.05, 1)),
    thresh=st.floats(0, 1),
    options=st.fixed_dictionaries(
        {
            name: st.booleans()
            for name in ("use_rating_tags", "character_tags_first", "character_tag_expand")
        }
    ),
)
def test_no_tag_comes_twice_and_a_higher_threshold_adds_none(
    scores: dict[str, float], thresh: float, options: dict[str, Any]
) -> None:
    def select(at: float) -> tuple[str, ...]:
        return select_tags(scores, CATEGORIES, TagTable(thresh=at, **options), by_score=False)

    found = select(thresh)
    assert len(set(found)) == len(found)
    assert set(select(min(thresh + 0.1, 1.0))) <= set(found)
