"""Requests are files, and the later of two opposite ones counts."""

from pathlib import Path

import pytest

from lorawiz.runs.control import clear_requests, list_requests, request, take_request
from lorawiz.runs.folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_request_is_there_until_it_is_taken(run: RunFolder) -> None:
    assert list_requests(run) == set()
    request(run, "save")
    request(run, "save")
    assert list_requests(run) == {"save"}
    assert take_request(run, "save")
    assert not take_request(run, "save")


def test_going_on_takes_back_a_pause_and_a_pause_takes_back_going_on(run: RunFolder) -> None:
    request(run, "pause")
    request(run, "resume")
    assert list_requests(run) == {"resume"}
    request(run, "pause")
    assert list_requests(run) == {"pause"}


def test_files_of_other_names_ask_for_nothing_and_a_new_life_forgets_all(run: RunFolder) -> None:
    request(run, "stop")
    (run.control / ".nfs0001").touch()
    assert list_requests(run) == {"stop"}
    clear_requests(run)
    assert not list(run.control.iterdir())
