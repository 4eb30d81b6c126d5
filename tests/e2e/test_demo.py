"""The demo, from a checkout and from a wheel, in any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lorawiz.cli.demo_job import NUM_CLASS_IMAGES, make_demo_project
from lorawiz.dataset.records import load_dataset
from lorawiz.demo import PORTRAITS
from lorawiz.spec.subset_edits import add_subset
from lorawiz.spec.subsets import SubsetTable
from tests.cli.runner import Answer, lorawiz

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def check_demo(answer: Answer, folder: Path) -> None:
    assert answer.code == 0, answer.err + answer.out
    assert "demo-face-0001  check   ok\n" in answer.out
    assert "the LoRA    demo/runs/demo-face-0001/demo-face.safetensors" in answer.out
    assert "next: cd demo && lorawiz check" in answer.out
    run = folder / "demo" / "runs" / "demo-face-0001"
    assert (run / "demo-face.safetensors").stat().st_size > 500_000
    assert (run / "before-after.png").stat().st_size > 10_000


def test_the_demo_trains_and_leaves_a_normal_project(tmp_path: Path) -> None:
    check_demo(lorawiz("demo", "demo", cwd=tmp_path), tmp_path)
    project = tmp_path / "demo"
    assert lorawiz("check", "--strict", cwd=project).code == 0
    again = lorawiz("demo", "demo", cwd=tmp_path)
    assert (again.code, "is a project already" in again.err) == (2, True)


def test_the_committed_example_is_what_the_demo_makes(tmp_path: Path) -> None:
    project = make_demo_project(tmp_path / "demo-face")
    committed = ROOT / "projects" / "demo-face"
    add_subset(project.spec, SubsetTable(image_dir="images/class", is_reg=True))
    written = (committed / "lorawiz.toml").read_text()
    assert project.spec.read_text() == written.replace('checkpoint = "lorawiz-demo-sd15"\n', "")
    records = load_dataset(committed / "dataset.jsonl").records
    assert len(records) == len(PORTRAITS) + NUM_CLASS_IMAGES
    assert (project.root / ".gitignore").read_text() == (committed / ".gitignore").read_text()


def test_a_wheel_holds_templates_photos_and_configs(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "-w", str(wheels), str(ROOT)], check=True, capture_output=True)
    installed = tmp_path / "installed"
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(installed)
    weights = installed / "lorawiz" / "annotate" / "weights"
    assert len(list(weights.glob("*.tflite"))) == 3
    assert (weights / "NOTICE.md").is_file()
    code = "import lorawiz.spec.templates as t; print(t.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.startswith(str(installed))
    (tmp_path / "anywhere").mkdir()
    answer = lorawiz("demo", "demo", cwd=tmp_path / "anywhere", PYTHONPATH=str(installed))
    check_demo(answer, tmp_path / "anywhere")
