"""The [[clean]] tables: what they take, and the sentence for what they do not."""

from typing import Any

import pytest

from lorawiz.errors import SpecError
from lorawiz.spec.cleaning import RULES, AbsorbRule, DropBelowRule, RegexRule
from lorawiz.spec.document import build_spec

EXAMPLES: dict[str, dict[str, Any]] = {
    "prepend": {"tags": ["{trigger}"], "on": "caption"},
    "append": {"tags": ["photo"]},
    "remove": {"tags": ["1girl", "* hair"]},
    "replace": {"tags": {"grin": "smile", "solo": ""}},
    "regex": {"pattern": r"^(\w+) hair$", "replacement": r"hair: \1", "on": "tags"},
    "keep_only": {"tags": ["* background"]},
    "drop_rare": {"min_count": 3},
    "drop_below": {"score": 0.5},
    "limit": {"max_tags": 20},
    "dedupe": {},
    "sort": {"by": "score"},
    "move_first": {"tags": ["{trigger}", "smile"]},
    "absorb": {"min_share": 0.8},
    "underscores": {},
    "case": {"to": "lower", "on": "caption"},
    "kohya-clean": {},
}


def rules_of(*tables: dict[str, Any]) -> tuple[Any, ...]:
    return build_spec({"schema": 1, "clean": list(tables)}, file_name="lorawiz.toml").clean


@pytest.mark.parametrize("name", RULES)
def test_every_rule_takes_its_example(name: str) -> None:
    (rule,) = rules_of({"rule": name, **EXAMPLES[name]})
    assert type(rule) is RULES[name]
    assert {key: getattr(rule, key) for key in EXAMPLES[name]} == EXAMPLES[name]


def test_every_field_of_every_rule_has_words_for_the_user() -> None:
    for kind in RULES.values():
        assert kind.__doc__, kind
        for key, info in kind.model_fields.items():
            assert key == "rule" or info.description, (kind, key)


def test_rules_keep_their_order() -> None:
    rules = rules_of({"rule": "dedupe"}, {"rule": "sort"}, {"rule": "dedupe"})
    assert [rule.rule for rule in rules] == ["dedupe", "sort", "dedupe"]


def test_whole_numbers_serve_as_shares() -> None:
    rules = rules_of({"rule": "absorb", "min_share": 1}, {"rule": "drop_below", "score": 0})
    assert rules == (AbsorbRule(rule="absorb", min_share=1.0), DropBelowRule(rule="drop_below", score=0.0))  # fmt: skip


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"rule": "remove", "tags": [" "]}, "an empty word"),
        ({"rule": "remove", "tags": []}, "tags"),
        ({"rule": "absorb", "tags": [""]}, "an empty word"),
        ({"rule": "replace", "tags": {"": "x"}}, "an empty word"),
        ({"rule": "replace", "tags": {}}, "tags"),
        ({"rule": "regex", "pattern": "("}, "no regular expression"),
        ({"rule": "regex", "pattern": "a", "replacement": r"\1"}, "no regular expression"),
        ({"rule": "regex", "pattern": "a", "replacement": r"\g<name>"}, "no regular expression"),
        ({"rule": "sort", "by": "size"}, "by"),
        ({"rule": "drop_below", "score": 1.5}, "1.0 or less"),
        ({"rule": "limit", "max_tags": 0}, "1 or more"),
        ({"rule": "remove", "tags": ["a"], "on": "caption"}, "unknown setting"),
        ({"rule": "abosrb"}, "absorb"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_reason(table: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        rules_of(table)
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_regular_expression_may_hold_quantifiers_and_placeholders() -> None:
    (rule,) = rules_of({"rule": "regex", "pattern": r"a{2,3} \{trigger} {class_word}"})
    assert isinstance(rule, RegexRule)


def test_a_wrong_colour_is_told_what_colours_are() -> None:
    with pytest.raises(SpecError, match="expected keep, blur, white, black or a colour such as #"):
        build_spec({"cutout": {"background": "pink"}})


def test_a_caption_cannot_be_shorter_than_its_shortest() -> None:
    with pytest.raises(SpecError, match="min_length is larger than max_length"):
        build_spec({"caption": {"min_length": 20, "max_length": 10}})
