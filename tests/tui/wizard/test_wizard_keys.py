"""Every key of the wizard, and what is on the disk behind it."""

import os
import shutil
from pathlib import Path

import pytest

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project
from lorawiz.preflight.standing import STEPS, StepName
from lorawiz.spec import load_spec
from lorawiz.tui.check.screen import CheckScreen
from lorawiz.tui.jobs import JobScreen
from lorawiz.tui.review.screen import ReviewScreen
from lorawiz.tui.screens.asking import PickScreen
from lorawiz.tui.screens.dialogs import ChoiceScreen
from lorawiz.tui.screens.files import FileDialog
from lorawiz.tui.screens.help import HelpScreen
from lorawiz.tui.screens.path_line import PathScreen
from lorawiz.tui.settings.screen import SettingsScreen
from lorawiz.tui.tags.screen import TagsScreen
from lorawiz.tui.wizard.about import AboutScreen
from lorawiz.tui.wizard.cleaning import CleanScreen
from lorawiz.tui.wizard.screen import WizardScreen
from tests.support.projects import save_photo
from tests.tui.panel import screen_text
from tests.tui.wizard_support import (
    WizardPilot,
    is_on,
    make_bare,
    make_filled,
    play,
    press,
    settle,
    wait_for,
)


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    return make_bare(tmp_path / "lyq")


@pytest.fixture
def filled(tmp_path: Path) -> Project:
    return make_filled(tmp_path / "lyq")


def records_of(project: Project) -> tuple[ImageRecord, ...]:
    return tuple(read_dataset(project).records)


def step_of(pilot: WizardPilot) -> StepName:
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, WizardScreen)
    return screen.current


# moving


@pytest.mark.parametrize(
    ("keys", "step"),
    [
        (["j"], "images"), (["down"], "images"), (["j", "j", "k"], "images"),
        (["j", "up"], "project"), (["k"], "project"), (["G"], "run"), (["end"], "run"),
        (["G", "j"], "run"), (["G", "g"], "project"), (["G", "home"], "project"),
        (["n"], "images"), (["n", "n"], "base"), (["n", "n", "n"], "check"),
        (["G", "n"], "images"),
    ],
)  # fmt: skip
def test_keys_go_from_step_to_step(bare: Project, keys: list[str], step: StepName) -> None:
    async def move(pilot: WizardPilot) -> None:
        await press(pilot, *keys)
        assert step_of(pilot) == step

    play(bare, move, at="project")


def test_the_step_where_one_was_is_where_one_lands(bare: Project) -> None:
    async def go(pilot: WizardPilot) -> None:
        assert step_of(pilot) == "images"  # the first that is due
        await press(pilot, "G", "k")

    async def land(pilot: WizardPilot) -> None:
        assert step_of(pilot) == "check"

    play(bare, go)
    play(bare, land)


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c", "ctrl+q"])
def test_leaving_keeps_the_place(bare: Project, key: str) -> None:
    async def leave(pilot: WizardPilot) -> None:
        await press(pilot, "j", "j")
        await pilot.press(key)
        await pilot.pause()
        assert pilot.app._exit

    play(bare, leave, at="project")
    assert (bare.private / "wizard-step").read_text() == "base\n"


def test_when_nothing_is_due_n_says_so(filled: Project) -> None:
    async def go(pilot: WizardPilot) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, WizardScreen)
        for step in STEPS:
            await press(pilot, "n")
            at = step_of(pilot)
            assert screen.survey is not None
            assert screen.survey.find(at).state == "due", step

    play(filled, go)


def test_question_mark_lists_the_keys_of_the_step(filled: Project) -> None:
    async def look(pilot: WizardPilot) -> None:
        await press(pilot, "question_mark")
        assert is_on(pilot, HelpScreen)
        assert "add photos by a typed path or pattern" in screen_text(pilot)
        assert "mask the subject" not in screen_text(pilot)

    play(filled, look, (100, 40), at="images")


