"""`lorawiz cache`: how much there is, and what goes when it is pruned."""

import json
import os
import time
from pathlib import Path

import pytest

from lorawiz.paths import Project
from lorawiz.runs.caches import measure_caches, prune_caches
from lorawiz.runs.folder import RunFolder
from tests.cli.runner import lorawiz
from tests.support.projects import link_base, make_project
from tests.support.training import freeze, train

DAY_S = 86_400


@pytest.fixture
def project(tmp_path: Path, tiny_base: Path) -> Project:
    """A project whose caches one run has filled."""
    settings = {"train.max_train_steps": "3", "network.train_unet_only": "true"}
    made = make_project(tmp_path / "p", 3, settings)
    link_base(made, tiny_base)
    assert train(freeze(made)) == 0
    return made


def list_entries(project: Project, kind: str = "latents") -> list[Path]:
    return sorted((project.work / kind).rglob("*.safetensors"))


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY_S
    os.utime(path, (then, then))


def test_it_says_how_much_there_is_of_each_kind(project: Project) -> None:
    said = lorawiz("cache", cwd=project.root)
    assert said.code == 0
    assert "latents" in said.out and "3 files" in said.out
    told = {
        each["kind"]: each for each in json.loads(lorawiz("cache", "--json", cwd=project.root).out)
    }
    entries = list_entries(project)
    assert told["latents"]["num_entries"] == 3
    assert told["latents"]["num_bytes"] == sum(path.stat().st_size for path in entries)
    assert "text" in told


def test_what_was_not_used_for_long_goes_and_the_rest_stays(project: Project) -> None:
    old, *young = list_entries(project)
    age(old, 31)
    said = lorawiz("cache", "--prune", cwd=project.root)
    assert (said.code, "1 file deleted" in said.out) == (0, True)
    assert list_entries(project) == young
    assert "nothing is torn" in lorawiz("cache", "--prune", cwd=project.root).err


def test_a_run_renews_what_it_uses(project: Project) -> None:
    for path in list_entries(project) + list_entries(project, "text"):
        age(path, 100)
    assert train(freeze(project)) == 0
    assert prune_caches(project, unused_days=1) == []


def test_torn_files_go_and_foreign_files_stay(project: Project) -> None:
    torn = list_entries(project)[0]
    torn.write_bytes(torn.read_bytes()[:-3])
    mine = project.work / "latents" / "notes.txt"
    other = project.work / "latents" / "model.safetensors"
    for path in (mine, other):
        path.write_text("mine")
        age(path, 1000)
    (gone,) = prune_caches(project, unused_days=30)
    assert (gone.kind, gone.num_entries) == ("latents", 1)
    assert not torn.exists()
    assert mine.exists() and other.exists()


def test_nothing_is_followed_out_of_the_project(project: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = elsewhere / list_entries(project)[0].name
    kept.write_bytes(b"kept")
    age(kept, 1000)
    (project.work / "latents" / "link").symlink_to(elsewhere)
    (project.work / "latents" / kept.name).symlink_to(kept)
    prune_caches(project, unused_days=0)
    assert kept.read_bytes() == b"kept"


def test_all_goes_with_0_days_and_a_run_makes_it_again(project: Project) -> None:
    first = {path: path.read_bytes() for path in list_entries(project)}
    for path in list_entries(project):
        age(path, 0.01)
    assert lorawiz("cache", "--prune", "--unused-days", "0", cwd=project.root).code == 0
    assert list_entries(project) == []
    run: RunFolder = freeze(project)
    assert train(run) == 0
    assert {path: path.read_bytes() for path in list_entries(project)} == first


def test_an_empty_project_has_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", 1)
    assert measure_caches(project) == []
    assert "the caches are empty" in lorawiz("cache", cwd=project.root).err
