"""The tags screen: every key, what it leaves on the disk, and what is said of each state."""

from pathlib import Path

import pytest
from textual.widgets import Static

from lorawiz.dataset.filters import parse_filter
from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.tags.screen import TagsScreen
from lorawiz.tui.tags.table import TagTable
from tests.tui.conftest import CompareGolden
from tests.tui.tags_support import (
    NUM_IMAGES,
    SPEC,
    TagsPilot,
    change_record,
    make_tagged,
    play,
    press,
    press_keys,
    read_rules,
    read_tags,
    screen_text,
    settle,
    tags_of,
    wait_until,
)

SIZES = {"80x24": (80, 24), "120x36": (120, 36)}
ORIGINAL = [tags_of(index) for index in range(NUM_IMAGES)]
TO_SMILE = ("j", "j", "j")
HOSTILE = [
    ("lyq", "\x1b[31mred\x07", "[red]tag[/red]", "棕色头发", "👩‍🦰 wig", 'say "hi"'),
    ("lyq", "back\\slash", "a*b?", "x, y", "\u202eevil", "棕色头发", "e\u0301tude"),
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_tagged(tmp_path / "lyq")


def test_delete_is_shown_first_and_done_with_enter(project: Project) -> None:
    text = press_keys(project, *TO_SMILE, "d")
    assert "delete “smile” from 6 images" in text
    assert "brown eyes · smile · red coat" in text
    assert read_tags(project) == ORIGINAL
    text = press_keys(project, *TO_SMILE, "d", "enter")
    assert not any("smile" in tags for tags in read_tags(project))
    assert "1 change · u undo" in text
    assert "delete “smile” from 6 images" in text
    assert project.spec.read_text() == SPEC


@pytest.mark.parametrize("key", ["escape", "q"])
def test_what_is_prepared_can_be_dropped(project: Project, key: str) -> None:
    text = press_keys(project, *TO_SMILE, "d", key)
    assert "preview" not in text
    press_keys(project, *TO_SMILE, "d", key, "enter")
    assert read_tags(project) == ORIGINAL


def test_while_something_is_prepared_other_keys_wait(project: Project) -> None:
    text = press_keys(project, *TO_SMILE, "d", "j", "f", "v", "s", "slash", "u")
    assert "delete “smile”" in text
    assert "▸ smile" in text
    assert "esc drop it" in text
    assert "f first" not in text


def test_rename_completes_from_the_tags_and_says_what_is_there(project: Project) -> None:
    async def rename(pilot: TagsPilot) -> None:
        await press(pilot, "down", "down", "down", "r", "ctrl+u", ":gri")
        assert "grin  3" in screen_text(pilot)
        await press(pilot, "tab")
        assert "is there in 3 images" in screen_text(pilot)
        await press(pilot, "enter")
        assert "rename “smile” to “grin” in 6 images" in screen_text(pilot)
        assert read_tags(project) == ORIGINAL
        await press(pilot, "enter")

    play(project, rename)
    assert read_tags(project)[0] == (
        "lyq",
        "brown hair",
        "brown eyes",
        "red coat",
        "outdoors",
        "grin",
    )
    assert sum("grin" in tags for tags in read_tags(project)) == 9


def test_a_comma_makes_no_new_name(project: Project) -> None:
    async def rename(pilot: TagsPilot) -> None:
        await press(pilot, *TO_SMILE, "r", ":, x", "enter")
        assert "one tag only" in screen_text(pilot)
        await press(pilot, "escape")

    play(project, rename)
    assert read_tags(project) == ORIGINAL


def test_selected_tags_are_merged_into_one(project: Project) -> None:
    async def merge(pilot: TagsPilot) -> None:
        await press(pilot, *TO_SMILE)
        assert "m merge" not in screen_text(pilot)
        await press(pilot, "v", "j", "v")
        assert "selected 2" in screen_text(pilot)
        assert "m merge" in screen_text(pilot)
        await press(pilot, "m", "enter")
        assert "rename “grin” to “smile” in 3 images" in screen_text(pilot)
        await press(pilot, "escape", "m", "ctrl+u", ":happy", "enter", "enter")

    play(project, merge)
    tags = read_tags(project)
    assert [("happy" in each) for each in tags] == [("smile" in e or "grin" in e) for e in ORIGINAL]
    assert not any("smile" in each or "grin" in each for each in tags)


def test_v_takes_a_tag_out_of_the_selection_again(project: Project) -> None:
    text = press_keys(project, "v", "k", "v")
    assert "selected" not in text


def test_add_goes_to_all_or_to_the_images_that_are_selected_or_shown(project: Project) -> None:
    keys = ("a", "ctrl+u", ":hat, photo", "enter", "enter")
    press_keys(project, *keys)
    assert all(tags[-2:] == ("hat", "photo") for tags in read_tags(project))
    press_keys(project, "u")
    session = ReviewSession(project, load_spec(project.spec), "tag:outdoors")

    async def add(pilot: TagsPilot) -> None:
        await press(pilot, *keys[:3])
        assert "add tags to 4 images" in screen_text(pilot)
        await press(pilot, *keys[3:])

    play(project, add, session=session)
    assert [tags[-1] == "photo" for tags in read_tags(project)] == [n % 3 == 0 for n in range(12)]
    press_keys(project, "u")
    session = ReviewSession(project, load_spec(project.spec))
    session.selected = {"images/IMG_0005.jpg"}
    play(project, lambda pilot: press(pilot, *keys), session=session)
    assert [n for n, tags in enumerate(read_tags(project)) if "photo" in tags] == [5]


def test_add_proposes_the_tag_at_the_cursor(project: Project) -> None:
    press_keys(project, *TO_SMILE, "a", "enter", "enter")
    assert all("smile" in tags for tags in read_tags(project))


def test_first_moves_a_tag_to_the_front(project: Project) -> None:
    text = press_keys(project, *TO_SMILE, "f")
    assert "move “smile” first in 6 images" in text
    press_keys(project, *TO_SMILE, "f", "enter")
    assert read_tags(project)[0][0] == "smile"
    assert read_tags(project)[1] == ORIGINAL[1]


def test_absorb_becomes_a_rule_unless_r_says_otherwise(project: Project) -> None:
    text = press_keys(project, "i")
    assert "absorb “brown eyes” into “lyq”: takes it out of 12 images" in text
    assert "becomes rule 2 of 2" in text
    press_keys(project, "i", "R", "enter")
    assert project.spec.read_text() == SPEC
    assert not any("brown eyes" in tags for tags in read_tags(project))
    assert read_dataset(project).records[0].hand.remove == ("brown eyes",)
    press_keys(project, "u", "g", "i", "enter")
    assert read_rules(project)[1] == {"rule": "absorb", "tags": ["brown eyes"]}
    assert not any("brown eyes" in tags for tags in read_tags(project))
    assert read_dataset(project).records[0].hand.remove == ()


def test_the_trigger_is_not_absorbed_into_itself(project: Project) -> None:
    assert "that is the trigger itself" in press_keys(project, "j", "j", "i")


def test_identity_tags_are_gone_through(project: Project) -> None:
    async def go_through(pilot: TagsPilot) -> None:
        await press(pilot, "I")
        assert "1 of 2  absorb “brown eyes”" in screen_text(pilot)
        assert "n next one" in screen_text(pilot)
        await press(pilot, "enter")
        assert "2 of 2  absorb “brown hair”" in screen_text(pilot)
        assert "goes into rule 2 of 2" in screen_text(pilot)
        await press(pilot, "enter")
        assert "preview" not in screen_text(pilot)

    play(project, go_through)
    assert read_rules(project)[1:] == [{"rule": "absorb", "tags": ["brown eyes", "brown hair"]}]
    assert read_tags(project)[4] == ("lyq", "smile")


def test_n_leaves_a_tag_and_esc_ends_the_round(project: Project) -> None:
    press_keys(project, "I", "n", "enter")
    assert read_rules(project)[1:] == [{"rule": "absorb", "tags": ["brown hair"]}]
    text = press_keys(project, "I", "n")
    assert "preview" not in text
    press_keys(project, "I", "escape", "enter")
    assert read_rules(project)[1:] == [{"rule": "absorb", "tags": ["brown hair"]}]


def test_without_identity_tags_that_is_said(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "few", [("lyq", "hat"), ("lyq",)])
    assert "no tags that nearly all images have" in press_keys(project, "I")


def test_r_makes_a_rule_of_what_is_prepared_or_was_done_last(project: Project) -> None:
    text = press_keys(project, *TO_SMILE, "d", "R")
    assert "becomes rule 2 of 2" in text
    press_keys(project, *TO_SMILE, "d", "R", "enter")
    once = project.spec.read_text(), read_tags(project)
    assert read_rules(project)[1] == {"rule": "remove", "tags": ["smile"]}
    press_keys(project, "u")
    assert (project.spec.read_text(), read_tags(project)) == (SPEC, ORIGINAL)
    text = press_keys(project, *TO_SMILE, "d", "enter", "R")
    assert "6 images have it so by hand; the rule takes over" in text
    press_keys(project, "u", *TO_SMILE, "d", "enter", "R", "enter")
    assert (project.spec.read_text(), read_tags(project)) == once
    assert not any(record.hand.remove for record in read_dataset(project).records)


def test_r_without_anything_done_says_what_to_do(project: Project) -> None:
    assert "nothing to make a rule of yet" in press_keys(project, "R")


@pytest.mark.parametrize(("undo", "redo"), [("u", "ctrl+r"), ("ctrl+z", "ctrl+y")])
def test_undo_and_redo_take_the_rule_along(project: Project, undo: str, redo: str) -> None:
    press_keys(project, "i", "enter")
    done = project.spec.read_text(), read_tags(project)
    text = press_keys(project, undo)
    assert (project.spec.read_text(), read_tags(project)) == (SPEC, ORIGINAL)
    assert "undo: absorb “brown eyes”" in text
    text = press_keys(project, redo)
    assert (project.spec.read_text(), read_tags(project)) == done
    assert "1 change · u undo" in text


def test_undo_of_a_rule_that_was_changed_since_is_refused(project: Project) -> None:
    press_keys(project, "i", "enter")
    changed = project.spec.read_text().replace('["brown eyes"]', '["* eyes"]')
    project.spec.write_text(changed)
    tags = read_tags(project)
    text = press_keys(project, "u")
    assert "lorawiz.toml:11: rule 2 was changed since" in text
    assert (project.spec.read_text(), read_tags(project)) == (changed, tags)


def test_nothing_to_undo_is_said(project: Project) -> None:
    assert "nothing to undo" in press_keys(project, "u")
    assert "nothing to redo" in press_keys(project, "ctrl+r")


def test_enter_leaves_with_the_filter_of_the_tag(project: Project) -> None:
    assert play(project, lambda pilot: press(pilot, "j", "enter")) == 'tag:"brown hair"'
    left = play(project, lambda pilot: press(pilot, "v", "v", "enter"))
    assert left == 'tag:"brown eyes" or tag:"brown hair"'


@pytest.mark.parametrize("key", ["escape", "q", "ctrl+q", "ctrl+c"])
def test_leaving_changes_nothing(project: Project, key: str) -> None:
    assert play(project, lambda pilot: press(pilot, key)) is None
    assert read_tags(project) == ORIGINAL


def test_escape_goes_back_step_by_step(project: Project) -> None:
    async def go_back(pilot: TagsPilot) -> None:
        await press(pilot, "v", "slash", ":coat", "enter")
        assert "1 found: coat" in screen_text(pilot)
        assert "selected 1" in screen_text(pilot)
        await press(pilot, "escape")
        assert "found" not in screen_text(pilot)
        assert "selected 1" in screen_text(pilot)
        await press(pilot, "escape")
        assert "selected" not in screen_text(pilot)
        assert pilot.app.is_running
        await press(pilot, "escape")

    play(project, go_back)


def test_finding_narrows_while_it_is_typed(project: Project) -> None:
    async def find(pilot: TagsPilot) -> None:
        await press(pilot, "slash", ":br")
        text = screen_text(pilot)
        assert "▸ brown eyes" in text
        assert "brown hair" in text
        assert "smile" not in text.partition("│")[0]
        await press(pilot, "down", ":hair")
        assert "1 found: brhair" in screen_text(pilot)
        await press(pilot, ":x")
        assert "no tag like that" in screen_text(pilot)
        await press(pilot, "backspace", "enter", "d", "enter")

    play(project, find)
    assert not any("brown hair" in tags for tags in read_tags(project))


def test_the_order_changes_with_a_key(project: Project) -> None:
    assert "tag ↓" in press_keys(project, "s")
    text = press_keys(project, "s", "s")
    assert "↑share" in text
    assert text.splitlines()[2].startswith("   1girl") or "1girl" in text.splitlines()[2]
    assert "↓n" in press_keys(project, "s", "s", "s")


@pytest.mark.parametrize(
    ("keys", "tag"),
    [
        (("j",), "brown hair"), (("down", "down", "k"), "brown hair"), (("j", "up"), "brown eyes"),
        (("G",), "1girl"), (("end", "g"), "brown eyes"), (("end", "home"), "brown eyes"),
        (("ctrl+d",), "1girl"), (("pagedown", "ctrl+u"), "brown eyes"), (("G", "pageup"), "brown eyes"),
    ],
)  # fmt: skip
def test_keys_move_the_cursor(project: Project, keys: tuple[str, ...], tag: str) -> None:
    assert f"▸ {tag} " in press_keys(project, *keys)


def test_what_is_said_of_a_tag_follows_the_cursor(project: Project) -> None:
    async def move(pilot: TagsPilot) -> None:
        await press(pilot, "j", "j", "j", "j", "j")
        await wait_until(pilot, lambda: "images with “grin”" in screen_text(pilot))
        await pilot.hover()

    play(project, move)


def test_the_mouse_points_scrolls_and_sorts(project: Project) -> None:
    async def click(pilot: TagsPilot) -> None:
        await pilot.click(TagTable, offset=(6, 4))
        await settle(pilot)
        assert "▸ smile" in screen_text(pilot)
        table = pilot.app.screen.query_one(TagTable)
        table.post_message(TagTable.Scrolled(1))
        await settle(pilot)
        assert "▸ outdoors" in screen_text(pilot)
        await pilot.click(TagTable, offset=(6, 0))
        await settle(pilot)
        assert "tag ↓" in screen_text(pilot)
        await pilot.click(TagTable, offset=(6, 13))  # below the last one
        await settle(pilot)
        assert "▸ outdoors" in screen_text(pilot)

    play(project, click)


def test_help_lists_the_keys(project: Project) -> None:
    text = press_keys(project, "question_mark", size=(100, 40))
    assert "absorb the tag into the trigger" in text
    assert "do what the preview shows" not in text
    assert "do what the preview shows" in press_keys(project, "d", "question_mark", size=(100, 40))


# what others do


def test_tags_changed_elsewhere_are_read_again(project: Project) -> None:
    async def look(pilot: TagsPilot) -> None:
        await press(pilot, *TO_SMILE, "d")
        change_record(project, 0, tags=("lyq", "new hat"))
        screen = pilot.app.screen
        assert isinstance(screen, TagsScreen)
        await screen._watch()
        await settle(pilot)
        assert "delete “smile” from 5 images" in screen_text(pilot)
        await press(pilot, "enter")
        assert "new hat" in screen_text(pilot)

    play(project, look)
    assert read_tags(project)[0] == ("lyq", "new hat")
    assert read_tags(project)[2] == ("lyq", "brown hair", "brown eyes", "red coat")


def test_what_cannot_be_done_any_more_is_dropped(project: Project) -> None:
    async def look(pilot: TagsPilot) -> None:
        await press(pilot, "G", "d")
        change_record(project, 7, tags=("lyq",))
        screen = pilot.app.screen
        assert isinstance(screen, TagsScreen)
        await screen._watch()
        await settle(pilot)
        assert "that changes nothing" in screen_text(pilot)
        assert "preview" not in screen_text(pilot)

    play(project, look)


def test_an_invalid_spec_is_said_and_edits_by_hand_go_on(project: Project) -> None:
    async def break_it(pilot: TagsPilot) -> None:
        project.spec.write_text(SPEC + "\n[train\n")
        screen = pilot.app.screen
        assert isinstance(screen, TagsScreen)
        await screen._watch()
        await settle(pilot)
        assert "lorawiz.toml:15: not valid TOML" in screen_text(pilot)
        await press(pilot, *TO_SMILE, "d", "R")
        assert "no rule: lorawiz.toml:15: not valid TOML" in screen_text(pilot)
        await press(pilot, "enter")

    play(project, break_it)
    assert project.spec.read_text() == SPEC + "\n[train\n"
    assert not any("smile" in tags for tags in read_tags(project))


def test_a_file_that_changes_before_enter_is_not_overwritten(project: Project) -> None:
    other = SPEC.replace("epochs = 2", "epochs = 9")

    async def race(pilot: TagsPilot) -> None:
        await press(pilot, *TO_SMILE, "d", "R")
        project.spec.write_text(other)
        await press(pilot, "enter")
        assert project.spec.read_text() == other
        assert "becomes rule 2 of 2" in screen_text(pilot)
        await press(pilot, "enter")

    play(project, race)
    assert "epochs = 9" in project.spec.read_text()
    assert read_rules(project)[1] == {"rule": "remove", "tags": ["smile"]}


# states and goldens


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [("open", ("j",)), ("absorb", ("j", "i")), ("find", ("v", "slash", ":re")), ("done", (*TO_SMILE, "d", "enter"))],
)  # fmt: skip
def test_the_screen_looks_as_it_did(
    project: Project, compare_golden: CompareGolden, name: str, keys: tuple[str, ...], size: str
) -> None:
    async def compare(pilot: TagsPilot) -> None:
        await press(pilot, *keys)
        pilot.app.screen.query_one("#about", Static)
        await pilot.pause(0.15)
        await settle(pilot)
        compare_golden(f"tags-{name}-{size}", screen_text(pilot))

    play(project, compare, SIZES[size])