def test_the_panel_scrolls_with_capital_j_and_k(filled: Project) -> None:
    for index in range(4, 24):
        save_photo(filled.root / "more" / f"S{index}.jpg", (40, 40), seed=index)

    async def scroll(pilot: WizardPilot) -> None:
        await press(pilot, "p", f":{filled.root}/more", "enter", "enter")
        first = screen_text(pilot)
        assert "24 images" in first
        await press(pilot, "J")
        assert "24 images" not in screen_text(pilot)
        await press(pilot, "K")
        assert screen_text(pilot) == first
        await press(pilot, "ctrl+d", "ctrl+u", "pagedown", "pageup")
        assert screen_text(pilot) == first

    play(filled, scroll, at="images")


# what the steps open


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("project", AboutScreen), ("images", ReviewScreen), ("base", PickScreen),
        ("review", ReviewScreen), ("clean", CleanScreen), ("settings", SettingsScreen),
        ("check", CheckScreen),
    ],
)  # fmt: skip
def test_enter_opens_the_step_and_escape_comes_back(
    filled: Project, step: StepName, kind: type
) -> None:
    async def open_it(pilot: WizardPilot) -> None:
        await press(pilot, "enter")
        assert is_on(pilot, kind)
        await press(pilot, "escape")
        assert is_on(pilot, WizardScreen)
        assert step_of(pilot) == step

    play(filled, open_it, at=step)


def test_without_images_the_step_opens_the_files(bare: Project) -> None:
    async def open_it(pilot: WizardPilot) -> None:
        await press(pilot, "enter")
        assert is_on(pilot, FileDialog)
        await press(pilot, "escape", "a")
        assert is_on(pilot, FileDialog)

    play(bare, open_it, at="images")


@pytest.mark.parametrize(
    ("step", "key", "kind"),
    [
        ("images", "a", FileDialog), ("images", "p", PathScreen), ("base", "f", FileDialog),
        ("base", "i", PathScreen), ("crop", "b", PickScreen), ("crop", "x", ChoiceScreen),
        ("captions", "m", PickScreen), ("captions", "x", ChoiceScreen), ("captions", "r", ReviewScreen),
        ("tags", "m", PickScreen), ("tags", "t", TagsScreen), ("tags", "x", ChoiceScreen),
        ("review", "t", TagsScreen), ("clean", "t", TagsScreen), ("clean", "r", ReviewScreen),
        ("check", "e", SettingsScreen),
    ],
)  # fmt: skip
def test_keys_of_a_step_open_their_screen(
    filled: Project, step: StepName, key: str, kind: type
) -> None:
    async def open_it(pilot: WizardPilot) -> None:
        await press(pilot, key)
        assert is_on(pilot, kind)
        await press(pilot, "escape")
        assert is_on(pilot, WizardScreen)

    play(filled, open_it, at=step)


@pytest.mark.parametrize(
    ("step", "key"),
    [
        ("captions", "r"),
        ("tags", "t"),
        ("crop", "c"),
        ("crop", "o"),
        ("crop", "x"),
        ("project", "a"),
        ("images", "m"),
        ("run", "z"),
        ("run", "a"),
        ("base", "d"),
    ],
)
def test_keys_that_have_nothing_to_do_do_nothing(bare: Project, step: StepName, key: str) -> None:
    before = bare.spec.read_bytes()

    async def try_it(pilot: WizardPilot) -> None:
        await press(pilot, key)
        assert is_on(pilot, WizardScreen)

    play(bare, try_it, at=step)
    assert bare.spec.read_bytes() == before


def test_a_tag_chosen_on_the_tags_screen_filters_the_review(filled: Project) -> None:
    async def choose(pilot: WizardPilot) -> None:
        await press(pilot, "t", "enter")
        assert is_on(pilot, ReviewScreen)
        assert "filter: tag:" in screen_text(pilot)

    play(filled, choose, at="tags")


# photos


