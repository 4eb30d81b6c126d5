"""The form: every setting of the spec is in it, and says how it is edited."""

import tomllib

import pytest
from pydantic import Field

from lorawiz.errors import SpecError, visible_text
from lorawiz.spec.cleaning import CleanRule
from lorawiz.spec.document import edit_text, find_value, known_keys, parse_value
from lorawiz.spec.form import (
    FILE_GROUP,
    Bounds,
    FormField,
    build_form,
    format_toml,
    iter_help_texts,
    list_fields,
)
from lorawiz.spec.table import Table
from lorawiz.spec.tables import Spec

FIELDS = {field.key: field for field in list_fields()}


def value_in(setting: FormField, typed: str) -> object:
    """What lorawiz.toml holds after `typed`."""
    return find_value(tomllib.loads(edit_text("", {setting.key: typed})), setting.key)


def test_the_form_has_every_key_of_the_spec_once() -> None:
    assert sorted(FIELDS) == sorted(known_keys())
    assert len(list_fields()) == len(known_keys())


def test_the_groups_are_the_tables_in_the_order_of_the_file() -> None:
    names = [group.name for group in build_form()]
    lists = [group.name for group in build_form() if group.is_list]
    assert lists == ["dataset.subsets", "clean"]
    names.remove("dataset.subsets")
    assert names == [*(n for n in Spec.model_fields if n != "schema_version"), FILE_GROUP]


@pytest.mark.parametrize("setting", FIELDS.values(), ids=FIELDS)
def test_every_setting_can_be_shown_and_its_default_typed(setting: FormField) -> None:
    assert setting.help
    assert setting.help == " ".join(setting.help.split())
    assert (setting.default is None) <= setting.is_optional
    assert bool(setting.choices) == (setting.kind == "choice")
    typed = setting.format(setting.default)
    assert typed == visible_text(typed)
    if setting.default is None:
        assert typed == ""
    else:
        assert parse_value(setting.key, typed) == setting.default
        assert value_in(setting, typed) == setting.default


@pytest.mark.parametrize("setting", [f for f in FIELDS.values() if f.choices], ids=lambda f: f.key)
def test_every_choice_is_one(setting: FormField) -> None:
    for choice in setting.choices:
        assert str(value_in(setting, choice)) == choice


@pytest.mark.parametrize("setting", FIELDS.values(), ids=FIELDS)
def test_every_bound_is_the_specs_own(setting: FormField) -> None:
    bounds = setting.bounds
    outside: list[float] = []
    if bounds.least is not None:
        outside.append(bounds.least - 1)
        assert parse_value(setting.key, str(bounds.least)) == bounds.least
    if bounds.most is not None:
        outside.append(bounds.most + 1)
        assert parse_value(setting.key, str(bounds.most)) == bounds.most
    outside += [bound for bound in (bounds.more_than, bounds.less_than) if bound is not None]
    if bounds.multiple_of is not None:
        outside.append(bounds.multiple_of * 20 + 1)
    for number in outside:
        with pytest.raises(SpecError):
            parse_value(setting.key, str(number))


@pytest.mark.parametrize(
    ("key", "kind", "is_optional"),
    [
        ("train.seed", "integer", False),
        ("train.unet_lr", "number", True),
        ("train.loss_type", "choice", False),
        ("train.lr_scheduler", "text", False),
        ("train.optimizer_args", "pairs", False),
        ("network.kind", "choice", False),
        ("dataset.flip_aug", "switch", False),
        ("dataset.resolution", "number or pair", False),
        ("tag.undesired_tags", "list", False),
        ("tag.tag_replacement", "pairs", False),
        ("project.trigger", "text", False),
    ],
)
def test_a_setting_knows_its_kind(key: str, kind: str, is_optional: bool) -> None:
    assert (FIELDS[key].kind, FIELDS[key].is_optional) == (kind, is_optional)


