"""What `accelerate launch` is told, by the spec's processes and machines."""

from pathlib import Path
from typing import Any

import pytest

from lorawiz.runs.folder import RunFolder
from lorawiz.runs.launch import Launch
from lorawiz.spec import Spec

SEVERAL = {"num_processes": 4, "num_machines": 2, "main_process_ip": "10.0.0.1"}


def command(launch: dict[str, object], **how: Any) -> list[str]:
    spec = Spec.model_validate({"launch": launch})
    return Launch(RunFolder(Path("p/runs/lyq-0001")), spec, **how).command


def value(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_one_process_is_started_plainly() -> None:
    words = command({})
    assert value(words, "--num_processes") == "1"
    assert "--multi_gpu" not in words


def test_several_on_one_machine_take_any_port() -> None:
    words = command({"num_processes": 4})
    assert (value(words, "--num_processes"), value(words, "--main_process_port")) == ("4", "0")
    assert "--multi_gpu" in words


def test_a_second_machine_is_told_its_number_and_where_the_first_is() -> None:
    words = command(SEVERAL, machine_rank=1)
    assert value(words, "--machine_rank") == "1"
    assert value(words, "--main_process_ip") == "10.0.0.1"
    assert value(words, "--main_process_port") == "29500"


def test_fewer_processes_are_all_here() -> None:
    words = command(SEVERAL, num_processes=1)
    assert (value(words, "--num_processes"), value(words, "--num_machines")) == ("1", "1")
    assert "--main_process_ip" not in words


def test_the_ranks_of_a_job_around_it_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    run = RunFolder(Path("p/runs/lyq-0001"))
    assert not {"RANK", "WORLD_SIZE"} & Launch(run, Spec()).environment.keys()
