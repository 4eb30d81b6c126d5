"""The form of a new project: every key, and the project that it makes or does not make."""

from pathlib import Path
from typing import Any

import pytest

from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.screens.asking import PickScreen, TextScreen
from lorawiz.tui.wizard.answers import Answers, clean_name
from lorawiz.tui.wizard.new_project import NewProjectScreen
from tests.tui.panel import screen_text
from tests.tui.wizard_support import WizardPilot, is_on, play_screen, press


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fill(*keys: str, answers: Answers | None = None, offers_demo: bool = False) -> Any:
    """Press keys in the form; what it left with."""

    async def press_all(pilot: WizardPilot) -> None:
        await press(pilot, *keys)

    given = answers or Answers("face-lora")
    return play_screen(lambda: NewProjectScreen(given, offers_demo), press_all)


def test_a_trigger_is_all_that_has_to_be_typed(work: Path) -> None:
    project = fill("enter", ":lyq", "enter", "ctrl+s")
    assert isinstance(project, Project)
    spec = load_spec(work / "face-lora" / "lorawiz.toml")
    assert (spec.project.name, spec.project.trigger) == ("face-lora", "lyq")
    assert spec.project.class_word == "person"


def test_every_answer_can_be_given_with_keys(work: Path) -> None:
    keys = ["g", "enter", ":style", "enter", "enter", "ctrl+u", ":art", "enter"]
    keys += ["enter", "ctrl+u", ":brush", "enter", "space", ":zkw", "enter"]
    keys += ["enter", "ctrl+u", ":style", "enter", "enter"]
    project = fill(*keys)
    assert isinstance(project, Project)
    spec = load_spec(work / "art" / "lorawiz.toml").project
    assert (spec.template, spec.name, spec.trigger) == ("style-lora", "brush", "zkw")
    assert spec.class_word == "style"


@pytest.mark.parametrize("key", ["escape", "q", "ctrl+c", "ctrl+q"])
def test_leaving_makes_nothing(work: Path, key: str) -> None:
    assert fill("enter", ":lyq", "enter", key) is None
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        ([], "trigger"), (["j"], "class_word"), (["down", "tab"], "create"), (["k"], "name"),
        (["up", "shift+tab"], "folder"), (["g"], "template"), (["home"], "template"),
        (["G"], "create"), (["end", "j"], "create"), (["g", "k"], "template"),
    ],
)  # fmt: skip
def test_keys_move_between_the_answers(keys: list[str], row: str) -> None:
    async def move(pilot: WizardPilot) -> None:
        await press(pilot, *keys)
        screen = pilot.app.screen
        assert isinstance(screen, NewProjectScreen)
        assert screen.row == row

    play_screen(lambda: NewProjectScreen(Answers("face-lora")), move)


def test_d_is_for_the_demo_only_where_it_is_offered() -> None:
    assert fill("d", offers_demo=True) == "demo"
    assert fill("d", "escape") is None


def test_a_folder_that_is_a_project_already_is_refused(work: Path) -> None:
    (work / "lyq").mkdir()
    (work / "lyq" / "lorawiz.toml").write_text("mine")

    async def create(pilot: WizardPilot) -> None:
        await press(pilot, "ctrl+s")
        assert is_on(pilot, NewProjectScreen)
        assert "lyq is a project already" in screen_text(pilot)
        await press(pilot, "enter")
        assert is_on(pilot, TextScreen)
        assert "lyq is a project already" in screen_text(pilot)
        await press(pilot, "enter")  # refused again
        assert is_on(pilot, TextScreen)

    play_screen(lambda: NewProjectScreen(Answers("face-lora", "lyq")), create)
    assert (work / "lyq" / "lorawiz.toml").read_text() == "mine"


def test_a_name_that_cannot_be_one_is_said_while_it_is_typed() -> None:
    async def type_it(pilot: WizardPilot) -> None:
        await press(pilot, "k", "enter", "ctrl+u", ":a/b", "enter")
        assert is_on(pilot, TextScreen)

    play_screen(lambda: NewProjectScreen(Answers("face-lora")), type_it)


def test_a_template_is_picked_from_a_list() -> None:
    async def pick(pilot: WizardPilot) -> None:
        await press(pilot, "g", "enter")
        assert is_on(pilot, PickScreen)
        assert "style-lora" in screen_text(pilot)

    play_screen(lambda: NewProjectScreen(Answers()), pick)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("lyq", "lyq"), ("a b", "a-b"), ("../x/..", None), ("日本語", "lora"), ("-.-", "lora")],
)
def test_a_folders_name_becomes_a_name_that_files_can_have(
    folder: str, name: str | None, work: Path
) -> None:
    made = clean_name(Path(folder))
    assert made == name or name is None
    assert load_ok(made, work)


def load_ok(name: str, work: Path) -> bool:
    answers = Answers("face-lora", str(work / "p"), name)
    return "name" not in answers.find_mistakes()
