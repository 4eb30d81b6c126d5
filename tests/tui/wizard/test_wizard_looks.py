"""How the wizard and its forms look, and that foreign text cannot steer the terminal."""

import ast
from pathlib import Path

import pytest

from lorawiz.paths import Project
from lorawiz.preflight import standing
from lorawiz.tui.wizard import words
from lorawiz.tui.wizard.answers import Answers
from lorawiz.tui.wizard.cleaning import CleanScreen
from lorawiz.tui.wizard.new_project import NewProjectScreen
from lorawiz.tui.wizard.screen import WizardScreen
from tests.tui.conftest import CompareGolden
from tests.tui.panel import screen_text
from tests.tui.wizard_support import (
    WizardPilot,
    make_bare,
    make_filled,
    play_screen,
    press,
)

SIZES = [(80, 24), (120, 36)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Projects lie in the home folder, so that their paths look the same everywhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def look(screen: object, size: tuple[int, int], *keys: str) -> str:
    texts: list[str] = []

    async def read(pilot: WizardPilot) -> None:
        await press(pilot, *keys)
        texts.append(screen_text(pilot))

    play_screen(lambda: screen, read, size)  # type: ignore[arg-type, return-value]
    return texts[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [("fresh", ()), ("about", ("g", "enter")), ("base", ("g", "j", "j")), ("help", ("question_mark",))],
)  # fmt: skip
def test_a_fresh_project_looks_as_it_should(
    home: Path, compare_golden: CompareGolden, size: tuple[int, int], name: str, keys: list[str]
) -> None:
    text = look(WizardScreen(make_bare(home / "lyq"), None), size, *keys)
    compare_golden(f"wizard-{name}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("num_down", [1, 4, 7])
def test_a_filled_project_looks_as_it_should(
    home: Path, compare_golden: CompareGolden, size: tuple[int, int], num_down: int
) -> None:
    text = look(WizardScreen(make_filled(home / "lyq"), None), size, "g", *["j"] * num_down)
    compare_golden(f"wizard-filled-{num_down + 1}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", SIZES)
def test_the_preview_of_the_rules_looks_as_it_should(
    home: Path, compare_golden: CompareGolden, size: tuple[int, int]
) -> None:
    text = look(CleanScreen(make_filled(home / "lyq")), size)
    compare_golden(f"wizard-clean-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", SIZES)
def test_the_form_of_a_new_project_looks_as_it_should(
    compare_golden: CompareGolden, size: tuple[int, int]
) -> None:
    text = look(NewProjectScreen(Answers("face-lora", "lyq"), offers_demo=True), size)
    compare_golden(f"wizard-new-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", [(40, 24), (30, 8)])
def test_small_terminals_show_the_steps(home: Path, size: tuple[int, int]) -> None:
    text = look(WizardScreen(make_filled(home / "lyq"), None), size, "g", "j")
    assert "▸✓  2" in text
    assert all(len(line) <= size[0] for line in text.splitlines())


def test_without_colour_every_state_has_a_mark(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = look(WizardScreen(make_filled(home / "lyq"), None), (80, 24), "g", "j")
    assert "▸✓  2 Images" in text
    assert " ○  3 Base model" in text
    assert " ·  7 Review" in text


HOSTILE = "a\x1b[2J[red]b\u202e"


def test_foreign_text_stays_text(home: Path) -> None:
    project = make_filled(home / f"{HOSTILE}-folder")
    lines = project.dataset.read_text("utf-8")
    project.dataset.write_text(lines.replace('"smile"', '"[bold]\\u001b[31msmile"', 1), "utf-8")
    spec = project.spec.read_text("utf-8").replace('"smile"', '"[bold]\\u001b[31msmile"')
    project.spec.write_text(spec, "utf-8")
    for screen in (WizardScreen(project, None), CleanScreen(project)):
        text = look(screen, (120, 36))
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "[bold]" in text


def _phrases_of(tree: ast.Module) -> set[str]:
    """The literals that `say` and `count` are called with, also through names."""
    pairs = {
        target.id: value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.Name)
        for target, value in _assigned(node)
        if isinstance(value, ast.Constant)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            texts = {"say": node.args[:1], "count": node.args[1:3]}.get(node.func.id, [])
            for text in texts:
                if isinstance(text, ast.Constant):
                    found.add(str(text.value))
                elif isinstance(text, ast.Name):
                    found.add(str(pairs[text.id]))
    return found


def _assigned(node: ast.Assign) -> list[tuple[ast.Name, ast.expr]]:
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=True)
        return [(name, each) for name, each in pairs if isinstance(name, ast.Name)]
    return [(target, value)] if isinstance(target, ast.Name) else []


def test_every_phrase_of_the_survey_is_in_the_catalogues_list() -> None:
    phrases = _phrases_of(ast.parse(Path(standing.__file__).read_text("utf-8")))
    assert len(phrases) > 40
    assert phrases - set(words._TEXTS) == set()


def test_projects_are_where_they_were(home: Path) -> None:
    project = make_bare(home / "lyq")
    look(WizardScreen(project, None), (80, 24), "G")
    again = WizardScreen(Project(project.root), None)
    assert "▸○ 11 Run" in look(again, (80, 24))
