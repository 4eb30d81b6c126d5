"""Finding the line of a key without a TOML parser that tells."""

from lorawiz.spec.lines import find_key_lines, find_line

TEXT = '''schema = 1
# [train]
[project]
name = "a = b"   # seed = 4
note = """
[train]
seed = 5
"""
list = [
  "[sample]",
  "x = 1",
]

[train]
"seed" = 3
[[clean]]
rule = "a"
[[clean]]
rule = "b"
[deep.er]
key.inner = 1
'''


def test_keys_have_the_lines_they_stand_in() -> None:
    assert find_key_lines(TEXT) == {
        "schema": 1,
        "project": 3,
        "project.name": 4,
        "project.note": 5,
        "project.list": 9,
        "train": 14,
        "train.seed": 15,
        "clean.0": 16,
        "clean.0.rule": 17,
        "clean.1": 18,
        "clean.1.rule": 19,
        "deep.er": 20,
        "deep.er.key.inner": 21,
    }


def test_a_key_that_is_not_there_falls_back_to_its_table() -> None:
    assert find_line(TEXT, "train.learning_rate") == 14
    assert find_line(TEXT, "launch.x") is None
