"""`lorawiz verify`: what a run was made from, what it saved, and the same tensors again."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from lorawiz.loras.comparison import compare_tensors, hash_tensors, read_saved_hash
from lorawiz.paths import Project
from lorawiz.runs.folder import RunFolder, list_runs
from lorawiz.runs.view import load_view
from tests.cli.runner import Answer, lorawiz
from tests.support.projects import link_base, make_project
from tests.support.training import SHORT, freeze, train


@pytest.fixture
def run(tmp_path: Path, tiny_base: Path) -> RunFolder:
    """A finished run of two saves."""
    settings = {**SHORT, "train.max_train_steps": "3", "sample.prompts": "[]"}
    project = make_project(tmp_path / "p", 2, settings)
    link_base(project, tiny_base)
    made = freeze(project)
    assert train(made) == 0, load_view(made).message
    return made


def result_of(run: RunFolder) -> Path:
    result = load_view(run).result
    assert result is not None
    return run.project.root / result


def verify(run: RunFolder, *flags: str) -> Answer:
    return lorawiz("verify", *flags, cwd=run.project.root)


def damage(path: Path, offset_from_end: int = 40) -> None:
    data = bytearray(path.read_bytes())
    data[-offset_from_end] ^= 0x01
    path.write_bytes(data)


def test_a_run_that_is_as_it_was_is_said_to_be(run: RunFolder) -> None:
    said = verify(run)
    assert said.code == 0, said.out + said.err
    assert "images, words and models are those that it was made from" in said.out
    assert "2 files, each as it was saved" in said.out
    told = json.loads(verify(run, "--json").out)
    assert (told["ok"], told["files"]["num_files"]) == (True, 2)


@pytest.mark.slow
def test_trained_again_it_gives_the_same_tensors_and_leaves_nothing(run: RunFolder) -> None:
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    said = verify(run, "--retrain")
    assert said.code == 0, said.out + said.err
    assert "trained again: the same tensors in 1 file" in said.out
    assert before == {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert [each.run_id for each in list_runs(run.project)] == [run.run_id]
    assert not list((run.project.work / "verify").iterdir())


@pytest.mark.slow
def test_a_result_that_is_another_is_told_with_its_size(run: RunFolder) -> None:
    path = result_of(run)
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    changed = sorted(name for name in tensors if name.endswith("lora_up.weight"))[0]
    tensors[changed] = tensors[changed] + np.float16(0.5)
    save_file(tensors, path, metadata)
    said = verify(run, "--retrain")
    assert said.code == 2
    assert f"{path.name}: 1 of {len(tensors)} tensors differ, by at most 0.5" in said.out
    assert "not the tensors that were saved" in said.out
    assert list((run.project.work / "verify").iterdir()), "it is kept to be looked at"


def test_what_has_changed_is_named(run: RunFolder) -> None:
    damage(result_of(run))
    image = min((run.project.images).glob("*.jpg"))
    damage(image)
    said = verify(run)
    assert said.code == 2
    assert f"{result_of(run).name}: not the tensors that were saved" in said.out
    assert f"images/{image.name} has changed" in said.out
    again = verify(run, "--retrain")
    assert "not trained again: the inputs are others" in again.out


def test_words_that_were_changed_in_the_frozen_dataset_are_found(run: RunFolder) -> None:
    run.dataset.write_text(run.dataset.read_text().replace("a woman", "a man"))
    assert "dataset.jsonl has changed since it was frozen" in verify(run).out


def test_a_result_that_is_gone_or_torn_is_told(run: RunFolder) -> None:
    path = result_of(run)
    whole = path.read_bytes()
    path.write_bytes(whole[:5])
    assert "not a whole .safetensors file" in verify(run).out
    path.write_bytes(whole[:-100])
    assert verify(run).code == 2
    path.unlink()
    said = verify(run)
    assert (said.code, f"{path.name} is gone" in said.out) == (2, True)


def test_an_earlier_save_that_was_deleted_is_no_problem(run: RunFolder) -> None:
    earlier = next(p for p in run.path.glob("*.safetensors") if p != result_of(run))
    earlier.unlink()
    said = verify(run)
    assert (said.code, f"· runs/{run.run_id}/{earlier.name} is gone" in said.out) == (0, True)


def test_other_versions_are_noted(run: RunFolder) -> None:
    manifest = json.loads(run.manifest.read_text())
    manifest["versions"]["torch"] = "1.0"
    run.manifest.write_text(json.dumps(manifest))
    said = verify(run)
    assert said.code == 0
    assert ", it was 1.0" in said.out


def test_a_base_that_is_gone_or_a_run_that_has_not_ended_is_a_sentence(
    run: RunFolder, tmp_path: Path, tiny_base: Path
) -> None:
    for link in run.project.models.iterdir():
        link.unlink()
    said = verify(run)
    assert said.code == 2
    assert "✗" in said.out
    project = make_project(tmp_path / "q", 1)
    link_base(project, tiny_base)
    made = freeze(project)
    made.journal.write_text("")
    told = verify(made, "--retrain")
    assert (told.code, "has not finished" in told.err) == (2, True)
    assert "no such run" in lorawiz("verify", "nothing", cwd=project.root).err
    assert "has no runs yet" in lorawiz("verify", cwd=make_empty(tmp_path).root).err


def make_empty(tmp_path: Path) -> Project:
    return make_project(tmp_path / "empty", 0)


def test_the_hash_of_a_file_is_that_which_it_was_saved_with(run: RunFolder) -> None:
    path = result_of(run)
    assert hash_tensors(path) == read_saved_hash(path)
    assert compare_tensors(path, path).num_different == 0