def test_a_typed_path_adds_photos(bare: Project, tmp_path: Path) -> None:
    photos = tmp_path / "in"
    for seed in range(3):
        save_photo(photos / f"P{seed}.jpg", seed=seed)

    async def add(pilot: WizardPilot) -> None:
        await press(pilot, "p", f":{photos}")
        assert "✓ it is here" in screen_text(pilot)
        await press(pilot, "enter")
        assert is_on(pilot, JobScreen)
        assert "✓ done" in screen_text(pilot)
        assert "3 added" in screen_text(pilot)
        await press(pilot, "enter")
        assert "3 images" in screen_text(pilot)

    play(bare, add, at="images")
    assert len(records_of(bare)) == 3
    assert sorted(path.name for path in photos.iterdir()) == ["P0.jpg", "P1.jpg", "P2.jpg"]


def test_tab_completes_a_typed_path(bare: Project, tmp_path: Path) -> None:
    for name in ("holiday-1", "holiday-2"):
        save_photo(tmp_path / name / "P.jpg")

    async def complete(pilot: WizardPilot) -> None:
        await press(pilot, "p", f":{tmp_path}/hol", "tab")
        assert "holiday-" in screen_text(pilot)
        assert "holiday-1/" in screen_text(pilot)
        assert "holiday-2/" in screen_text(pilot)
        await press(pilot, ":2", "tab", "enter")
        assert "1 added" in screen_text(pilot)

    play(bare, complete, at="images")


def test_a_path_that_is_not_there_is_said_before_and_after(bare: Project) -> None:
    async def add(pilot: WizardPilot) -> None:
        await press(pilot, "p", ":/nowhere/at/all")
        assert "not here" in screen_text(pilot)
        await press(pilot, "enter")
        assert "no such file or folder" in screen_text(pilot)
        assert "✗ not all went well" in screen_text(pilot)

    play(bare, add, at="images")
    assert records_of(bare) == ()


