"""`e`: the user's own editor over lorawiz.toml, and what the form does with what it left."""

import os
from pathlib import Path

import pytest

from lorawiz.errors import ProjectError
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.spec.lines import find_line
from lorawiz.tui.settings.editor import build_command, find_editor
from tests.tui.conftest import CompareGolden
from tests.tui.panel import screen_text, wait_until
from tests.tui.settings_support import SettingsPilot, make_settings_project, play, use_editor

REPLACE_SEED = "path.write_text(path.read_text().replace('seed = 42', {new!r}))"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_settings_project(tmp_path)


def test_e_opens_the_file_at_the_settings_line_and_reads_it_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = use_editor(monkeypatch, tmp_path, REPLACE_SEED.format(new="seed = 1234  # mine"))
    line = find_line(project.spec.read_text(), "train.seed")

    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("e")
        assert "read again" in screen_text(pilot)
        assert "▸●◆ seed 1234" in " ".join(screen_text(pilot).split())
        await pilot.press("e")
        assert "nothing was changed" in screen_text(pilot)

    play(project, edit, at_key="train.seed")
    assert log.read_text().splitlines() == [f"+{line} {project.spec}"] * 2
    assert "seed = 1234  # mine\n" in project.spec.read_text()


def test_a_setting_that_is_not_in_the_file_opens_at_its_table(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = use_editor(monkeypatch, tmp_path, "")
    text = project.spec.read_text()
    play(project, lambda pilot: pilot.press("e"), at_key="train.unet_lr")
    play(project, lambda pilot: pilot.press("e"), at_key="clean.1")
    play(project, lambda pilot: pilot.press("e"), at_key="crop.margin")
    lines = [find_line(text, "train"), find_line(text, "clean.1")]
    opened = [*(f"+{line} {project.spec}" for line in lines), str(project.spec)]
    assert log.read_text().splitlines() == opened


def test_a_file_that_is_wrong_now_is_told_and_opened_again_and_never_written(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compare_golden: CompareGolden
) -> None:
    log = use_editor(monkeypatch, tmp_path, REPLACE_SEED.format(new="seed = nope"))
    line = find_line(project.spec.read_text(), "train.seed")

    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("e")
        assert f"lorawiz.toml:{line}: not valid TOML" in screen_text(pilot)
        assert "e  open it again there" in screen_text(pilot)
        await pilot.press("escape")
        compare_golden("settings-failure-80x24", screen_text(pilot))
        broken = project.spec.read_text()
        # nothing that edits does anything
        await pilot.press("d", "T", "space", "enter", "right", "c", "u", "j", "tab", "escape")
        assert project.spec.read_text() == broken
        use_editor(monkeypatch, tmp_path, "path.write_text(path.read_text().replace('nope', '-4'))")
        await pilot.press("e")
        assert f"lorawiz.toml:{line}: train.seed = -4: expected 0 or more" in screen_text(pilot)
        use_editor(monkeypatch, tmp_path, "path.write_text(path.read_text().replace('-4', '4'))")
        await pilot.press("e")
        assert "mistake" not in screen_text(pilot)

    play(project, edit, at_key="train.seed")
    assert log.read_text().splitlines() == [f"+{line} {project.spec}"] * 3
    assert load_spec(project.spec).train.seed == 4


def test_mistakes_stand_where_they_belong_and_can_be_mended_in_the_form(
    project: Project, compare_golden: CompareGolden
) -> None:
    text = project.spec.read_text().replace("seed = 42", "seed = -4")
    project.spec.write_text(text)

    async def mend(pilot: SettingsPilot) -> None:
        compare_golden("settings-mistake-80x24", screen_text(pilot))
        await pilot.press("d")
        await wait_until(pilot, lambda: "mistake" not in screen_text(pilot))

    play(project, mend, at_key="train.seed")
    assert project.spec.read_text() == text.replace("seed = -4\n", "")


def test_what_two_settings_do_together_stands_at_both(project: Project) -> None:
    text = project.spec.read_text().replace("[dataset]", "[dataset]\nmin_bucket_reso = 2048")
    project.spec.write_text(text)

    async def look(pilot: SettingsPilot) -> None:
        shown = screen_text(pilot)
        assert "●⚠ min_bucket_reso    2048" in shown
        assert " ⚠ max_bucket_reso    1024" in shown
        assert "⚠ enable_bucket" not in shown
        assert "dataset: min_bucket_reso is larger than" in shown
        assert "⚠ 1 mistake" in shown

    play(project, look, at_key="dataset.min_bucket_reso")


def test_unknown_keys_and_tables_have_a_line_too(project: Project) -> None:
    text = project.spec.read_text().replace("dim = 16", "dmi = 16") + "\n[trian]\nx = 1\n"
    project.spec.write_text(text)

    async def look(pilot: SettingsPilot) -> None:
        assert "▸●⚠ dmi" in screen_text(pilot)
        assert "did you mean dim?" in screen_text(pilot)
        await pilot.press("K", "K", "K", "K", "K", "G")
        for _ in range(12):
            if "trian" not in screen_text(pilot):
                await pilot.press("tab", "G")
        assert "▸●⚠ trian" in screen_text(pilot)
        assert "did you mean [train]?" in screen_text(pilot)

    play(project, look, at_key="network.dmi")


def test_an_editor_that_fails_or_is_not_there_is_told(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_editor(monkeypatch, tmp_path, "sys.exit(3)")

    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("e")
        assert "vim ended with 3" in screen_text(pilot)
        monkeypatch.setenv("EDITOR", "/nowhere/ed")
        await pilot.press("e")
        assert "the editor did not start: /nowhere/ed" in screen_text(pilot)
        monkeypatch.setenv("EDITOR", "vim 'x")
        await pilot.press("e")
        await wait_until(pilot, lambda: "EDITOR is no command" in screen_text(pilot))

    play(project, edit, (120, 24))


def test_a_terminal_that_cannot_be_lent_says_what_to_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "/bin/true")

    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("e")
        await wait_until(pilot, lambda: "cannot be lent to an editor" in screen_text(pilot))
        assert "what is saved" in " ".join(screen_text(pilot).split())

    play(project, edit, (120, 24))


@pytest.mark.parametrize(
    ("editor", "arguments"),
    [
        (["vim", "-u", "NONE"], ["vim", "-u", "NONE", "+14", "/p/f.toml"]),
        (["/usr/bin/nano"], ["/usr/bin/nano", "+14", "/p/f.toml"]),
        (["hx"], ["hx", "/p/f.toml:14"]),
        (["code", "--wait"], ["code", "--wait", "--goto", "/p/f.toml:14"]),
        (["my-editor"], ["my-editor", "/p/f.toml"]),
    ],
)
def test_editors_are_told_the_line_in_their_own_way(
    editor: list[str], arguments: list[str]
) -> None:
    assert build_command(editor, Path("/p/f.toml"), 14) == arguments
    assert build_command(editor, Path("/p/f.toml"), None) == [*editor, "/p/f.toml"]


def test_visual_goes_before_editor_and_vi_before_nano(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "nvim -R")
    monkeypatch.setenv("EDITOR", "nano")
    assert find_editor() == ["nvim", "-R"]
    monkeypatch.setenv("VISUAL", " ")
    assert find_editor() == ["nano"]
    monkeypatch.delenv("EDITOR")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProjectError, match="no editor here"):
        find_editor()
    for name in ("nano", "vi"):
        (tmp_path / name).touch(0o755)
        assert find_editor() == [name]
    assert os.environ["VISUAL"] == " "
