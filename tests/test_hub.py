"""What can be a hub id: only what the hub's own library takes."""

import pytest
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from hypothesis import given
from hypothesis import strategies as st

from lorawiz.errors import ModelError
from lorawiz.hub import is_hub_id, parse_hub_id

GOOD = ["a/b", "SmilingWolf/wd-swinv2-tagger-v3", "cella110n/cl_tagger", "o/v1.5", "_a/b_"]
BAD = [
    "", "a", "a/", "/a", "a/b-", "a/b.", "-a/b", "a/-b", "a/.b", "a-/b", "a//b", "a/b--c", "a/b..c",
    "a/b.git", "a b/c", "a/" + "b" * 97, "a/b\n", "ä/b",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_ids_of_the_hub_are_known(name: str) -> None:
    assert is_hub_id(name)
    assert parse_hub_id(f"{name}/folder.v1").folder == "folder.v1"


@pytest.mark.parametrize("name", BAD)
def test_what_the_hub_does_not_take_is_a_sentence(name: str) -> None:
    assert not is_hub_id(name)
    with pytest.raises(ModelError, match="owner/name"):
        parse_hub_id(name)


@given(st.text("ab1._-/", max_size=12) | st.text(max_size=6))
def test_an_id_never_fails_in_the_hubs_library(name: str) -> None:
    if is_hub_id(name):
        try:
            validate_repo_id(parse_hub_id(name).repo)
        except HFValidationError as error:
            raise AssertionError(name) from error