def test_photos_marked_in_the_file_dialog_are_added(
    bare: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for seed in range(3):
        save_photo(home / f"P{seed}.jpg", seed=seed)
    monkeypatch.setenv("HOME", str(home))

    async def add(pilot: WizardPilot) -> None:
        await press(pilot, "a", "j", "space", "space", "enter")
        await wait_for(pilot, "2 added")

    play(bare, add, at="images")
    assert len(records_of(bare)) == 2


# the base model


def test_a_typed_base_goes_into_the_spec_with_its_hash(bare: Project, tiny_base: Path) -> None:
    async def choose(pilot: WizardPilot) -> None:
        await press(pilot, "i", f":{tiny_base}", "enter")
        await wait_for(pilot, "Stable Diffusion 1.x")

    play(bare, choose, at="base")
    base = load_spec(bare.spec).base
    assert base.checkpoint == "tiny"
    assert len(base.sha256) == 64


def test_bases_that_are_here_are_offered_and_others_are_not(bare: Project, tiny_base: Path) -> None:
    bare.models.mkdir()
    shutil.copytree(tiny_base, bare.models / "tiny")
    (bare.models / "lora.safetensors").write_bytes(b"no base at all")

    async def choose(pilot: WizardPilot) -> None:
        await press(pilot, "enter")
        assert "tiny  Stable Diffusion 1.x" in screen_text(pilot)
        assert "lora.safetensors" not in screen_text(pilot)
        await press(pilot, "enter")

    play(bare, choose, at="base")
    assert load_spec(bare.spec).base.checkpoint == "tiny"


def test_a_file_that_is_no_base_is_refused_and_the_spec_stays(
    bare: Project, tmp_path: Path
) -> None:
    file = tmp_path / "face.safetensors"
    file.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    before = bare.spec.read_bytes()

    async def choose(pilot: WizardPilot) -> None:
        await press(pilot, "i", f":{file}", "enter")
        assert is_on(pilot, JobScreen)
        assert "face.safetensors" in screen_text(pilot)
        assert "✗ not all went well" in screen_text(pilot)

    play(bare, choose, at="base")
    assert bare.spec.read_bytes() == before


def test_a_hub_id_without_a_network_is_a_sentence(bare: Project) -> None:
    async def choose(pilot: WizardPilot) -> None:
        await press(pilot, "i", ":someone/some-model")
        assert "not here" in screen_text(pilot)
        await press(pilot, "enter")
        assert "HF_HUB_OFFLINE" in screen_text(pilot)

    play(bare, choose, (100, 30), at="base")
    assert load_spec(bare.spec).base.checkpoint in ("", "someone/some-model")


# words


def test_the_model_of_a_step_is_chosen_from_a_list(filled: Project) -> None:
    async def choose(pilot: WizardPilot) -> None:
        await press(pilot, "m", ":blip-base", "enter")

    play(filled, choose, at="captions")
    assert load_spec(filled.spec).caption.model == "Salesforce/blip-image-captioning-base"


def test_the_background_is_chosen_from_a_list_or_typed(filled: Project) -> None:
    async def choose(pilot: WizardPilot) -> None:
        await press(pilot, "b", ":blur", "enter")
        assert load_spec(filled.spec).cutout.background == "blur"
        await press(pilot, "b", ":another", "enter", ":#102030", "enter")

    play(filled, choose, at="crop")
    assert load_spec(filled.spec).cutout.background == "#102030"


def test_a_model_that_is_missing_is_said_by_the_job(filled: Project) -> None:
    async def tag(pilot: WizardPilot) -> None:
        await press(pilot, "x", "y")
        assert is_on(pilot, JobScreen)
        assert "✗ not all went well" in screen_text(pilot)
        assert "wd-swinv2-tagger-v3" in screen_text(pilot)

    play(filled, tag, (100, 30), at="tags")


def test_doing_it_again_is_asked_for_first(filled: Project) -> None:
    async def refuse(pilot: WizardPilot) -> None:
        await press(pilot, "x", "n")
        assert is_on(pilot, WizardScreen)

    play(filled, refuse, at="tags")


def test_crops_are_counted_without_being_set(filled: Project) -> None:
    async def count(pilot: WizardPilot) -> None:
        await press(pilot, "c")
        assert "would be" in screen_text(pilot) or "0" in screen_text(pilot)
        assert "✓ done" in screen_text(pilot)

    play(filled, count, at="crop")
    assert all(record.crop is None for record in records_of(filled))


def test_rules_are_shown_then_applied_then_taken_back_and_done_again(filled: Project) -> None:
    before = records_of(filled)

    async def clean(pilot: WizardPilot) -> None:
        await press(pilot, "enter")
        assert "4 images would change" in screen_text(pilot)
        assert "-smile" in screen_text(pilot)
        assert records_of(filled) == before
        await press(pilot, "a")
        assert "0 images would change" in screen_text(pilot)
        assert all("smile" not in record.tags for record in records_of(filled))
        await press(pilot, "escape")
        assert "all of them are applied" in screen_text(pilot)
        await press(pilot, "u")
        assert records_of(filled) == before
        await press(pilot, "ctrl+r")
        assert all("smile" not in record.tags for record in records_of(filled))
        await press(pilot, "ctrl+z")
        assert records_of(filled) == before
        await press(pilot, "ctrl+y")

    play(filled, clean, at="clean")
    assert all("smile" not in record.tags for record in records_of(filled))


def test_an_edit_made_while_rules_are_previewed_is_not_overwritten(filled: Project) -> None:
    async def clean(pilot: WizardPilot) -> None:
        await press(pilot, "enter")
        text = filled.dataset.read_text("utf-8")
        filled.dataset.write_text(text.replace("a woman", "a tall woman", 1), "utf-8")
        await press(pilot, "a")

    play(filled, clean, at="clean")
    assert [record.caption for record in records_of(filled)].count("a tall woman") == 1


def test_r_replays_the_rules_after_the_spec_was_changed(filled: Project) -> None:
    async def clean(pilot: WizardPilot) -> None:
        await press(pilot, "enter")
        text = filled.spec.read_text("utf-8")
        filled.spec.write_text(text.replace('tags = ["smile"]', 'tags = ["red coat"]'), "utf-8")
        await press(pilot, "r")
        assert "-red coat" in screen_text(pilot)
        await press(pilot, "G", "g", "j", "k", "ctrl+d", "ctrl+u")
        assert "-red coat" in screen_text(pilot)

    play(filled, clean, at="clean")


# project


def test_name_trigger_and_class_word_are_written_together(bare: Project) -> None:
    async def fill(pilot: WizardPilot) -> None:
        await press(pilot, "enter", "down", "ctrl+u", ":zkw", "tab", "ctrl+u", ":dog", "ctrl+s")
        assert is_on(pilot, WizardScreen)

    play(bare, fill, at="project")
    about = load_spec(bare.spec).project
    assert (about.name, about.trigger, about.class_word) == ("lyq", "zkw", "dog")


def test_a_name_that_cannot_be_one_is_refused_in_a_sentence(bare: Project) -> None:
    before = bare.spec.read_bytes()

    async def fill(pilot: WizardPilot) -> None:
        await press(pilot, "enter", "ctrl+u", ":a/b", "enter")
        assert is_on(pilot, AboutScreen)
        assert "letters, digits, dots" in screen_text(pilot)
        await press(pilot, "escape")
        assert is_on(pilot, WizardScreen)

    play(bare, fill, at="project")
    assert bare.spec.read_bytes() == before


# runs


def test_a_run_that_cannot_start_says_why(bare: Project) -> None:
    async def start(pilot: WizardPilot) -> None:
        await press(pilot, "s")
        assert is_on(pilot, JobScreen)
        assert "✗ not all went well" in screen_text(pilot)
        await press(pilot, "escape")
        assert is_on(pilot, WizardScreen)

    play(bare, start, at="run")
    assert not bare.runs.exists() or not list(bare.runs.iterdir())


# another terminal


def test_what_another_terminal_changes_appears(filled: Project) -> None:
    async def watch(pilot: WizardPilot) -> None:
        assert "trigger: lyq" in screen_text(pilot)
        text = filled.spec.read_text("utf-8")
        filled.spec.write_text(text.replace('trigger = "lyq"', 'trigger = "zkw"'), "utf-8")
        await wait_for(pilot, "trigger: zkw")

    play(filled, watch, at="project")


def test_a_spec_that_was_broken_by_hand_says_where_and_heals(filled: Project) -> None:
    text = filled.spec.read_text("utf-8")

    async def watch(pilot: WizardPilot) -> None:
        filled.spec.write_text(text + "\n[network\n", "utf-8")
        await wait_for(pilot, "lorawiz.toml:")
        filled.spec.write_text(text, "utf-8")
        await wait_for(pilot, "trigger: lyq")

    play(filled, watch, at="project")


def test_a_broken_line_of_the_dataset_says_where(filled: Project) -> None:
    filled.dataset.write_text(filled.dataset.read_text("utf-8") + "{\n", "utf-8")

    async def look(pilot: WizardPilot) -> None:
        assert "dataset.jsonl:5" in screen_text(pilot)

    play(filled, look, at="images")


@pytest.mark.skipif(os.geteuid() != 0, reason="links of root's own")
def test_a_project_on_a_folder_that_cannot_be_written_can_be_looked_at(filled: Project) -> None:
    (filled.private / "wizard-step").unlink(missing_ok=True)
    filled.private.mkdir(exist_ok=True)
    (filled.private / "wizard-step").mkdir()  # what cannot be written, also by root

    async def look(pilot: WizardPilot) -> None:
        await press(pilot, "j", "j")
        await settle(pilot)
        assert "Steps" in screen_text(pilot)

    play(filled, look)
