"""The check screen: every key and what it leaves on the disk."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.dataset.records import load_dataset, save_dataset
from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.spec.document import set_value, unset_value
from lorawiz.tui.check import screen as screen_module
from lorawiz.tui.check.checking import CheckResult, Progress
from lorawiz.tui.review.screen import ReviewScreen
from lorawiz.tui.screens.dialogs import ChoiceScreen
from lorawiz.tui.screens.files import FileDialog
from lorawiz.tui.settings.screen import SettingsScreen
from tests.preflight.test_rules import GOOD, MACHINE, add_copy
from tests.support.projects import link_base, make_project
from tests.tui.check_support import (
    CheckPilot,
    check_of,
    codes_of,
    go_to,
    jobs,
    play,
    press,
    press_key,
    settle,
    use_machine,
)
from tests.tui.panel import screen_text, wait_until

assert jobs  # a fixture
TEN = {**GOOD, "network.dim": "4", "network.alpha": "1", "train.learning_rate": "0.1"}
"""Two warnings that settings heal, and no base, which is taken for one of full size."""
LEFT = ["base-unset", "training-on-cpu"]


@pytest.fixture(autouse=True)
def same_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    use_machine(monkeypatch, MACHINE)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "lyq", settings=TEN)


@pytest.mark.parametrize("key", ["f", "enter"])
def test_a_fix_sets_its_setting_and_says_what_it_was(project: Project, key: str) -> None:
    async def fix(pilot: CheckPilot) -> None:
        warnings = ["learning-rate-unusual", "alpha-scale"]
        assert codes_of(pilot) == [LEFT[0], *warnings, LEFT[1]]
        await go_to(pilot, "alpha-scale")
        assert "f network.alpha: 1 → 2" in screen_text(pilot)
        await press_key(pilot, key)
        assert codes_of(pilot) == [LEFT[0], warnings[0], LEFT[1]]
        assert "network.alpha: 1 → 2" in screen_text(pilot).splitlines()[0]

    play(project, fix)
    assert load_spec(project.spec).network.alpha == 2


def test_undo_gives_back_the_very_bytes(project: Project) -> None:
    before = project.spec.read_bytes()
    press(project, "j", "f", "u")
    assert project.spec.read_bytes() == before
    press(project, "j", "f")
    assert project.spec.read_bytes() != before
    # a later session goes on with what the settings remember
    press(project, "u")
    assert project.spec.read_bytes() == before


def test_undo_without_a_fix_says_so(project: Project) -> None:
    async def undo(pilot: CheckPilot) -> None:
        await pilot.press("u")
        await wait_until(pilot, lambda: "nothing to undo" in screen_text(pilot))

    before = project.spec.read_bytes()
    play(project, undo)
    assert project.spec.read_bytes() == before


def test_all_setting_fixes_are_listed_then_made_then_undone_together(project: Project) -> None:
    before = project.spec.read_bytes()

    async def fix(pilot: CheckPilot) -> None:
        await pilot.press("F")
        text = screen_text(pilot)
        assert "Change 2 settings?" in text
        assert "network.alpha: 1 → 2" in text
        assert "train.learning_rate: 0.1 → 1e-4" in text
        await pilot.press("n")
        assert project.spec.read_bytes() == before
        await pilot.press("F")
        await press_key(pilot, "y")
        assert codes_of(pilot) == LEFT
        spec = load_spec(project.spec)
        assert (spec.network.alpha, spec.train.learning_rate) == (2, 1e-4)
        assert "F fix all" not in screen_text(pilot)
        await press_key(pilot, "u")
        assert len(codes_of(pilot)) == 4

    play(project, fix)
    assert project.spec.read_bytes() == before


def test_a_setting_that_was_changed_elsewhere_is_not_overwritten(project: Project) -> None:
    async def fix(pilot: CheckPilot) -> None:
        await go_to(pilot, "alpha-scale")
        set_value(project.spec, "network.alpha", "0.5")
        await pilot.press("f")
        await wait_until(pilot, lambda: "changed elsewhere" in screen_text(pilot))

    play(project, fix)
    assert load_spec(project.spec).network.alpha == 0.5


def test_the_settings_open_at_the_finding_and_their_change_is_checked(project: Project) -> None:
    async def edit(pilot: CheckPilot) -> None:
        await go_to(pilot, "learning-rate-unusual")
        await pilot.press("e")
        settings = pilot.app.screen
        assert isinstance(settings, SettingsScreen)
        assert settings.session.current is not None
        assert settings.session.current.key == "train.learning_rate"
        set_value(project.spec, "train.learning_rate", "1e-4")
        await pilot.press("escape")
        await settle(pilot)
        assert "learning-rate-unusual" not in codes_of(pilot)

    play(project, edit)


def test_a_value_that_only_the_user_knows_is_typed_in_the_settings(project: Project) -> None:
    set_value(project.spec, "project.trigger", "")

    async def edit(pilot: CheckPilot) -> None:
        await go_to(pilot, "trigger-unset")
        await pilot.press("f")
        settings = pilot.app.screen
        assert isinstance(settings, SettingsScreen)
        assert settings.session.current is not None
        assert settings.session.current.key == "project.trigger"

    play(project, edit)


@pytest.mark.parametrize("keys", [["R"], ["G", "enter"]])
def test_the_run_starts_where_there_is_no_error(
    tmp_path: Path, tiny_base: Path, keys: list[str]
) -> None:
    project = make_project(tmp_path / "p", settings=GOOD)
    link_base(project, tiny_base)
    assert press(project, *keys).return_value == "run"


@pytest.mark.parametrize("keys", [["R"], ["G", "enter"], ["q"], ["escape"], ["ctrl+c"]])
def test_leaving_with_an_error_starts_nothing(project: Project, keys: list[str]) -> None:
    assert press(project, *keys).return_value is None


def test_what_this_machine_lacks_keeps_the_run_from_starting(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "p", settings=GOOD)
    link_base(project, tiny_base)
    use_machine(monkeypatch, replace(MACHINE, missing_packages=("torch",), torch=None))

    async def start(pilot: CheckPilot) -> None:
        await pilot.press("R")
        assert "✗ 1 error" in screen_text(pilot)
        await press_key(pilot, "f")
        assert "not from here" in screen_text(pilot)
        await pilot.press("G")
        text = screen_text(pilot)
        assert "1 error keeps the run from starting." in text
        assert "not checked here" in text

    assert play(project, start).return_value is None


def test_a_run_is_not_started_on_a_check_of_other_files(tmp_path: Path, tiny_base: Path) -> None:
    project = make_project(tmp_path / "p", settings=GOOD)
    link_base(project, tiny_base)

    async def start(pilot: CheckPilot) -> None:
        unset_value(project.spec, "base.checkpoint")
        await press_key(pilot, "R")
        assert codes_of(pilot) == LEFT

    assert play(project, start).return_value is None


def test_infos_are_hidden_and_shown(project: Project) -> None:
    set_value(project.spec, "dataset.flip_aug", "true")

    async def hide(pilot: CheckPilot) -> None:
        assert codes_of(pilot)[-2:] == ["flip-on-face", "training-on-cpu"]
        await pilot.press("G", "k", "i")
        assert not {"flip-on-face", "training-on-cpu"} & set(codes_of(pilot))
        assert "· 2 infos (hidden)" in screen_text(pilot)
        await pilot.press("i")
        assert codes_of(pilot)[-2:] == ["flip-on-face", "training-on-cpu"]

    play(project, hide)


def test_moving(project: Project) -> None:
    async def move(pilot: CheckPilot) -> None:
        session, places = check_of(pilot).session, []
        for key in ("j", "down", "k", "up", "G", "g", "ctrl+d", "ctrl+u", "end", "home", "k"):
            await pilot.press(key)
            places.append(session.cursor)
        assert places == [1, 2, 1, 0, 4, 0, 4, 0, 4, 0, 0]

    play(project, move)


def test_a_click_goes_there_and_a_second_one_fixes(project: Project) -> None:
    async def click(pilot: CheckPilot) -> None:
        place = codes_of(pilot).index("alpha-scale")
        await pilot.click("#findings", offset=(5, place))
        assert check_of(pilot).session.cursor == place
        assert load_spec(project.spec).network.alpha == 1
        await pilot.click("#findings", offset=(5, place))
        await settle(pilot)

    play(project, click)
    assert load_spec(project.spec).network.alpha == 2


def test_check_again_and_what_others_change(project: Project) -> None:
    async def change(pilot: CheckPilot) -> None:
        set_value(project.spec, "network.alpha", "2")
        await press_key(pilot, "r")
        assert "alpha-scale" not in codes_of(pilot)
        set_value(project.spec, "network.alpha", "1")
        await wait_until(pilot, lambda: "alpha-scale" in codes_of(pilot), 15)
        assert "changed elsewhere: checked again" in screen_text(pilot)

    play(project, change)


def test_the_whole_plan_and_back(project: Project) -> None:
    async def look(pilot: CheckPilot) -> None:
        assert "cached in work/" not in screen_text(pilot)
        await pilot.press("p")
        assert "cached in work/" in screen_text(pilot)
        await pilot.press("G", "f", "enter", "F", "i", "o")  # what cannot be seen is not fixed
        assert pilot.app.screen is check_of(pilot)
        await pilot.press("escape")
        assert "cached in work/" not in screen_text(pilot)
        assert pilot.app.is_running
        await pilot.press("p", "p")
        assert "cached in work/" not in screen_text(pilot)

    before = project.spec.read_bytes()
    play(project, look)
    assert project.spec.read_bytes() == before


def test_the_review_shows_the_images_concerned_and_a_rejected_one_is_no_finding_any_more(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path / "p", settings=GOOD)
    add_copy("soft.jpg", blur=6)(project)

    async def look(pilot: CheckPilot) -> None:
        await go_to(pilot, "images-blurred")
        await pilot.press("f")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ReviewScreen))
        review = pilot.app.screen
        assert isinstance(review, ReviewScreen)
        assert [
            review.session.record_at(n).image_path for n in range(len(review.session.shown))
        ] == ["images/soft.jpg"]
        await pilot.press("space")
        await wait_until(pilot, lambda: review.session.num_kept == 4)
        await pilot.press("q")
        await settle(pilot)
        assert "images-blurred" not in codes_of(pilot)

    play(project, look)
    assert [r.image_path for r in read_dataset(project).records if not r.keep] == [
        "images/soft.jpg"
    ]


def test_images_that_no_filter_names_are_shown_exactly(project: Project) -> None:
    first, *rest = load_dataset(project.dataset).records
    twins = [replace(first, tags=("smile",)), *rest]
    save_dataset(project.dataset, load_dataset(project.dataset).with_records(twins))

    async def look(pilot: CheckPilot) -> None:
        await go_to(pilot, "trigger-absent")
        await pilot.press("o")
        assert isinstance(pilot.app.screen, ChoiceScreen)
        await pilot.press("3")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ReviewScreen))
        review = pilot.app.screen
        assert isinstance(review, ReviewScreen)
        assert [review.session.record_at(n) for n in range(len(review.session.shown))] == twins[:1]
        assert review.session.filter.text == 'name:"IMG_0000.jpg"'

    play(project, look)


def test_another_way_adds_a_rule_and_cleans_and_is_undone(project: Project) -> None:
    records = [replace(r, tags=("smile",)) for r in load_dataset(project.dataset).records]
    save_dataset(project.dataset, load_dataset(project.dataset).with_records(records))
    before = project.spec.read_bytes()

    async def add(pilot: CheckPilot) -> None:
        await go_to(pilot, "trigger-absent")
        await pilot.press("o", "escape")
        assert project.spec.read_bytes() == before
        await pilot.press("o")
        await press_key(pilot, "2")
        assert [rule.rule for rule in load_spec(project.spec).clean] == ["prepend"]
        assert all(r.tags == ("lyq", "smile") for r in read_dataset(project).records)
        assert "trigger-absent" not in codes_of(pilot)
        await press_key(pilot, "u")

    play(project, add)
    assert project.spec.read_bytes() == before
    assert all(r.tags == ("smile",) for r in read_dataset(project).records)


def test_a_command_runs_in_its_own_screen(
    project: Project, jobs: list[tuple[Path, list[str]]]
) -> None:
    project.spec.write_text(
        project.spec.read_text() + '\n[[clean]]\nrule = "remove"\ntags = ["smile"]\n'
    )

    async def run(pilot: CheckPilot) -> None:
        await go_to(pilot, "clean-due")
        await pilot.press("f")
        assert jobs == [(project.root, ["clean"])]
        project.spec.write_text(project.spec.read_text().partition("\n[[clean]]")[0])
        await pilot.press("escape")
        await settle(pilot)
        assert "clean-due" not in codes_of(pilot)

    play(project, run)


def test_photos_are_chosen_and_added(
    tmp_path: Path, jobs: list[tuple[Path, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "p", num_images=0, settings=GOOD)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "-x.jpg").write_bytes(b"")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    async def choose(pilot: CheckPilot) -> None:
        await go_to(pilot, "images-none")
        await pilot.press("f")
        await wait_until(pilot, lambda: "-x.jpg" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: bool(jobs))
        assert jobs == [(project.root, ["add", "--", str(tmp_path / "home" / "-x.jpg")])]

    play(project, choose)


def test_a_base_is_chosen_from_the_disk(
    tmp_path: Path, tiny_single_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "p", settings=GOOD)
    monkeypatch.setenv("LORAWIZ_MODELS", str(tiny_single_file.parent))

    async def choose(pilot: CheckPilot) -> None:
        await press_key(pilot, "f")
        assert isinstance(pilot.app.screen, FileDialog)
        await wait_until(pilot, lambda: "▸  tiny.safetensors" in screen_text(pilot))
        await pilot.press("enter")
        await settle(pilot)
        assert "base-unset" not in codes_of(pilot)

    play(project, choose)
    spec = load_spec(project.spec)
    assert spec.base.checkpoint == "tiny.safetensors"
    assert len(spec.base.sha256) == 64
    assert (project.models / "tiny.safetensors").resolve() == tiny_single_file


def test_a_vae_is_named_as_it_is_found(
    tmp_path: Path, tiny_single_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "p", settings={**GOOD, "base.vae": "none.safetensors"})
    monkeypatch.setenv("LORAWIZ_MODELS", str(tiny_single_file.parent))

    async def choose(pilot: CheckPilot) -> None:
        await go_to(pilot, "vae-missing")
        await pilot.press("f")
        await wait_until(pilot, lambda: "▸  tiny.safetensors" in screen_text(pilot))
        await pilot.press("enter")
        await settle(pilot)

    play(project, choose)
    assert load_spec(project.spec).base.vae == "tiny.safetensors"


def test_a_run_that_is_gone_is_said(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    use_machine(monkeypatch, replace(MACHINE, active_run="lyq-0004"))

    async def watch(pilot: CheckPilot) -> None:
        await go_to(pilot, "run-active")
        await pilot.press("f")
        await wait_until(pilot, lambda: "lyq-0004: no such run" in screen_text(pilot))

    play(project, watch)


def test_a_file_that_is_no_toml_shows_its_line_and_opens_the_settings(project: Project) -> None:
    project.spec.write_text("schema = 1\n[train]\nseed = = 3\n")

    async def look(pilot: CheckPilot) -> None:
        text = screen_text(pilot)
        assert "lorawiz.toml:3: not valid TOML" in text
        assert "✗ not possible" in text
        await pilot.press("f", "F", "R", "j", "o", "i", "p", "p", "u")
        await pilot.press("e")
        assert isinstance(pilot.app.screen, SettingsScreen)
        project.spec.write_text("schema = 1\n[project]\nname = 'lyq'\n")
        await pilot.press("q")
        await settle(pilot)
        assert "base-unset" in codes_of(pilot)

    assert play(project, look).return_value is None


def test_the_screen_can_be_left_while_it_checks(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    begun: list[Progress] = []

    def wait(_project: Project, progress: Progress) -> CheckResult:
        begun.append(progress)
        progress.done, progress.total = 7, 60
        go_on.wait(30)
        raise AssertionError("nobody wants to know")

    monkeypatch.setattr(screen_module, "make_check", wait)

    async def leave(pilot: CheckPilot) -> None:
        await wait_until(pilot, lambda: "checking  7/60" in screen_text(pilot))
        assert "nothing is known yet" in screen_text(pilot)
        await pilot.press("j", "k", "f", "F", "R", "o", "i", "q")

    app = play(project, leave, is_settled=False)
    assert app.return_value is None
    assert begun[0].is_abandoned
    go_on.set()


def test_a_new_check_abandons_the_one_before(project: Project) -> None:
    async def check(pilot: CheckPilot) -> None:
        session = check_of(pilot).session
        await pilot.press("r", "r", "r")
        await settle(pilot)
        assert session.result is not None
        assert codes_of(pilot)[0] == "base-unset"

    play(project, check)


def test_hostile_names_are_shown_and_steer_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", settings=GOOD)
    add_copy("so\x1b[31mft[b].jpg", blur=6)(project)

    async def look(pilot: CheckPilot) -> None:
        await go_to(pilot, "images-blurred")
        text = screen_text(pilot)
        assert "so␛[31mft[b].jpg" in text
        assert "\x1b" not in text

    play(project, look)


def test_help_lists_the_keys(project: Project) -> None:
    async def ask(pilot: CheckPilot) -> None:
        await pilot.press("question_mark")
        text = screen_text(pilot)
        assert "fix all that settings can, after a list" in text
        assert "check again" in text

    play(project, ask)