def test_a_text_with_usual_values_suggests_them() -> None:
    assert {"AdamW", "Prodigy"} <= set(FIELDS["train.optimizer_type"].suggestions)
    assert "cosine" in FIELDS["train.lr_scheduler"].suggestions
    assert FIELDS["train.loss_type"].suggestions == ()
    for setting in FIELDS.values():
        for text in setting.suggestions:
            assert parse_value(setting.key, text) == text


def test_bounds_and_patterns_are_told() -> None:
    assert FIELDS["train.unet_lr"].bounds == Bounds(more_than=0.0, less_than=10.0)
    assert FIELDS["dataset.bucket_reso_steps"].bounds == Bounds(least=8, most=512, multiple_of=8)
    assert FIELDS["dataset.resolution"].bounds == Bounds(least=64, most=8192)
    assert FIELDS["project.name"].pattern.startswith("^[A-Za-z0-9]")


@pytest.mark.parametrize(
    "text",
    [
        "lyq", "", "a picture of ", " x", '"quoted"', "'a'", "3", "true", "[1]", "# no comment",
        "two\nlines", "\x1b[31mred", "\u202edlrow", "\ue000𝒳\U000e0001", "日本語", 'back\\slash "q"',
        "\ud7ff", "1e-4", "{a}",
    ],
)  # fmt: skip
def test_a_text_is_typed_so_that_it_comes_back_and_can_be_seen(text: str) -> None:
    setting = FIELDS["project.trigger"]
    typed = setting.format(text)
    assert typed == visible_text(typed)
    assert value_in(setting, typed) == text


def test_words_are_typed_without_quotes_where_they_need_none() -> None:
    setting = FIELDS["project.trigger"]
    assert setting.format("lyq") == "lyq"
    assert setting.format("a b") == "a b"
    assert setting.format("a ") == '"a "'
    assert FIELDS["train.mixed_precision"].format("no") == "no"


@pytest.mark.parametrize(
    ("key", "value", "typed"),
    [
        ("tag.undesired_tags", ["a b", 'c"d', "\x1b"], '["a b", "c\\"d", "\\u001b"]'),
        ("tag.tag_replacement", {"tank top": "shirt"}, '{ "tank top" = "shirt" }'),
        ("tag.tag_replacement", {}, "{}"),
        ("dataset.resolution", [512, 768], "[512, 768]"),
        ("dataset.flip_aug", True, "true"),
    ],
)
def test_lists_and_pairs_are_typed_as_toml(key: str, value: object, typed: str) -> None:
    assert FIELDS[key].format(value) == typed
    assert value_in(FIELDS[key], typed) == value


def test_characters_beyond_16_bits_are_escaped_as_toml_wants() -> None:
    assert tomllib.loads(f"x = {format_toml(chr(0x2066))}") == {"x": "\u2066"}
    assert format_toml("\x7f") == '"\\u007f"'


def test_the_help_texts_hold_every_table_setting_and_rule() -> None:
    texts = list(iter_help_texts())
    assert all(texts)
    for wanted in (
        "How images become batches.",
        "The exponent of polynomial: 1 is a line, 2 falls faster at first.",
        "Version of this file's format.",
        "Cleaning rules, applied in order to what was tagged and brought: [[clean]] tables.",
        "Put tags first, in this order; those that are there already move.",
    ):
        assert wanted in texts


class Subset(Table):
    """A part of the images."""

    image_dir: str = ""
    """Where."""


class Images(Table):
    """Images."""

    size: int = 1
    """How large."""
    subsets: tuple[Subset, ...] = Field(default=(), description="Parts.")


class Whole(Table):
    """All."""

    images: Images = Images()
    clean: tuple[CleanRule, ...] = ()
    """Rules."""


def test_a_list_of_tables_inside_a_table_is_a_group_behind_it() -> None:
    groups = build_form(Whole)
    assert [(g.name, g.is_list, g.help) for g in groups] == [
        ("images", False, "Images."),
        ("images.subsets", True, "Parts."),
        ("clean", True, "Rules."),
    ]
    assert [field.key for group in groups for field in group.fields] == ["images.size"]
