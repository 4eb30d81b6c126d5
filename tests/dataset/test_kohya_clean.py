"""kohya-clean gives what sd-scripts' clean_captions_and_tags.py gave for the same words."""

import pytest

from lorawiz.dataset.cleaning import RawWords, apply_rules
from lorawiz.dataset.cleaning.kohya import clean_caption, clean_tags
from lorawiz.spec.cleaning import CleanRule, DropBelowRule, KohyaCleanRule
from lorawiz.spec.tables import ProjectTable

RULE = KohyaCleanRule(rule="kohya-clean")

# (what went into the script of v0.10.1, what came out)
TAGS = [
    ("1girl, solo, long_hair", "1girl, solo, long hair"),
    ("^_^, o_o, >_<, =_=", "^_^, o o, > <, = ="),
    ("^@@@^, smile", "^_^, smile"),
    ("smile, rating:safe, hat", "smile"),
    ("rating:safe, smile", "rating:safe, smile"),
    ("smile, ratings board, hat", "smile"),
    ("smile, rating:q, x, rating:s", "smile"),
    ("2girls, long hair, short hair, smile", "2girls, smile"),
    ("2girls, long hair, smile", "2girls, long hair, smile"),
    ("2girls, very long hair, long hair", "2girls, very long hair, long hair"),
    ("2girls, blonde hair, black hair, long hair", "2girls, long hair"),
    ("2girls, blonde hair, long hair", "2girls, blonde hair, long hair"),
    ("1girl, blonde hair, black hair", "1girl, blonde hair, black hair"),
    ("multiple boys, blue eyes, red eyes, hat", "multiple boys, hat"),
    ("2girls, half-closed eyes, blue eyes", "2girls"),
    ("2girls, light blue eyes, blue eyes", "2girls, light blue eyes, blue eyes"),
    ("2girls, sleeveless, long sleeves", "2girls"),
    ("2girls, ponytail, twin braids", "2girls, ponytail, twin braids"),
    ("2girls, ponytail, french braid", "2girls"),
    ("2girls, ahoge, hair bun, x", "2girls, x"),
    ("2girls, bob cut, hime cut", "2girls"),
    ("2girls, long hair, @@@", "2girls, long hair, long hair"),
    ("1girl, @@@", "1girl, @@@"),
    ("shirt, white shirt, skirt", "white shirt, skirt"),
    ("white_shirt, shirt", "white shirt"),
    ("shirt, short-sleeved shirt", "shirt, short-sleeved shirt"),
    ("shirt, shirt lift", "shirt, shirt lift"),
    ("t-shirt, white t-shirt", "white t-shirt"),
    ("hair ornament, red hair ornament, ornament", "red hair ornament"),
    ("eyes, closed eyes, big closed eyes", "closed eyes, big closed eyes"),
    ("white shirt, big white shirt", "white shirt, big white shirt"),
    ("hair, brown hair, girls' school", "brown hair, girls' school"),
    ("girls eyes, boys eyes, x", "x"),
    ("no shirt, shirt", "no shirt"),
    ("robe d'été, été, longue robe", "robe d'été, été, longue robe"),
    ("日本, 古い 日本", "古い 日本"),
    ("a,_b, c", "a, b, c"),
    ("solo,, hat", "solo,, hat"),
    ("1girl", "1girl"),
]
CAPTIONS = [
    ("a young woman in a red coat", "a girl in a red coat"),
    ("a salesperson talking to people", "a salesgirl talking to girls"),
    ("an anime woman with a female friend", "an girl with a girl friend"),
    ("anime anime girl girl", "girl"),
    ("a cartoon drawing of a lady", "a drawing of a girl"),
    ("a cartoon anime drawing of a person", "a drawing of a girl"),
    ("an anime cartoon image of two women", "an image of two girls"),
    ("a cartoon character with a cartoon cat", "a girl with a cartoon cat"),
    ("young young man", "man"),
    ("Woman and Young girl", "Woman and Young girl"),
    ("the ladybug is personal", "the girlbug is girlal"),
    ("a youngster", "a youngster"),
    ("cartoon women and anime women", "girls and girls"),
    ("an anime cartoon lady", "an anime girl"),
]


@pytest.mark.parametrize(("given", "cleaned"), TAGS)
def test_tags_come_out_as_the_script_gave_them(given: str, cleaned: str) -> None:
    assert ", ".join(clean_tags(given.split(", "))) == cleaned


@pytest.mark.parametrize(("given", "cleaned"), CAPTIONS)
def test_captions_come_out_as_the_script_gave_them(given: str, cleaned: str) -> None:
    assert clean_caption(given) == cleaned


def test_where_the_script_stops_for_lack_of_tags_there_are_none() -> None:
    assert clean_tags(["girls eyes", "boys eyes"]) == ()


def test_empty_tags_are_dropped() -> None:
    assert clean_tags(["", "a", "", "b"]) == ("a", "b")


def test_the_rule_cleans_both_parts_and_leaves_no_tag_twice() -> None:
    raw = {"a": RawWords("a young lady", ("2girls", "long hair", "@@@", "shirt", "red_shirt"))}
    words = apply_rules(raw, [RULE], ProjectTable())["a"]
    assert (words.caption, words.tags) == ("a girl", ("2girls", "long hair", "red shirt"))


def test_a_score_follows_a_tag_to_its_new_spelling() -> None:
    raw = {"a": RawWords("", ("red_coat", "long_hair"), {"red_coat": 0.9, "long_hair": 0.4})}
    rules: list[CleanRule] = [RULE, DropBelowRule(rule="drop_below", score=0.5)]
    assert apply_rules(raw, rules, ProjectTable())["a"].tags == ("red coat",)