@pytest.mark.parametrize("size", SIZES)
def test_hostile_tags_are_shown_and_left_as_they_are(
    tmp_path: Path, compare_golden: CompareGolden, size: str
) -> None:
    project = make_tagged(tmp_path / "hostile", HOSTILE)
    text = press_keys(project, "G", "d", "R", size=SIZES[size])
    assert "\x1b" not in text
    assert "\u202e" not in text
    compare_golden(f"tags-hostile-{size}", text)
    assert read_tags(project) == HOSTILE


@pytest.mark.parametrize("tag", sorted({tag for tags in HOSTILE for tag in tags}))
def test_a_hostile_tag_can_be_found_renamed_and_shown(tmp_path: Path, tag: str) -> None:
    project = make_tagged(tmp_path / "hostile", [(tag, "plain")])
    left = play(project, lambda pilot: press(pilot, "v", "k", "enter"))
    shown = parse_filter(str(left))
    session = ReviewSession(project, load_spec(project.spec))
    assert shown.matches(session.facts_of(session.records[0]))
    press_keys(project, "s", "r", "ctrl+u", ":kept", "enter", "R", "enter")
    assert len(read_tags(project)[0]) == 2
    assert "kept" in read_tags(project)[0]
    assert read_rules(project)[1]["rule"] == "replace"


@pytest.mark.parametrize("size", SIZES)
def test_an_empty_dataset_says_what_to_do(
    tmp_path: Path, compare_golden: CompareGolden, size: str
) -> None:
    project = make_tagged(tmp_path / "empty", [])
    keys = ("j", "d", "r", "f", "i", "v", "s", "R", "I", "enter")
    compare_golden(f"tags-empty-{size}", press_keys(project, *keys, size=SIZES[size]))


def test_images_without_tags_get_some(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "bare", [(), ()])
    text = press_keys(project, "a", ":hat", "enter", "enter")
    assert read_tags(project) == [("hat",), ("hat",)]
    assert "hat" in text


def test_without_a_trigger_absorb_says_what_to_do(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "none", spec=SPEC.replace('"lyq"  #', '""  #'))
    text = press_keys(project, "i")
    assert "no trigger to absorb into" in text
    assert "project.trigger" in text
    assert "★" not in text
    assert "no trigger to absorb into" in press_keys(project, "I")
    assert read_tags(project) == ORIGINAL


def test_a_narrow_terminal_shows_the_table(project: Project) -> None:
    text = press_keys(project, "d", size=(40, 16))
    assert "▸ brown eyes" in text
    assert "100 %" in text
    assert "delete “brown eyes”" in text
