"""Every key of the review screen, and what it leaves on the disk."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.binding import Binding

from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project
from lorawiz.tui.review import keys
from lorawiz.tui.review.comparing import CompareImagesScreen
from lorawiz.tui.review.screen import ReviewScreen
from lorawiz.tui.screens.asking import PickScreen, TextScreen
from lorawiz.tui.screens.dialogs import ChoiceScreen
from lorawiz.tui.screens.help import HelpScreen
from lorawiz.tui.tags.screen import TagsScreen
from tests.tui.panel import screen_text, wait_until
from tests.tui.review_support import (
    TAGS,
    ReviewPilot,
    change_record,
    is_on,
    make_plain,
    make_reviewed,
    open_session,
    play,
    press,
    press_keys,
    read_crop,
    read_records,
    review_of,
    settle,
)


@pytest.fixture
def plain(tmp_path: Path) -> Project:
    return make_plain(tmp_path / "lyq", 12)


@pytest.fixture
def reviewed(tmp_path: Path) -> Project:
    return make_reviewed(tmp_path / "lyq")


def place_of(text: str) -> str:
    return text.split()[1]


# moving


@pytest.mark.parametrize(
    ("pressed", "place"),
    [
        (["j"], 2), (["down"], 2), (["l"], 2), (["right"], 2), (["j", "k"], 1), (["j", "up"], 1),
        (["j", "h"], 1), (["j", "left"], 1), (["k"], 1), (["ctrl+d"], 11), (["pagedown"], 11),
        (["G"], 12), (["end"], 12), (["G", "g"], 1), (["G", "home"], 1), (["G", "ctrl+u"], 2),
        (["G", "pageup"], 2), (["G", "j"], 12),
    ],
)  # fmt: skip
def test_keys_move_the_cursor(plain: Project, pressed: list[str], place: int) -> None:
    assert place_of(press_keys(plain, *pressed)) == f"{place}/12"


def test_findings_are_gone_through_around_the_ends(reviewed: Project) -> None:
    steps = ["right_square_bracket"] * 4

    async def walk(pilot: ReviewPilot) -> None:
        seen = []
        for step in steps:
            await press(pilot, step)
            seen.append(place_of(screen_text(pilot)))
        assert seen == ["3/8", "5/8", "8/8", "1/8"]
        await press(pilot, "left_square_bracket")
        assert place_of(screen_text(pilot)) == "8/8"

    play(reviewed, walk)


def test_n_goes_to_the_next_without_words(reviewed: Project) -> None:
    assert place_of(press_keys(reviewed, "n")) == "7/8"
    assert "no other image without tags or caption" in press_keys(reviewed, "n", "n")


def test_f_finds_an_image_by_a_few_letters_of_its_name(plain: Project) -> None:
    async def find(pilot: ReviewPilot) -> None:
        await press(pilot, "f", ":i07")
        assert is_on(pilot, PickScreen)
        await press(pilot, "enter")
        assert place_of(screen_text(pilot)) == "8/12"
        await press(pilot, "f", ":nothing like it")
        assert "nothing like that is there" in screen_text(pilot)
        await press(pilot, "enter", "escape")
        assert place_of(screen_text(pilot)) == "8/12"

    play(plain, find)


# filter and order


def test_a_filter_is_typed_checked_and_taken_away(plain: Project) -> None:
    change_record(plain, 3, tags=(*TAGS, "hat"))

    async def filter_it(pilot: ReviewPilot) -> None:
        await press(pilot, "slash", ":tag:hat or", "enter")
        assert is_on(pilot, TextScreen)
        assert "column 11" in screen_text(pilot)
        await press(pilot, *["backspace"] * 3, "enter")
        assert not is_on(pilot, TextScreen)
        assert "1/1" in screen_text(pilot)
        assert "filter: tag:hat" in screen_text(pilot)
        await press(pilot, "escape")
        assert place_of(screen_text(pilot)) == "4/12"
        await press(pilot, "slash", ":keep:no", "escape")
        assert place_of(screen_text(pilot)) == "4/12"

    play(plain, filter_it)


def test_a_filter_that_matches_nothing_says_what_to_do(plain: Project) -> None:
    text = press_keys(plain, "slash", ":keep:no", "enter")
    assert "no image matches the filter: esc" in text
    assert "keep/reject" not in text


def test_s_and_o_sort_and_the_same_again_turns_it_round(reviewed: Project) -> None:
    async def sort(pilot: ReviewPilot) -> None:
        for key in ("o", "S"):
            await press(pilot, key)
            assert is_on(pilot, ChoiceScreen)
            await press(pilot, "escape")
        for answers, name, said in (
            ("s", "IMG_0002", "least sharp first"),
            ("f", "IMG_0007", "smallest face first"),
            ("t", "IMG_0002", "most tokens first"),
            ("g", "IMG_0006", "fewest tags first"),
            ("w", "IMG_0000", "findings first"),
            ("n", "IMG_0000", ""),
            ("n", "IMG_0007", "name, last first"),
        ):
            await press(pilot, "o", answers)
            current = review_of(pilot).session.current
            assert current is not None
            assert name in current.image_path, answers
            assert (f"sort: {said}" if said else "keep 7") in screen_text(pilot)

    play(reviewed, sort, (120, 24))


# keep and reject


def test_space_rejects_and_keeps(plain: Project) -> None:
    assert "keep 11  reject 1" in press_keys(plain, "space")
    assert not read_records(plain)[0].keep
    press_keys(plain, "space")
    assert read_records(plain)[0].keep


def test_many_are_rejected_after_a_question(plain: Project) -> None:
    async def reject(pilot: ReviewPilot) -> None:
        await press(pilot, "space", "j", "a", "space")
        assert "Reject 12 images? 1 are so already." in screen_text(pilot)
        await press(pilot, "n")
        assert [record.keep for record in read_records(plain)].count(False) == 1
        await press(pilot, "space", "y")
        assert not any(record.keep for record in read_records(plain))
        await press(pilot, "space")
        assert "Keep 12 images?" in screen_text(pilot)
        await press(pilot, "y")
        assert all(record.keep for record in read_records(plain))
        await press(pilot, "u")
        assert not any(record.keep for record in read_records(plain))
        await press(pilot, "u")
        assert [record.keep for record in read_records(plain)].count(False) == 1
        await press(pilot, "ctrl+r")
        assert not any(record.keep for record in read_records(plain))

    play(plain, reject)


def test_what_is_rejected_is_no_finding_any_more(reviewed: Project) -> None:
    async def reject(pilot: ReviewPilot) -> None:
        await press(pilot, "j", "j")
        assert "⚠ blurred" in screen_text(pilot)
        await press(pilot, "space")
        text = screen_text(pilot)
        assert "⚠ blurred" not in text
        assert "✗ rejected" in text

    play(reviewed, reject)


# words


def test_c_edits_the_caption(plain: Project) -> None:
    press_keys(plain, "c", ": in red", "enter")
    assert read_records(plain)[0].caption == "a woman in red"
    assert read_records(plain)[0].hand.caption
    press_keys(plain, "c", "escape")
    assert read_records(plain)[0].caption == "a woman in red"


def test_c_writes_one_caption_to_many(plain: Project) -> None:
    change_record(plain, 1, caption="another")

    async def write(pilot: ReviewPilot) -> None:
        await press(pilot, "v", "j", "v", "c", ":both")
        assert "changes 2 of 2 images" in screen_text(pilot)
        await press(pilot, "enter")

    play(plain, write)
    assert [record.caption for record in read_records(plain)[:3]] == ["both", "both", "a woman"]


def test_e_adds_tags_that_are_completed(plain: Project) -> None:
    change_record(plain, 3, tags=(*TAGS, "brown hair"))
    press_keys(plain, "e", ":hat, bro", "tab", "enter")
    assert read_records(plain)[0].tags == (*TAGS, "hat", "brown hair")


def test_e_adds_tags_to_the_selection(plain: Project) -> None:
    press_keys(plain, "v", "j", "j", "V", "e", ":hat", "enter")
    assert ["hat" in record.tags for record in read_records(plain)[:4]] == [True] * 3 + [False]


def test_x_takes_a_tag_out(plain: Project) -> None:
    press_keys(plain, "x", ":smi", "enter")
    assert read_records(plain)[0].tags == ("lyq", "red coat", "outdoors", "upper body")
    assert read_records(plain)[0].hand.remove == ("smile",)


def test_r_renames_a_tag(plain: Project) -> None:
    press_keys(plain, "r", ":smile", "enter", *["backspace"] * 5, ":grin", "enter")
    assert "grin" in read_records(plain)[0].tags
    assert "smile" not in read_records(plain)[0].tags


def test_r_takes_no_comma(plain: Project) -> None:
    text = press_keys(plain, "r", "enter", ":, b", "enter")
    assert "one tag only, without a comma" in text
    assert read_records(plain)[0].tags == TAGS


def test_capital_f_moves_a_tag_first(plain: Project) -> None:
    press_keys(plain, "F", ":outd", "enter")
    assert read_records(plain)[0].tags[0] == "outdoors"


def test_without_tags_their_keys_say_what_to_do(reviewed: Project) -> None:
    for key in ("x", "r", "F"):
        assert "no tags here; e adds some" in press_keys(reviewed, "n", key)


def test_u_and_ctrl_r_work_across_visits(plain: Project) -> None:
    press_keys(plain, "c", ":1", "enter", "c", ":2", "enter")
    press_keys(plain, "u")
    assert read_records(plain)[0].caption == "a woman1"
    press_keys(plain, "u", "u")
    assert read_records(plain)[0].caption == "a woman"
    press_keys(plain, "ctrl+r", "ctrl+r")
    assert read_records(plain)[0].caption == "a woman12"
    assert "nothing to redo" in press_keys(plain, "ctrl+r")


# the selection


def test_v_selects_and_esc_lets_go(plain: Project) -> None:
    text = press_keys(plain, "v", "j", "v")
    assert "selected 2" in text
    assert "IMG_0000 ✓*" in text
    assert "selected" not in press_keys(plain, "v", "j", "v", "escape")
    assert "selected" not in press_keys(plain, "v", "v")


def test_capital_v_selects_up_to_here(plain: Project) -> None:
    assert "selected 5" in press_keys(plain, "v", *["j"] * 4, "V")


# other screens


def test_t_opens_the_tags_and_takes_their_filter(plain: Project) -> None:
    change_record(plain, 3, tags=("hat",))

    async def look(pilot: ReviewPilot) -> None:
        await press(pilot, "t")
        assert is_on(pilot, TagsScreen)
        pilot.app.screen.dismiss('tag:"hat"')
        await settle(pilot)
        assert 'filter: tag:"hat"' in screen_text(pilot)
        assert "1/1" in screen_text(pilot)
        await press(pilot, "t", "escape")
        assert is_on(pilot, ReviewScreen)
        assert 'filter: tag:"hat"' in screen_text(pilot)

    play(plain, look)


def test_the_question_mark_lists_every_key(plain: Project) -> None:
    async def look(pilot: ReviewPilot) -> None:
        await press(pilot, "question_mark")
        assert is_on(pilot, HelpScreen)
        text = screen_text(pilot)
        for tooltip in ("sort the images", "find an image by its name", "undo, as often as there"):
            assert tooltip in text
        await press(pilot, "escape")

    play(plain, look, (100, 60))


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+q", "ctrl+c"])
def test_the_screen_is_left(plain: Project, key: str) -> None:
    async def leave(pilot: ReviewPilot) -> None:
        await pilot.press(key)
        await pilot.pause()

    app = play(plain, leave)
    assert app.return_code == 0


def test_every_key_says_what_it_does() -> None:
    for binding in keys.BINDINGS:
        assert isinstance(binding, Binding)
        assert binding.tooltip, binding


# the crop box


@pytest.mark.parametrize(
    ("pressed", "crop"),
    [
        (["l"], (93, 0, 573, 640)), (["right"], (93, 0, 573, 640)), (["left"], (67, 0, 547, 640)),
        (["h"], (67, 0, 547, 640)), (["j"], (80, 13, 560, 653)), (["down"], (80, 13, 560, 653)),
        (["j", "k"], (80, 0, 560, 640)), (["j", "up"], (80, 0, 560, 640)),
        (["minus"], (93, 18, 546, 622)), (["a", "L"], (73, 0, 566, 640)),
        (["a", "shift+right"], (73, 0, 566, 640)), (["a", "H"], (86, 0, 553, 640)),
        (["a", "shift+left"], (86, 0, 553, 640)), (["a", "J"], (80, 0, 560, 653)),
        (["a", "shift+down"], (80, 0, 560, 653)), (["a", "K"], (80, 6, 560, 633)),
        (["a", "shift+up"], (80, 6, 560, 633)), (["H"], (93, 18, 546, 622)), (["r"], None),
    ],
)  # fmt: skip
def test_the_crop_box_is_moved_and_saved(
    reviewed: Project, pressed: list[str], crop: tuple[int, ...] | None
) -> None:
    press_keys(reviewed, "b", *pressed, "enter")
    assert read_crop(reviewed) == crop
    assert read_records(reviewed)[0].hand.crop == (crop != (80, 0, 560, 640))


@pytest.mark.parametrize("key", ["plus", "equals_sign", "L"])
def test_a_larger_crop_box_keeps_its_shape(reviewed: Project, key: str) -> None:
    press_keys(reviewed, "b", key, "enter")
    crop = read_crop(reviewed)
    assert crop is not None
    assert (crop[2] - crop[0], crop[3] - crop[1]) == (509, 678)


@pytest.mark.parametrize("key", ["escape", "q", "b"])
def test_the_crop_box_can_be_left_as_it_was(reviewed: Project, key: str) -> None:
    text = press_keys(reviewed, "b", "l", "minus", key)
    assert read_crop(reviewed) == (80, 0, 560, 640)
    assert "crop box" in text
    assert not (reviewed.private / "edits.jsonl").exists()


def test_while_the_box_is_moved_other_keys_do_nothing(reviewed: Project) -> None:
    async def try_them(pilot: ReviewPilot) -> None:
        await press(pilot, "b", "space", "u", "v", "x", "slash", "G", "z", "n")
        text = screen_text(pilot)
        assert place_of(text) == "1/8"
        assert "480×640 at 80, 0 · shape kept" in text
        await press(pilot, "a")
        assert "shape free" in screen_text(pilot)
        await press(pilot, "question_mark")
        assert is_on(pilot, HelpScreen)
        await press(pilot, "escape", "escape")

    play(reviewed, try_them, (100, 24))
    assert read_records(reviewed)[0].keep


def test_a_crop_that_was_moved_elsewhere_is_not_overwritten_unseen(reviewed: Project) -> None:
    theirs = open_session(reviewed)

    async def crop(pilot: ReviewPilot) -> None:
        await press(pilot, "b", "l")
        theirs.edit(
            "crop", [theirs.records[0]], lambda record, _known: replace(record, crop=(0, 0, 64, 64))
        )
        await press(pilot, "enter")
        await wait_until(pilot, lambda: "changed elsewhere in the" in screen_text(pilot))
        assert read_crop(reviewed) == (0, 0, 64, 64)
        await press(pilot, "enter")
        assert read_crop(reviewed) == (93, 0, 573, 640)

    play(reviewed, crop, (100, 30))


# the zoom


def test_z_looks_closer_and_back(reviewed: Project, pictures: None) -> None:
    async def look(pilot: ReviewPilot) -> None:
        await press(pilot, "z")
        assert "prompt, epoch 1" not in screen_text(pilot)
        scales = []
        for key in ("plus", "equals_sign", "plus", "plus", "plus", "minus"):
            await press(pilot, key)
            scales.append(screen_text(pilot).splitlines()[1].split()[1])
        assert scales == ["1:16", "1:8", "1:4", "1:2", "1:1", "1:2"]
        # the middle of the face, then a quarter of the view to the right
        zoom = review_of(pilot).zoom
        assert zoom is not None
        assert (zoom.across, zoom.down) == pytest.approx((0.5, 0.35))
        await press(pilot, "right")
        moved = review_of(pilot).zoom
        assert moved is not None
        assert moved.across > zoom.across
        await press(pilot, "left", "down", "up", "up")
        assert place_of(screen_text(pilot)) == "1/8"
        await press(pilot, "j", "1")
        assert place_of(screen_text(pilot)) == "2/8"
        assert "1:1" in screen_text(pilot)
        await press(pilot, "z")
        assert "prompt, epoch 1" in screen_text(pilot)
        await press(pilot, "z", "escape")
        assert "prompt, epoch 1" in screen_text(pilot)

    play(reviewed, look)
    assert not (reviewed.private / "edits.jsonl").exists()


def test_arrows_go_to_other_images_while_the_whole_picture_is_shown(
    reviewed: Project, pictures: None
) -> None:
    assert place_of(press_keys(reviewed, "z", "right", "right", "left")) == "2/8"


def test_in_the_zoom_images_are_still_rejected(reviewed: Project, pictures: None) -> None:
    press_keys(reviewed, "z", "plus", "j", "j", "space")
    assert not read_records(reviewed)[2].keep


def test_without_pictures_a_sentence_says_why(reviewed: Project) -> None:
    text = press_keys(reviewed)
    assert "LORAWIZ_IMAGES=off" in text
    assert "z zoom" not in text


# comparing


def test_equals_compares_what_is_alike_and_a_digit_rejects(
    reviewed: Project, pictures: None
) -> None:
    async def compare(pilot: ReviewPilot) -> None:
        await press(pilot, "G", "equals_sign")
        assert "none is like it; v selects some" in screen_text(pilot)
        await press(pilot, "g", "j", "j", "j", "equals_sign")
        assert is_on(pilot, CompareImagesScreen)
        text = screen_text(pilot)
        assert "1 IMG_0003.jpg" in text
        assert "2 IMG_0004.jpg" in text
        await press(pilot, "2")
        assert [record.keep for record in read_records(reviewed)[3:5]] == [True, False]
        assert "✗ rejected" in screen_text(pilot)
        await press(pilot, "2", "1")
        assert [record.keep for record in read_records(reviewed)[3:5]] == [False, True]
        await press(pilot, "u")
        assert [record.keep for record in read_records(reviewed)[3:5]] == [True, True]
        await press(pilot, "ctrl+r", "z")
        assert [record.keep for record in read_records(reviewed)[3:5]] == [False, True]
        await wait_until(pilot, lambda: screen_text(pilot).count(" 1:1 ") == 3)
        await press(pilot, "escape")
        assert is_on(pilot, ReviewScreen)
        assert "reject 2" in screen_text(pilot)

    play(reviewed, compare)


def test_selected_images_are_compared_a_page_at_a_time(reviewed: Project) -> None:
    async def compare(pilot: ReviewPilot) -> None:
        await press(pilot, "a", "equals_sign")
        assert "1–2 of 8" in screen_text(pilot)
        await press(pilot, "right", "l")
        assert "5–6 of 8" in screen_text(pilot)
        await press(pilot, "9", "6")
        assert [n for n, record in enumerate(read_records(reviewed)) if not record.keep] == [1, 5]
        await press(pilot, "h", "q")
        assert is_on(pilot, ReviewScreen)

    play(reviewed, compare)


def test_on_a_narrow_terminal_images_are_compared_one_at_a_time(reviewed: Project) -> None:
    async def compare(pilot: ReviewPilot) -> None:
        await press(pilot, "j", "j", "j", "equals_sign")
        assert "1–1 of 2" in screen_text(pilot)
        await press(pilot, "right", "2")
        assert not read_records(reviewed)[4].keep

    play(reviewed, compare, (44, 24))


# others


def test_what_another_session_changes_is_taken_in(plain: Project) -> None:
    theirs = open_session(plain)

    async def watch(pilot: ReviewPilot) -> None:
        await press(pilot, "j")
        theirs.edit(
            "x", [theirs.records[1]], lambda record, _known: replace(record, caption="theirs")
        )
        await wait_until(pilot, lambda: "changed elsewhere: read again" in screen_text(pilot))
        assert "theirs" in screen_text(pilot)
        await press(pilot, "e", ":mine", "enter")
        assert read_records(plain)[1].caption == "theirs"
        assert "mine" in read_records(plain)[1].tags

    play(plain, watch, (100, 24))


def test_a_caption_that_was_changed_meanwhile_is_asked_for_again(plain: Project) -> None:
    theirs = open_session(plain)

    async def write(pilot: ReviewPilot) -> None:
        await press(pilot, "c", ": mine")
        theirs.edit(
            "x", [theirs.records[0]], lambda record, _known: replace(record, caption="theirs")
        )
        await press(pilot, "enter")
        assert read_records(plain)[0].caption == "theirs"
        assert is_on(pilot, TextScreen)
        text = screen_text(pilot)
        assert "it says now: theirs" in text
        assert "a woman mine" in text
        await press(pilot, "enter")
        assert read_records(plain)[0].caption == "a woman mine"

    play(plain, write, (100, 30))


def test_an_editor_that_overwrites_an_edit_is_told_of(plain: Project) -> None:
    in_editor = plain.dataset.read_text()

    async def write(pilot: ReviewPilot) -> None:
        await press(pilot, "c", ": mine", "enter")
        plain.dataset.write_text(in_editor.replace('"a woman"', '"typed"', 1))
        await wait_until(pilot, lambda: "an editor changed the same" in screen_text(pilot))
        assert "typed" in screen_text(pilot)

    play(plain, write, (100, 30))
    assert read_records(plain)[0].caption == "typed"


def test_a_torn_file_is_told_and_reading_goes_on_when_it_is_whole(plain: Project) -> None:
    whole = plain.dataset.read_text()

    async def watch(pilot: ReviewPilot) -> None:
        plain.dataset.write_text(whole[:-40])
        await wait_until(pilot, lambda: "dataset.jsonl:12" in screen_text(pilot))
        await press(pilot, "space")
        assert not (plain.private / "edits.jsonl").exists()
        plain.dataset.write_text(whole)
        await press(pilot, "space")

    play(plain, watch, (100, 30))
    assert not read_records(plain)[0].keep


def test_an_empty_dataset_says_what_to_do(tmp_path: Path) -> None:
    project = make_plain(tmp_path / "lyq", 0)
    text = press_keys(project, "space", "c", "e", "x", "b", "t", "equals_sign", "j", "f", "o")
    assert "no images here yet: lorawiz add PHOTOS…" in text
    assert read_dataset(project).records == ()


def test_the_mouse_chooses_an_image_and_presses_keys(plain: Project) -> None:
    async def click(pilot: ReviewPilot) -> None:
        lines = screen_text(pilot).splitlines()
        row = next(n for n, line in enumerate(lines) if "IMG_0002" in line)
        await pilot.click(offset=(lines[row].index("IMG_0002"), row))
        await settle(pilot)
        assert place_of(screen_text(pilot)) == "3/12"
        row = next(n for n, line in enumerate(lines) if "v select" in line)
        await pilot.click(offset=(lines[row].index("v select"), row))
        await settle(pilot)
        assert "selected 1" in screen_text(pilot)

    play(plain, click)


def test_a_click_in_the_column_chooses_its_line(plain: Project) -> None:
    async def click(pilot: ReviewPilot) -> None:
        await pilot.click(offset=(5, 6))
        await settle(pilot)
        assert place_of(screen_text(pilot)) == "6/12"

    play(plain, click, (120, 36))
