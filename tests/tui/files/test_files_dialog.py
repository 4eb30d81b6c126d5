"""The file dialog: every key, what it answers, and what it looks like."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from lorawiz.tui import folders
from lorawiz.tui.app import LorawizApp
from lorawiz.tui.folders import FolderContent
from lorawiz.tui.screens import files as files_module
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.screens.files import FileDialog
from tests.tui.conftest import CompareGolden
from tests.tui.panel import screen_text, wait_until

FilesPilot = Pilot[Any]
Scenario = Callable[[FilesPilot], Awaitable[None]]
PHOTOS = frozenset({".jpg", ".png"})


class Asker(BaseScreen[Any]):
    """Opens the dialog, and leaves with its answer."""

    def __init__(self, dialog: FileDialog) -> None:
        super().__init__()
        self._dialog = dialog

    def on_mount(self) -> None:
        self.app.push_screen(self._dialog, self.leave)


def play(
    dialog: FileDialog, scenario: Scenario | None = None, size: tuple[int, int] = (80, 24)
) -> Any:
    """Open the dialog, wait until its folder is read, and run `scenario`. Gives the answer."""
    app = LorawizApp(lambda _image_widget: Asker(dialog))

    async def play_scenario() -> None:
        async with app.run_test(size=size) as pilot:
            await wait_until(pilot, lambda: pilot.app.screen is dialog)
            await settle(pilot)
            if scenario is not None:
                await scenario(pilot)

    asyncio.run(play_scenario())
    return app.return_value


async def press(pilot: FilesPilot, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        if pilot.app.is_running and len(pilot.app.screen_stack) > 1:
            await settle(pilot)


async def settle(pilot: FilesPilot) -> None:
    """Until nothing is read or counted any more."""
    await pilot.pause()
    await wait_until(pilot, lambda: not any(worker.is_running for worker in pilot.app.workers))
    await pilot.pause()


def answer(dialog: FileDialog, *keys: str) -> Any:
    """What the dialog answers after these keys."""
    return play(dialog, lambda pilot: press(pilot, *keys))


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    """IMG_2.jpg, IMG_10.jpg, a.PNG, notes.txt, .hidden.jpg, sub/ with two photos, empty/."""
    folder = tmp_path / "pics"
    (folder / "sub").mkdir(parents=True)
    (folder / "empty").mkdir()
    for name in (
        "IMG_2.jpg",
        "IMG_10.jpg",
        "a.PNG",
        "notes.txt",
        ".hidden.jpg",
        "sub/b.jpg",
        "sub/c.JPG",
    ):
        (folder / name).write_bytes(b"x" * 1234)
    return folder


def test_enter_takes_the_file_at_the_cursor(pics: Path) -> None:
    # empty/, sub/, a.PNG, IMG_2.jpg, IMG_10.jpg
    assert answer(FileDialog("t", pics, "file", PHOTOS), "j", "j", "enter") == [pics / "a.PNG"]
    assert answer(FileDialog("t", pics, "file"), "G", "enter") == [pics / "notes.txt"]


@pytest.mark.parametrize("key", ["escape", "q", "ctrl+c", "ctrl+q"])
def test_leaving_takes_nothing(pics: Path, key: str) -> None:
    assert answer(FileDialog("t", pics, "file"), key) is None


@pytest.mark.parametrize("into", ["l", "right", "enter"])
def test_into_a_folder_and_back_up(pics: Path, into: str) -> None:
    dialog = FileDialog("t", pics, "file", PHOTOS)
    assert answer(dialog, "j", into, "j", "enter") == [pics / "sub" / "c.JPG"]


@pytest.mark.parametrize("up", ["h", "left", "backspace"])
def test_up_comes_back_to_the_folder_one_was_in(pics: Path, up: str) -> None:
    async def go(pilot: FilesPilot) -> None:
        await press(pilot, "j", "l", up)
        assert "▸  sub/" in screen_text(pilot)
        await press(pilot, up)
        assert "▸  pics/" in screen_text(pilot)

    play(FileDialog("t", pics, "file", PHOTOS), go)


def test_a_folder_is_taken_where_one_is_wanted(pics: Path) -> None:
    assert answer(FileDialog("t", pics, "folder"), "j", "enter") == [pics / "sub"]
    assert answer(FileDialog("t", pics, "any", PHOTOS), "j", "enter") == [pics / "sub"]
    assert answer(FileDialog("t", pics, "folder"), "g", "j", "enter") == [pics]
    # the first line is the folder above: it opens
    assert answer(FileDialog("t", pics, "folder"), "g", "enter", "g", "j", "enter") == [pics.parent]


def test_where_folders_are_wanted_no_file_is_shown(pics: Path) -> None:
    async def look(pilot: FilesPilot) -> None:
        assert "IMG" not in screen_text(pilot)

    play(FileDialog("t", pics, "folder"), look)


def test_several_are_marked_over_several_folders(pics: Path) -> None:
    dialog = FileDialog("t", pics, "file", PHOTOS, many=True)
    keys = ["G", "space", "g", "j", "j", "l", "j", "space", "enter"]
    assert answer(dialog, *keys) == [pics / "IMG_10.jpg", pics / "sub" / "c.JPG"]


def test_a_mark_is_taken_away_again(pics: Path) -> None:
    dialog = FileDialog("t", pics, "file", PHOTOS, many=True)
    assert answer(dialog, "G", "space", "space", "k", "enter") == [pics / "IMG_2.jpg"]


def test_all_that_are_shown_are_marked_or_none(pics: Path) -> None:
    dialog = FileDialog("t", pics, "any", PHOTOS, many=True)
    photos = [pics / name for name in ("a.PNG", "IMG_2.jpg", "IMG_10.jpg")]
    assert answer(dialog, "a", "enter") == photos
    dialog = FileDialog("t", pics, "any", PHOTOS, many=True)
    assert answer(dialog, "a", "a", "enter") == [pics / "empty"]


def test_nothing_is_marked_where_one_is_wanted(pics: Path) -> None:
    assert answer(FileDialog("t", pics, "file"), "G", "space", "a", "k", "enter") == [
        pics / "IMG_10.jpg"
    ]


def test_hidden_names_are_shown_and_hidden(pics: Path) -> None:
    async def look(pilot: FilesPilot) -> None:
        assert ".hidden.jpg" not in screen_text(pilot)
        await press(pilot, "full_stop")
        assert ".hidden.jpg" in screen_text(pilot)
        await press(pilot, "full_stop")
        assert ".hidden.jpg" not in screen_text(pilot)

    play(FileDialog("t", pics, "file", PHOTOS), look)


def test_a_filter_narrows_and_is_cleared(pics: Path) -> None:
    async def find(pilot: FilesPilot) -> None:
        await press(pilot, "slash", "i", "m", "g", "1", "enter")
        text = screen_text(pilot)
        assert "no such name here" in text  # IMG_10, but not img1
        await press(pilot, "slash", "backspace", "_", "1", "enter")
        text = screen_text(pilot)
        assert "▸  IMG_10.jpg" in text
        assert "filter: img_1" in text
        assert "IMG_2" not in text
        await press(pilot, "escape")
        assert "IMG_2" in screen_text(pilot)
        await press(pilot, "slash", "q", "j", "escape")
        assert "IMG_2" in screen_text(pilot)
        assert pilot.app.is_running

    play(FileDialog("t", pics, "file", PHOTOS), find)


def test_a_filter_and_enter_take_what_was_found(pics: Path) -> None:
    dialog = FileDialog("t", pics, "file", PHOTOS)
    assert answer(dialog, "slash", *"img_2", "enter", "enter") == [pics / "IMG_2.jpg"]


def test_a_path_is_typed_and_completed(pics: Path) -> None:
    dialog = FileDialog("t", pics, "file", PHOTOS)
    # I is completed to IMG_, and then there are two
    assert answer(dialog, "colon", "I", "tab", "2", "tab", "enter") == [pics / "IMG_2.jpg"]


def test_a_typed_folder_is_opened(pics: Path) -> None:
    async def go(pilot: FilesPilot) -> None:
        await press(pilot, "tab", "s", "tab", "enter")
        assert "▸  b.jpg" in screen_text(pilot)
        await press(pilot, "tab", "enter")  # nothing was typed
        assert "▸  b.jpg" in screen_text(pilot)

    play(FileDialog("t", pics, "file", PHOTOS), go)


def test_what_cannot_be_completed_or_found_is_said(pics: Path) -> None:
    async def go(pilot: FilesPilot) -> None:
        await press(pilot, "tab", "I", "tab", "tab")
        assert "IMG_2.jpg  IMG_10.jpg" in screen_text(pilot)
        await press(pilot, "x", "tab", "enter")
        assert "no such file or folder" in screen_text(pilot)
        await press(pilot, "escape")
        assert "▸  empty/" in screen_text(pilot)
        assert pilot.app.is_running

    play(FileDialog("t", pics, "file", PHOTOS), go)


def test_a_file_is_no_folder(pics: Path) -> None:
    async def go(pilot: FilesPilot) -> None:
        await press(
            pilot, "tab", *"notes.txt".replace(".", " ").split()[0], "full_stop", *"txt", "enter"
        )
        assert "a folder is wanted" in screen_text(pilot)

    play(FileDialog("t", pics, "folder"), go)


def test_the_home_folder(pics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(pics / "sub"))

    async def go(pilot: FilesPilot) -> None:
        await press(pilot, "tilde", "enter")
        assert "▸  b.jpg" in screen_text(pilot)

    play(FileDialog("t", pics, "file", PHOTOS), go)


def test_moving(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.jpg").touch()

    async def move(pilot: FilesPilot) -> None:
        dialog = pilot.app.screen
        assert isinstance(dialog, FileDialog)
        places = []
        for key in ("j", "down", "k", "up", "G", "g", "ctrl+d", "ctrl+u", "end", "home", "k"):
            await pilot.press(key)
            places.append(dialog._view.cursor)
        assert places == [2, 3, 2, 1, 40, 0, 10, 0, 40, 0, 0]

    play(FileDialog("t", tmp_path, "file"), move)


def test_clicks(pics: Path) -> None:
    async def click(pilot: FilesPilot) -> None:
        # ../, empty/, sub/
        await pilot.click("#files", offset=(5, 2))
        assert "▸  sub/" in screen_text(pilot)
        await pilot.click("#files", offset=(5, 2))
        await settle(pilot)
        assert "▸  b.jpg" in screen_text(pilot)
        await pilot.click("#files", offset=(5, 1))

    assert play(FileDialog("t", pics, "file", PHOTOS), click) == [pics / "sub" / "b.jpg"]


def test_help_lists_the_keys(pics: Path) -> None:
    async def ask(pilot: FilesPilot) -> None:
        await pilot.press("question_mark")
        assert "show hidden names, or hide them" in screen_text(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, FileDialog)

    play(FileDialog("t", pics, "file", PHOTOS), ask)


def test_what_is_no_file_cannot_be_taken(pics: Path) -> None:
    (pics / "dead.jpg").symlink_to(pics / "nowhere")
    os.mkfifo(pics / "pipe.jpg")

    async def take(pilot: FilesPilot) -> None:
        await press(pilot, "slash", *"dead", "enter", "enter")
        assert "a link to what is not there" in screen_text(pilot)
        await press(
            pilot,
            "slash",
            "backspace",
            "backspace",
            "backspace",
            "backspace",
            *"pipe",
            "enter",
            "enter",
        )
        assert "neither a file nor a folder" in screen_text(pilot)

    assert play(FileDialog("t", pics, "file", PHOTOS), take) is None


def test_a_folder_that_cannot_be_read_says_why(pics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> FolderContent:
        if folder.name == "sub":
            return FolderContent(folder, error="Permission denied")
        return folders.read_folder(folder)

    monkeypatch.setattr(files_module, "read_folder", refuse)

    async def go(pilot: FilesPilot) -> None:
        await press(pilot, "j", "l")
        assert "cannot be looked into: Permission denied" in screen_text(pilot)
        await press(pilot, "enter")
        assert "▸  sub/" in screen_text(pilot)

    play(FileDialog("t", pics, "file", PHOTOS), go)


def test_hostile_names_are_shown_and_taken_as_they_are(tmp_path: Path) -> None:
    names = [b"a\x1b[31m\n.jpg", b"caf\xe9.jpg", "[b]海.jpg".encode(), "\u202egpj.jpg".encode()]
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()

    async def take(pilot: FilesPilot) -> None:
        text = screen_text(pilot)
        for shown in ("a␛[31m␊.jpg", "caf‹U+DCE9›.jpg", "[b]海.jpg", "‹U+202E›gpj.jpg"):
            assert shown in text
        await press(pilot, "a", "enter")

    taken = play(FileDialog("[/b]", tmp_path, "file", PHOTOS, many=True), take)
    assert sorted(os.fsencode(path.name) for path in taken) == sorted(names)


def test_a_start_that_is_gone_begins_at_the_nearest_folder(pics: Path) -> None:
    async def look(pilot: FilesPilot) -> None:
        assert "▸  empty/" in screen_text(pilot)

    play(FileDialog("t", pics / "gone" / "deeper", "file", PHOTOS), look)
    # a file to begin at is under the cursor
    assert answer(FileDialog("t", pics / "IMG_2.jpg", "file", PHOTOS), "enter") == [
        pics / "IMG_2.jpg"
    ]


def test_nothing_is_taken_while_a_folder_is_read(
    pics: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    go_on = threading.Event()

    def wait(folder: Path) -> FolderContent:
        if folder.name == "sub":
            go_on.wait(30)
        return folders.read_folder(folder)

    monkeypatch.setattr(files_module, "read_folder", wait)

    async def go(pilot: FilesPilot) -> None:
        await pilot.press("j", "l", "enter")
        assert pilot.app.is_running
        await wait_until(pilot, lambda: "reading…" in screen_text(pilot))
        go_on.set()
        await settle(pilot)
        await pilot.press("enter")

    assert play(FileDialog("t", pics, "any", PHOTOS), go) == [pics / "sub" / "b.jpg"]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 12)], ids=["80x24", "120x36", "40x12"])
def test_how_it_looks(
    pics: Path,
    compare_golden: CompareGolden,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (pics / "海边的一张照片.jpg").write_bytes(b"x" * 2_000_000)
    (pics / "dead.jpg").symlink_to(pics / "nowhere")
    (
        pics / "a name that is much too long to be shown whole in a window of this size, but is.jpg"
    ).touch()
    # a path of the same length everywhere
    monkeypatch.chdir(pics)
    texts = []

    async def read(pilot: FilesPilot) -> None:
        await press(pilot, "j", "j", "space")
        texts.append(screen_text(pilot).replace(str(pics), "PICS"))

    play(FileDialog("photos to add", pics, "any", PHOTOS, many=True), read, size)
    lines = [
        line
        for line in texts[0].splitlines()
        if "PICS" not in line and "…/" not in line and "…" not in line[:8]
    ]
    compare_golden(f"files-{size[0]}x{size[1]}", "\n".join(lines) + "\n")
