"""lorawiz.toml: every mistake is a sentence with its line, every edit keeps the rest."""

from pathlib import Path

import pytest

from lorawiz.errors import SpecError
from lorawiz.spec.document import (
    dump_spec,
    flatten,
    known_keys,
    load_spec,
    set_value,
    unset_value,
)
from lorawiz.spec.tables import Spec


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lorawiz.toml"


def refuse(path: Path, text: str) -> SpecError:
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    return caught.value


def test_an_empty_file_is_all_defaults(path: Path) -> None:
    path.write_text("")
    assert load_spec(path) == Spec()


def test_a_misspelt_key_names_line_key_and_the_nearest(path: Path) -> None:
    error = refuse(path, "schema = 1\n\n[train]\nseed = 1\nlearning_rte = 1e-4\n")
    assert error.message == "lorawiz.toml:5: train.learning_rte: unknown setting"
    assert error.hint == "did you mean learning_rate?      lorawiz set train.learning_rate 0.0001"


def test_a_key_with_its_sd_scripts_prefix_is_led_to_its_table(path: Path) -> None:
    error = refuse(path, "[train]\nnetwork_dim = 4\n")
    assert "did you mean network.dim?" in error.hint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('seed = "x"', 'train.seed = "x": expected a whole number'),
        ("seed = true", "train.seed = true: expected a whole number"),
        ("seed = -1", "train.seed = -1: expected 0 or more"),
        ("learning_rate = 0", "train.learning_rate = 0.0: expected more than 0"),
        ("learning_rate = inf", "expected"),
        ('lr_scheduler = "cosin"', "no scheduler is called 'cosin'; did you mean cosine?"),
        ('gradient_checkpointing = "yes"', "expected true or false"),
    ],
)
def test_a_wrong_value_says_what_was_expected(path: Path, line: str, said: str) -> None:
    error = refuse(path, f"# comment\n[train]\n{line}\n")
    assert error.message.startswith("lorawiz.toml:3: ")
    assert said in error.message


def test_all_mistakes_are_told_at_once(path: Path) -> None:
    error = refuse(path, "[train]\nseed = 1.5\n[dataset]\nresolution = 7\n")
    assert "lorawiz.toml:2:" in str(error)
    assert "lorawiz.toml:4:" in str(error)
    assert str(error).count("dataset.resolution") == 2  # the message and its fix, once each


@pytest.mark.parametrize(
    "text", ["seed = ", "[train", "a = 1\na = 2", "x = \x01", "a = [" * 2000, "n = " + "9" * 5000]
)
def test_bad_toml_is_one_sentence_with_a_line(path: Path, text: str) -> None:
    error = refuse(path, text)
    assert error.message.startswith("lorawiz.toml:")


def test_a_file_that_is_not_utf8_names_the_line(path: Path) -> None:
    path.write_bytes(b"schema = 1\n# caf\xe9\n")
    with pytest.raises(SpecError, match=r"lorawiz.toml:2: not UTF-8"):
        load_spec(path)


def test_a_byte_order_mark_is_passed_over(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfschema = 1\n[train]\nseed = 3\n")
    assert load_spec(path).train.seed == 3


def test_set_keeps_comments_order_and_line_ends(path: Path) -> None:
    path.write_bytes(
        b"# mine\r\nschema = 1\r\n[train]\r\nseed = 3 # why\r\nlearning_rate = 1e-4\r\n"
    )
    assert set_value(path, "train.seed", "5") == (3, 5)
    assert path.read_bytes() == (
        b"# mine\r\nschema = 1\r\n[train]\r\nseed = 5 # why\r\nlearning_rate = 1e-4\r\n"
    )


def test_set_takes_numbers_as_they_are_typed(path: Path) -> None:
    path.write_text("[train]\n")
    set_value(path, "train.learning_rate", "1e-4")
    assert "learning_rate = 1e-4\n" in path.read_text()


def test_set_takes_bare_words_where_text_is_wanted(path: Path) -> None:
    path.write_text("")
    for typed in ("lyq", "123", "true"):
        assert set_value(path, "project.trigger", typed)[1] == typed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.seed", "abc"),
        ("train.sed", "1"),
        ("nothing", "1"),
        ("dataset.min_bucket_reso", "4096"),
        ("network", "3"),
        ("project.name", "a/b"),
    ],
)
def test_set_refuses_and_leaves_the_file_alone(path: Path, key: str, value: str) -> None:
    path.write_text("# mine\n[train]\nseed = 3\n")
    with pytest.raises(SpecError):
        set_value(path, key, value)
    assert path.read_text() == "# mine\n[train]\nseed = 3\n"


def test_unset_returns_to_the_default(path: Path) -> None:
    path.write_text("[train]\n# about the seed\nseed = 3\nlearning_rate = 1e-4\n")
    assert unset_value(path, "train.seed") == (3, 42)
    assert "seed = " not in path.read_text()
    assert load_spec(path).train.learning_rate == 1e-4


def test_overrides_are_put_on_top_and_the_file_stays(path: Path) -> None:
    path.write_text("[train]\nseed = 3\n")
    assert load_spec(path, {"train.seed": "7", "project.trigger": "ohwx"}).train.seed == 7
    assert path.read_text() == "[train]\nseed = 3\n"


def test_a_dumped_spec_loads_as_the_same_spec(path: Path) -> None:
    spec = load_spec_of(path, "[dataset]\nresolution = [512, 768]\n[train]\nmax_train_epochs = 4\n")
    path.write_text(dump_spec(spec))
    assert load_spec(path) == spec


def load_spec_of(path: Path, text: str) -> Spec:
    path.write_text(text)
    return load_spec(path)


def test_every_key_has_words_for_the_user() -> None:
    for table, field in Spec.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        for key, each in inner.items():
            assert each.description, f"{table}.{key} has no docstring"


def test_known_keys_and_flattened_keys_are_the_same() -> None:
    assert known_keys() == list(flatten(Spec()))
