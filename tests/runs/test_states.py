"""Which state a resume takes: the newest that is whole."""

import hashlib
import json
from pathlib import Path

import pytest

from lorawiz.runs.states import MANIFEST, find_newest_state, list_states, state_path


def write_state(folder: Path, step: int, content: bytes = b"weights") -> Path:
    path = state_path(folder, step)
    path.mkdir(parents=True)
    (path / "network.safetensors").write_bytes(content)
    files = {"network.safetensors": {"sha256": hashlib.sha256(content).hexdigest()}}
    (path / MANIFEST).write_text(json.dumps({"files": files}))
    return path


def test_the_newest_whole_state_is_taken(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        write_state(tmp_path, step)
    state, damaged = find_newest_state(tmp_path)
    assert state is not None
    assert (state.step, damaged) == (100, [])
    assert list_states(tmp_path)[0].name == "step-00000009"


@pytest.mark.parametrize(
    "damage", ["flip", "truncate", "missing file", "no manifest", "torn manifest"]
)
def test_a_damaged_state_is_passed_over_with_a_sentence(tmp_path: Path, damage: str) -> None:
    write_state(tmp_path, 10)
    path = write_state(tmp_path, 20)
    weights = path / "network.safetensors"
    match damage:
        case "flip":
            weights.write_bytes(b"Weights")
        case "truncate":
            weights.write_bytes(b"weigh")
        case "missing file":
            weights.unlink()
        case "no manifest":
            (path / MANIFEST).unlink()
        case "torn manifest":
            (path / MANIFEST).write_text('{"files": {"netw')
    state, damaged = find_newest_state(tmp_path)
    assert state is not None
    assert state.step == 10
    assert len(damaged) == 1
    assert "step-00000020 is damaged" in damaged[0]


def test_a_state_that_was_being_written_is_none(tmp_path: Path) -> None:
    write_state(tmp_path, 10).rename(tmp_path / "step-00000010.tmp")
    assert find_newest_state(tmp_path) == (None, [])
