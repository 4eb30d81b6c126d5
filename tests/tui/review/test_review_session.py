"""What the review works on, without a screen: filter, order, selection, edits of two at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.dataset.filters import parse_filter
from lorawiz.dataset.problems import PROBLEM_CODES
from lorawiz.dataset.records import ImageRecord, load_dataset, save_dataset
from lorawiz.dataset.store import read_dataset
from lorawiz.dataset.words import PartWords, add_tags, set_caption
from lorawiz.errors import DatasetError
from lorawiz.paths import Project
from lorawiz.tui.review.editing_session import ChangedElsewhereError
from lorawiz.tui.review.ordering import Order
from lorawiz.tui.review.session import ReviewSession
from tests.tui.review_support import (
    change_record,
    make_plain,
    make_reviewed,
    open_session,
    read_records,
)


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Only read by the tests."""
    return make_reviewed(tmp_path_factory.mktemp("reviewed") / "lyq")


@pytest.fixture
def plain(tmp_path: Path) -> Project:
    return make_plain(tmp_path / "lyq", 6)


def known(project: Project) -> ReviewSession:
    session = open_session(project)
    session.load_knowledge()
    return session


def names(session: ReviewSession) -> list[int]:
    """Numbers of the images shown."""
    shown = session.list_window(0, 1000)
    return [int(record.image_path[-8:-4]) for record in shown]


def say(text: str) -> "Edit":
    return Edit(text)


