"""What the check screen looks like."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.paths import Project
from lorawiz.spec.document import set_value
from tests.preflight.test_rules import GOOD, MACHINE, add_copy, relabel
from tests.support.projects import link_base, make_project
from tests.tui.check_support import CheckPilot, go_to, play, use_machine
from tests.tui.conftest import CompareGolden
from tests.tui.panel import screen_text

Change = Callable[[Project], None]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


@pytest.fixture(autouse=True)
def same_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    use_machine(monkeypatch, MACHINE)


def make_poor_project(folder: Path) -> Project:
    """Findings of all severities, a path of a long name, and one of each kind of fix."""
    settings = {**GOOD, "network.alpha": "1", "dataset.flip_aug": "true", "prompt.keep_tokens": "2"}
    project = make_project(folder / "lyq", settings=settings, size=(100, 70))
    add_copy("海边的照片.jpg", blur=6)(project)
    relabel(tags=("smile",))(project)
    text = project.spec.read_text()
    project.spec.write_text(f'{text}\n[[clean]]\nrule = "remove"\ntags = ["red coat"]\n')
    return project


def text_of(project: Project, size: tuple[int, int], *keys: str, at: str = "") -> str:
    texts = []

    async def read(pilot: CheckPilot) -> None:
        if at:
            await go_to(pilot, at)
        await pilot.press(*keys)
        texts.append(screen_text(pilot))

    play(project, read, size)
    return texts[0]


def name_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@SIZES
def test_findings(tmp_path: Path, compare_golden: CompareGolden, size: tuple[int, int]) -> None:
    text = text_of(make_poor_project(tmp_path), size, at="trigger-absent")
    compare_golden(f"check-findings-{name_size(size)}", text)


@SIZES
def test_nothing_in_the_way(
    tmp_path: Path, tiny_base: Path, compare_golden: CompareGolden, size: tuple[int, int]
) -> None:
    project = make_project(tmp_path / "lyq", settings=GOOD)
    link_base(project, tiny_base)
    compare_golden(f"check-ok-{name_size(size)}", text_of(project, size))


@SIZES
def test_the_whole_plan(
    tmp_path: Path, compare_golden: CompareGolden, size: tuple[int, int]
) -> None:
    text = text_of(make_poor_project(tmp_path), size, "p")
    compare_golden(f"check-plan-{name_size(size)}", text)


def test_an_invalid_file(tmp_path: Path, compare_golden: CompareGolden) -> None:
    project = make_project(tmp_path / "lyq", settings=GOOD)
    text = project.spec.read_text()
    project.spec.write_text(text.replace("learning_rate = 1e-4", "learning_rte = 1e-4\nseed = 'x'"))
    compare_golden("check-invalid-80x24", text_of(project, (80, 24)))


def test_the_question_before_all_fixes(tmp_path: Path, compare_golden: CompareGolden) -> None:
    compare_golden("check-fix-all-80x24", text_of(make_poor_project(tmp_path), (80, 24), "F"))


def test_the_other_ways(tmp_path: Path, compare_golden: CompareGolden) -> None:
    text = text_of(make_poor_project(tmp_path), (80, 24), "o", at="trigger-absent")
    compare_golden("check-ways-80x24", text)


@pytest.mark.parametrize("size", [(40, 24), (30, 10)], ids=["40x24", "30x10"])
def test_a_small_terminal(
    tmp_path: Path, compare_golden: CompareGolden, size: tuple[int, int]
) -> None:
    text = text_of(make_poor_project(tmp_path), size, at="images-blurred")
    compare_golden(f"check-small-{name_size(size)}", text)


def test_figures_that_are_none(tmp_path: Path) -> None:
    project = make_project(tmp_path / "lyq", num_images=0, settings=GOOD)
    set_value(project.spec, "dataset.enable_bucket", "false")
    text = text_of(project, (80, 24))
    assert "no images" in text
    assert "steps 0" in text


def test_a_machine_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_machine(monkeypatch, replace(MACHINE, torch=None, missing_packages=("torch",)))
    text = text_of(make_project(tmp_path / "lyq", settings=GOOD), (80, 24), at="extra-missing")
    assert "pip install 'lorawiz[train]'" in text
    assert "not from here" in text
