"""A model over images: pending ones only, in shards, resumable after a kill at any image."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lorawiz.dataset.evidence import Model, evidence_path, iter_evidence
from lorawiz.dataset.images import BrokenImageError, load_image
from lorawiz.dataset.records import ImageRecord, find_image
from lorawiz.dataset.store import read_dataset
from lorawiz.errors import LorawizError
from lorawiz.paths import Project
from lorawiz.prepare.feeding import Failure
from lorawiz.prepare.jobs import Job, run_job
from lorawiz.prepare.shards import Shard, this_shard
from tests.support.projects import make_project

MODEL = Model("captions", "mean", "00" * 32)
WHOLE = Shard()


class MeanColour:
    """A model that says the mean of the red channel."""

    name = "mean"
    revision = "00" * 32
    device = "CPU"
    min_side: int | None = 16

    def __init__(self) -> None:
        self.batches: list[int] = []

    def prepare(self, image: Image.Image) -> float:
        histogram = image.getchannel("R").histogram()
        return sum(value * count for value, count in enumerate(histogram)) / sum(histogram)

    def run(self, inputs: Sequence[float], keys: Sequence[str]) -> list[str]:
        self.batches.append(len(inputs))
        return [f"{value:.3f}" for value in inputs]


def job_of(project: Project, model: MeanColour, batch_size: int = 2) -> Job:
    return Job(
        MODEL,
        model,
        batch_size,
        lambda record: load_image(find_image(project, record)),
        lambda record: f"crop {record.crop}",
        lambda record, text: {"caption": text},
    )


def run(project: Project, model: MeanColour, shard: Shard = WHOLE, **options: Any) -> Any:
    return run_job(project, job_of(project, model), read_dataset(project).records, shard, **options)


def evidence(project: Project) -> dict[str, str]:
    return {
        e.image_path: e.finding["caption"] for e in iter_evidence(evidence_path(project, MODEL))
    }


def test_every_image_is_looked_at_once(tmp_path: Path) -> None:
    project = make_project(tmp_path, 5)
    model = MeanColour()
    progress: list[tuple[int, int]] = []
    report = run(project, model, on_progress=lambda *at: progress.append(at))
    assert (report.num_done, report.num_known) == (5, 0)
    assert model.batches == [2, 2, 1]
    assert progress == [(0, 5), (2, 5), (4, 5), (5, 5)]
    assert len(set(evidence(project).values())) == 5
    again = run(project, model)
    assert (again.num_done, again.num_known) == (0, 5)
    assert run(project, model, redo=True).num_done == 5


def test_another_view_of_an_image_is_looked_at_again(tmp_path: Path) -> None:
    project = make_project(tmp_path, 3)
    run(project, MeanColour())
    text = project.dataset.read_text().replace('"width"', '"crop": [0, 0, 50, 50], "width"', 1)
    project.dataset.write_text(text)
    assert run(project, MeanColour()).num_done == 1


def test_a_broken_image_costs_itself_alone(tmp_path: Path) -> None:
    project = make_project(tmp_path, 5)
    for name, data in (("IMG_0001.jpg", b"no image"), ("IMG_0003.jpg", b"")):
        (project.images / name).write_bytes(data)
    (project.images / "IMG_0004.jpg").unlink()
    report = run(project, MeanColour())
    assert report.num_done == 2
    assert [Path(each.image_path).name for each in report.failures] == [
        "IMG_0001.jpg", "IMG_0003.jpg", "IMG_0004.jpg",
    ]  # fmt: skip
    assert "not an image" in report.failures[0].reason
    assert all(isinstance(each, Failure) for each in report.failures)
    assert sorted(evidence(project)) == ["images/IMG_0000.jpg", "images/IMG_0002.jpg"]


def test_shards_make_the_whole_in_any_order(tmp_path: Path) -> None:
    project = make_project(tmp_path, 7)
    whole = make_project(tmp_path / "whole", 7)
    run(whole, MeanColour())
    counts = [run(project, MeanColour(), Shard(index, 3)).num_done for index in (2, 0, 1)]
    assert counts == [2, 3, 2]
    assert evidence(project) == evidence(whole)


KILLED = """
import os, signal, sys
from pathlib import Path
from lorawiz.paths import Project
from tests.prepare.test_jobs import MeanColour, run
class Killed(MeanColour):
    def run(self, inputs, keys):
        if len(self.batches) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(inputs, keys)
run(Project(Path(sys.argv[1])), Killed())
"""


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_what_a_kill_interrupts_goes_on_where_it_was(tmp_path: Path, batches: int) -> None:
    project = make_project(tmp_path, 8)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(batches)], env=environment, check=False
    )
    assert done.returncode == -signal.SIGKILL
    report = run(project, MeanColour())
    assert (report.num_known, report.num_done) == (2 * batches, 8 - 2 * batches)
    assert len(evidence(project)) == 8
    assert not list((project.private / "evidence").rglob("*.jsonl"))


def test_a_full_disk_keeps_what_was_written(tmp_path: Path, monkeypatch: Any) -> None:
    project = make_project(tmp_path, 6)
    real = os.fsync
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("lorawiz.paths.os.fsync", fsync)
        with pytest.raises(OSError, match="No space left") as caught:
            run(project, MeanColour())
        assert ".lorawiz/evidence" in str(caught.value.filename)
    assert run(project, MeanColour()).num_known >= 4
    assert len(evidence(project)) == 6


def test_a_model_that_loses_images_is_found_out(tmp_path: Path) -> None:
    project = make_project(tmp_path, 2)

    class Loses(MeanColour):
        def run(self, inputs: Sequence[float], keys: Sequence[str]) -> list[str]:
            return super().run(inputs, keys)[1:]

    with pytest.raises(LorawizError, match="1 findings for 2 images"):
        run(project, Loses())


def test_findings_do_not_wait_for_all_pictures(tmp_path: Path) -> None:
    """Only a few batches are decoded ahead, however many images there are."""
    project = make_project(tmp_path, 1)
    record = read_dataset(project).records[0]
    from lorawiz.prepare.feeding import iter_findings

    loaded: list[str] = []

    def load(each: ImageRecord) -> Image.Image:
        loaded.append(each.image_path)
        if each.image_path.endswith("7"):
            raise BrokenImageError("7: broken")
        return Image.new("RGB", (4, 4))

    records = (ImageRecord(f"{i}", record.sha256, 4, 4) for i in range(1000))
    findings = iter_findings(records, load, MeanColour(), 4)
    first = next(findings)
    assert [each.image_path for each, _ in first] == ["0", "1", "2", "3"]
    assert len(loaded) < 40
    second = next(findings)
    assert isinstance(second[3][1], Failure)


def test_the_shard_comes_from_the_launcher() -> None:
    assert this_shard({}) == Shard(0, 1)
    assert this_shard({"RANK": "2", "WORLD_SIZE": "4"}) == Shard(2, 4)
    assert this_shard({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}) == Shard(1, 2)
    for environment in ({"RANK": "4", "WORLD_SIZE": "4"}, {"RANK": "x", "WORLD_SIZE": "4"}):
        with pytest.raises(LorawizError, match="not a process's number"):
            this_shard(environment)


def test_evidence_is_json_a_line(tmp_path: Path) -> None:
    project = make_project(tmp_path, 2)
    run(project, MeanColour())
    for line in evidence_path(project, MODEL).read_text().splitlines():
        json.loads(line)
