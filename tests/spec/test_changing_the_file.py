"""Changing lorawiz.toml: several keys in one step, and never over what another program saved."""

from pathlib import Path

import pytest

from lorawiz.errors import SpecError
from lorawiz.spec import load_spec
from lorawiz.spec.document import (
    change_values,
    edit_text,
    find_problems,
    list_texts,
    parse_spec,
    rewrite_spec,
    set_value,
    unset_value,
)

TEXT = """\
schema = 1
# mine
[train]
seed = 3  # lucky
learning_rate = 1e-4

[[clean]]
rule = "dedupe"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "lorawiz.toml"
    path.write_text(TEXT)
    return path


def test_several_keys_change_in_one_step(path: Path) -> None:
    before, after = change_values(path, {"train.seed": None, "network.dim": "8"})
    assert (before, after) == (TEXT, path.read_text())
    assert after == TEXT.replace("seed = 3  # lucky\n", "") + "\n[network]\ndim = 8\n"


def test_one_wrong_key_leaves_all_as_they_were(path: Path) -> None:
    with pytest.raises(SpecError, match=r"network\.dim = 0: expected 1 or more"):
        change_values(path, {"train.seed": "4", "network.dim": "0"})
    assert path.read_text() == TEXT


def test_what_another_program_saves_in_between_stays(path: Path) -> None:
    num_edits = 0

    def edit(text: str) -> str:
        nonlocal num_edits
        num_edits += 1
        if num_edits == 1:
            path.write_text(TEXT.replace("1e-4", "2e-4"))
        return edit_text(text, {"train.seed": "5"})

    before, after = rewrite_spec(path, edit)
    assert (num_edits, "2e-4" in before, "2e-4" in after) == (2, True, True)
    assert load_spec(path).train.seed == 5


def test_a_file_that_never_rests_is_left_to_the_other(path: Path) -> None:
    def edit(text: str) -> str:
        path.write_text(text + "# again\n")
        return text + "# mine\n"

    with pytest.raises(SpecError, match="another program keeps changing it"):
        rewrite_spec(path, edit)
    assert "# mine" not in path.read_text().splitlines()[8:]


def test_a_wrong_value_can_be_mended_as_its_hint_says(path: Path) -> None:
    path.write_text(TEXT.replace("seed = 3", 'seed = "x"'))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.hint.endswith("lorawiz unset train.seed")
    assert unset_value(path, "train.seed") == ("x", 42)
    path.write_text(TEXT.replace("seed = 3", 'seed = "x"'))
    assert set_value(path, "train.seed", "7") == ("x", 7)
    assert load_spec(path).train.seed == 7


@pytest.mark.parametrize(
    ("typed", "trigger"),
    [('"a" # b', "a"), ("1\n[train]\nseed = 9", "1\n[train]\nseed = 9"), (" lyq", " lyq")],
)
def test_a_value_is_one_value_whatever_stands_behind_it(
    path: Path, typed: str, trigger: str
) -> None:
    set_value(path, "project.trigger", typed)
    spec = load_spec(path)
    assert (spec.project.trigger, spec.train.seed) == (trigger, 3)


def test_values_are_listed_as_they_are_written() -> None:
    assert list_texts(TEXT + "[dataset]\nflip_aug = true\nresolution = [\n 64, # x\n 64]\n") == {
        "schema": "1",
        "train.seed": "3",
        "train.learning_rate": "1e-4",
        "dataset.flip_aug": "true",
        "dataset.resolution": "[\n 64, # x\n 64]",
    }


def test_every_problem_has_its_key() -> None:
    text = (
        '[train]\nseed = "x"\nsed = 1\n[trian]\n[dataset]\nmin_bucket_reso = 2048\n'
        '[[clean]]\nrule = "dedupe"\n[[clean]]\nrule = "limit"\n'
    )
    problems = find_problems(parse_spec(text), text, "lorawiz.toml")
    assert {problem.key: problem.message.split(": ")[0] for problem in problems} == {
        "train.seed": "lorawiz.toml:2",
        "train.sed": "lorawiz.toml:3",
        "trian": "lorawiz.toml:4",
        "dataset": "lorawiz.toml:5",
        "clean.1": "lorawiz.toml:9",
    }
    assert find_problems({}, "", "") == []