class Edit:
    """Gives an image a caption."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, record: ImageRecord, _machine: PartWords | None) -> ImageRecord:
        return set_caption(record, self._text)


def tag(word: str) -> "AddTag":
    return AddTag(word)


class AddTag:
    """Puts a tag in."""

    def __init__(self, word: str) -> None:
        self._word = word

    def __call__(self, record: ImageRecord, machine: PartWords | None) -> ImageRecord:
        return add_tags(record, [self._word], machine=machine)


# what is shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("keep:no", [1]),
        ("face:0", [7]),
        ("tokens:>14", [1, 2, 4, 5, 7]),
        ("finding:blurred", [2]),
        ("blur:>80", [2]),
        ("sharpness:<100", [2]),
        ('caption:"red" -tag:outdoors', [0, 3]),
        ("tag:outdoors and not face:0 or keep:no", [1, 2, 4, 5]),
    ],
)
def test_a_filter_shows_what_it_means(reviewed: Project, text: str, shown: list[int]) -> None:
    session = known(reviewed)
    session.set_filter(parse_filter(text))
    assert names(session) == shown


def test_a_filter_to_begin_with_finds_what_must_be_read_first(reviewed: Project) -> None:
    assert names(open_session(reviewed, "finding:blurred")) == [2]
    assert names(open_session(reviewed, "blur:>80")) == [2]
    assert names(open_session(reviewed, "face:0")) == [7]


def test_the_cursor_stays_on_its_image_or_goes_to_the_next_one_shown(reviewed: Project) -> None:
    session = known(reviewed)
    session.move_to(3)
    session.set_filter(parse_filter("tag:outdoors"))
    assert session.record_at(session.cursor).image_path.endswith("IMG_0004.jpg")
    session.set_filter(parse_filter(""))
    assert session.cursor == 4
    session.set_filter(parse_filter("tag:nothing"))
    assert session.current is None
    assert session.targets == []


@pytest.mark.parametrize(
    ("order", "first"), [("sharpness", 2), ("face", 7), ("tokens", 2), ("tags", 6), ("name", 0)]
)
def test_an_order_puts_the_worst_first(reviewed: Project, order: Order, first: int) -> None:
    session = known(reviewed)
    session.move_to(5)
    session.set_order(order)
    assert names(session)[0] == first
    assert session.cursor == 0
    session.set_order(order, is_reversed=True)
    assert names(session)[-1] in {first, 5}  # one that is as bad comes behind it by its name


def test_findings_come_first_and_rejected_ones_have_none(reviewed: Project) -> None:
    session = known(reviewed)
    session.set_order("findings")
    with_findings = [n for n in names(session) if session.has_finding(session.records[n])]
    assert names(session)[: len(with_findings)] == with_findings
    assert {2, 4, 7} <= set(with_findings)
    assert 1 not in with_findings


def test_an_order_holds_under_a_filter(reviewed: Project) -> None:
    session = known(reviewed)
    session.set_order("tags")
    session.set_filter(parse_filter("tag:outdoors"))
    assert names(session) == [1, 4, 7, 2, 5]


def test_images_that_are_alike_are_found_from_each_of_them(reviewed: Project) -> None:
    session = known(reviewed)
    for index in (3, 4):
        alike = session.find_alike(session.records[index])
        assert [record.image_path[-8:-4] for record in alike] == ["0003", "0004"]
    assert session.find_alike(session.records[5]) == [session.records[5]]


def test_that_an_image_is_like_a_rejected_one_is_no_finding(tmp_path: Path) -> None:
    session = known(make_reviewed(tmp_path / "lyq"))
    assert [each.code for each in session.problems_of(session.records[4])] == ["near-duplicate"]
    session.edit("x", [session.records[3]], lambda record, _known: replace(record, keep=False))
    assert not session.has_finding(session.records[4])


def test_every_known_finding_can_be_asked_for() -> None:
    for code in PROBLEM_CODES:
        parse_filter(f"finding:{code}")


# the selection


def test_a_range_is_selected_from_the_last_choice_to_here(plain: Project) -> None:
    session = open_session(plain)
    session.move_to(1)
    session.toggle_selected()
    session.move_to(4)
    session.select_to_here()
    assert [record.image_path[-5] for record in session.targets] == ["1", "2", "3", "4"]
    session.move_to(0)
    session.select_to_here()
    assert len(session.targets) == 5
    session.toggle_selected()
    assert [record.image_path[-5] for record in session.targets] == ["1", "2", "3", "4"]


def test_a_range_without_a_beginning_is_the_image_itself(plain: Project) -> None:
    session = open_session(plain)
    session.move_to(2)
    session.select_to_here()
    assert [record.image_path[-5] for record in session.targets] == ["2"]


def test_a_range_follows_the_order_that_is_shown(reviewed: Project) -> None:
    session = known(reviewed)
    session.set_order("tags")
    session.toggle_selected()
    session.move_to(2)
    session.select_to_here()
    chosen = {int(path[-8:-4]) for path in session.selected}
    assert chosen == set(names(session)[:3])


def test_what_is_not_shown_any_more_is_not_selected(plain: Project) -> None:
    session = open_session(plain)
    session.select_shown()
    session.set_filter(parse_filter("name:IMG_0001"))
    assert [record.image_path[-5] for record in session.targets] == ["1"]


# edits


def test_an_edit_is_on_the_disk_at_once_and_can_be_taken_back(plain: Project) -> None:
    session = open_session(plain)
    assert session.edit("caption", session.targets, say("red")) == 1
    assert read_records(plain)[0].caption == "red"
    assert open_session(plain).undo() == "undo: caption"
    assert read_records(plain)[0].caption == "a woman"
    assert session.reload_if_changed()
    assert session.redo() == "redo: caption"
    assert read_records(plain)[0].caption == "red"


def test_a_bulk_edit_is_one_edit(plain: Project) -> None:
    session = open_session(plain)
    session.select_shown()
    assert session.edit("tag", session.targets, tag("new")) == 6
    assert session.edit("tag", session.targets, tag("new")) == 0
    session.undo()
    assert all("new" not in record.tags for record in read_records(plain))


def test_two_sessions_do_not_lose_each_others_edits(plain: Project) -> None:
    mine, theirs = open_session(plain), open_session(plain)
    mine.edit("a", [mine.records[0]], say("mine"))
    theirs.edit("b", [theirs.records[1]], say("theirs"))
    mine.edit("c", [mine.records[1]], tag("both"))
    theirs.edit("d", [theirs.records[0]], tag("two"))
    on_disk = read_records(plain)
    assert (on_disk[0].caption, on_disk[0].tags[-1]) == ("mine", "two")
    assert (on_disk[1].caption, on_disk[1].tags[-1]) == ("theirs", "both")
    mine.reload_if_changed()
    theirs.reload_if_changed()
    assert mine.records == theirs.records == on_disk


def test_an_edit_of_what_was_changed_elsewhere_is_refused(plain: Project) -> None:
    mine, theirs = open_session(plain), open_session(plain)
    looked_at = mine.records[0]
    theirs.edit("b", [theirs.records[0]], say("theirs"))
    with pytest.raises(ChangedElsewhereError, match="changed elsewhere in the meantime"):
        mine.edit("a", [looked_at], say("mine"), about=lambda record: record.caption)
    assert read_records(plain)[0].caption == "theirs"
    # what they changed is something else: no reason to refuse
    assert mine.edit("a", [mine.records[0]], tag("mine"), about=lambda record: record.tags) == 1
    # looked at again, it is meant
    assert mine.edit("a", [mine.records[0]], say("mine"), about=lambda each: each.caption) == 1


def test_a_bulk_edit_with_one_changed_image_changes_nothing(plain: Project) -> None:
    mine, theirs = open_session(plain), open_session(plain)
    looked_at = list(mine.records)
    theirs.edit("b", [theirs.records[3]], say("theirs"))
    with pytest.raises(ChangedElsewhereError, match="IMG_0003"):
        mine.edit("a", looked_at, say("mine"), about=lambda record: record.caption)
    assert [record.caption for record in read_records(plain)].count("a woman") == 5


def test_a_line_changed_in_an_editor_is_taken_in_before_an_edit(plain: Project) -> None:
    session = open_session(plain)
    change_record(plain, 0, tags=("lyq", "typed"))
    assert session.is_changed_elsewhere()
    session.edit("tag", [session.records[0]], tag("mine"))
    assert read_records(plain)[0].tags == ("lyq", "typed", "mine")
    assert session.find("images/IMG_0000.jpg") == read_records(plain)[0]


def save_in_editor(project: Project, records: list[ImageRecord]) -> None:
    """What an editor does that had read the file before."""
    save_dataset(project.dataset, replace(load_dataset(project.dataset), records=tuple(records)))


def test_an_editor_that_saves_an_older_file_keeps_its_lines_and_ours(plain: Project) -> None:
    in_editor = list(load_dataset(plain.dataset).records)
    session = open_session(plain)
    session.edit("a", [session.records[0]], say("mine"))
    session.edit("b", [session.records[1]], say("mine too"))
    in_editor[1] = replace(in_editor[1], caption="typed")
    in_editor[2] = replace(in_editor[2], caption="typed too")
    save_in_editor(plain, in_editor)
    assert session.reload_if_changed()
    captions = [record.caption for record in session.records[:3]]
    assert captions == ["mine", "typed", "typed too"]
    assert session.take_given_way() == ("images/IMG_0001.jpg",)
    assert session.take_given_way() == ()


def test_an_undo_that_gives_way_says_of_which_image(plain: Project) -> None:
    session = open_session(plain)
    session.edit("a", [session.records[0]], say("mine"))
    change_record(plain, 0, caption="typed")
    session.reload_if_changed()
    session.undo()
    assert read_records(plain)[0].caption == "typed"
    assert session.take_given_way() == ("images/IMG_0000.jpg",)


def test_images_that_come_and_go_elsewhere_leave_the_cursor_on_its_image(plain: Project) -> None:
    session = open_session(plain)
    session.move_to(3)
    session.select_shown()
    records = list(read_dataset(plain).records)
    new = replace(records[0], image_path="images/A.jpg")
    save_in_editor(plain, [new, *records[1:]])
    assert session.reload_if_changed()
    assert len(session.shown) == 6
    assert session.current is not None
    assert session.current.image_path == "images/IMG_0003.jpg"
    assert "images/IMG_0000.jpg" not in session.selected
    save_in_editor(plain, records[:2])
    session.reload_if_changed()
    assert session.current is not None
    assert len(session.targets) == 1


def test_an_edit_of_images_that_are_gone_is_refused(plain: Project) -> None:
    session = open_session(plain)
    gone = session.records[5]
    save_in_editor(plain, list(session.records[:5]))
    with pytest.raises(DatasetError, match="not in the dataset any more"):
        session.edit("x", [gone], say("mine"))
    assert session.edit("x", [session.records[0], gone], say("mine")) == 1


def test_an_undo_leaves_shown_what_is_shown(plain: Project) -> None:
    session = open_session(plain)
    session.set_filter(parse_filter("caption:woman"))
    session.edit("x", [session.records[0]], say("nobody"))
    session.edit("y", [session.records[1]], say("nobody"))
    session.undo()
    assert names(session) == [0, 1, 2, 3, 4, 5]


def test_a_torn_dataset_is_told_and_nothing_is_changed(plain: Project) -> None:
    session = open_session(plain)
    plain.dataset.write_text('{"image_path": "a"')
    with pytest.raises(DatasetError, match=r"dataset\.jsonl:1"):
        session.edit("x", [session.records[0]], say("mine"))
    with pytest.raises(DatasetError, match=r"dataset\.jsonl:1"):
        session.reload_if_changed()
    assert len(session.records) == 6
    assert not (plain.private / "edits.jsonl").exists()


def test_the_next_one_is_looked_for_around_the_ends(plain: Project) -> None:
    session = open_session(plain)
    session.move_to(4)
    wanted = {"images/IMG_0001.jpg"}
    assert session.find_next(lambda record: record.image_path in wanted, 1) == 1
    assert session.find_next(lambda record: record.image_path in wanted, -1) == 1
    assert session.find_next(lambda record: False, 1) is None


def test_an_image_lacks_what_others_have(reviewed: Project) -> None:
    session = known(reviewed)
    is_bare = session.build_bare_test()
    assert [n for n, record in enumerate(session.records) if is_bare(record)] == [6]
