"""Tags without a screen: counts, marks, finding, filters, previews, edits and rules."""

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.dataset.filters import FilterFacts, parse_filter
from lorawiz.dataset.records import Hand, ImageRecord
from lorawiz.dataset.settling import settle_dataset
from lorawiz.dataset.store import read_dataset, redo, undo
from lorawiz.dataset.words import PartWords, made_of, rename_tag, settle
from lorawiz.errors import DatasetError, LorawizError, SpecError
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.tags.actions import TagAction
from lorawiz.tui.tags.finding import find_fuzzy, quote_tags
from lorawiz.tui.tags.model import TagsModel
from lorawiz.tui.tags.preview import Example
from lorawiz.tui.tags.table import build_bar
from lorawiz.tui.tags.vocabulary import load_vocabulary
from tests.support.taggers import LABELS
from tests.tui.tags_support import (
    NUM_IMAGES,
    SPEC,
    change_record,
    make_record,
    make_tagged,
    read_rules,
    read_tags,
    tags_of,
)

HOSTILE = [
    "\x1b[31mred",
    "[red]tag[/]",
    "棕色头发",
    "👩‍🦰 wig",
    'say "hi"',
    "back\\slash",
    "a*b?",
    "x, y",
]


def open_model(project: Project, filter_text: str = "") -> TagsModel:
    model = TagsModel(ReviewSession(project, load_spec(project.spec), filter_text))
    model.recount()
    model.learn()
    return model


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_tagged(tmp_path / "lyq")


@pytest.fixture
def model(project: Project) -> TagsModel:
    return open_model(project)


def names(model: TagsModel) -> list[str]:
    return [count.tag for count in model.rows]


def point_at(model: TagsModel, tag: str) -> None:
    model.move_to(names(model).index(tag))


def do(model: TagsModel, action: TagAction, as_rule: bool = False) -> str:
    (model.prepare_rule if as_rule else model.prepare)(action)
    return model.confirm()


def say_hand(project: Project) -> list[Hand]:
    return [record.hand for record in read_dataset(project).records]


# counting and marking


def test_tags_are_counted_over_what_is_trained(project: Project) -> None:
    change_record(project, 0, keep=False)
    model = open_model(project)
    assert model.report.num_images == NUM_IMAGES - 1
    assert {count.tag: count.num_images for count in model.counts}["smile"] == 5


def test_each_mark_is_where_it_belongs(project: Project, tmp_path: Path) -> None:
    many = [
        ("lyq", "brown hair", *(["odd"] * (n < 2)), *(["alone"] * (n == 5))) for n in range(300)
    ]
    project = make_tagged(tmp_path / "many", many)
    model = open_model(project)
    model.insight = replace(model.insight, known=frozenset(["brown hair", "odd"]))
    marks = {count.tag: model.marks_of(count) for count in model.counts}
    assert marks == {
        "lyq": ("trigger",),
        "brown hair": ("identity", "opposite"),
        "odd": ("rare",),
        "alone": ("once", "unknown"),
    }


def test_without_a_vocabulary_no_word_is_called_unknown(model: TagsModel) -> None:
    assert not any("unknown" in model.marks_of(count) for count in model.counts)


def test_tags_are_sorted_by_count_by_name_or_by_the_smallest_share(model: TagsModel) -> None:
    assert names(model)[:3] == ["brown eyes", "brown hair", "lyq"]
    model.set_sort(model.next_sort())
    assert names(model) == sorted(names(model))
    model.set_sort(model.next_sort())
    assert names(model)[0] == "1girl"
    assert model.next_sort() == "count"


def test_the_cursor_stays_on_its_tag_when_the_order_changes(model: TagsModel) -> None:
    point_at(model, "red coat")
    model.set_sort("name")
    assert model.current is not None
    assert model.current.tag == "red coat"


def test_a_bar_is_as_long_as_the_share() -> None:
    assert build_bar(1, 8) == "█" * 8
    assert build_bar(0.5, 8) == "████    "
    assert build_bar(0.55, 8) == "████▍   "
    assert build_bar(0.0001, 8).strip()
    assert not build_bar(0, 8).strip()


# finding


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("hair", ["hair", "hairband", "brown hair", "chairs"]),
        ("BrHa", ["brown hair"]),
        ("", ["chairs", "brown hair", "hairband", "hair", "red"]),
        ("zz", []),
        ("r e d", ["red"]),
    ],
)
def test_the_best_fit_comes_first(wanted: str, found: list[str]) -> None:
    assert find_fuzzy(wanted, ["chairs", "brown hair", "hairband", "hair", "red"], str) == found


@pytest.mark.parametrize("tag", [*HOSTILE, '"', '"quoted"', 'a ")" (b', "(o)_(o)", "brown hair"])
def test_a_tag_is_quoted_so_that_the_filter_finds_it(tag: str) -> None:
    text = quote_tags([tag])
    assert parse_filter(text).matches(_facts(make_record(0, ["hat", tag])))
    assert not parse_filter(text).matches(_facts(make_record(0, ["hat", f"{tag}s"])))


def test_several_tags_are_found_together() -> None:
    text = quote_tags(["brown hair", 'say "hi"'])
    assert text == 'tag:"brown hair" or tag:say?"hi"'
    assert parse_filter(text).matches(_facts(make_record(0, ['say "hi"'])))


def _facts(record: ImageRecord) -> FilterFacts:
    return FilterFacts(record, (), None, lambda _record: 0)


# by hand


@pytest.mark.parametrize(
    ("action", "index", "after"),
    [
        (TagAction("delete", ("smile",)), 0, ("lyq", "brown hair", "brown eyes", "red coat", "outdoors")),
        (TagAction("rename", ("grin",), "smile"), 1, ("lyq", "brown hair", "brown eyes", "red coat", "smile")),
        (TagAction("rename", ("red coat", "outdoors"), "coat"), 0, ("lyq", "brown hair", "brown eyes", "smile", "coat")),
        (TagAction("add", ("photo", "smile")), 1, ("lyq", "brown hair", "brown eyes", "grin", "red coat", "photo", "smile")),
        (TagAction("first", ("smile",)), 4, ("smile", "lyq", "brown hair", "brown eyes")),
        (TagAction("absorb", ("brown hair", "brown eyes"), trigger="lyq"), 4, ("lyq", "smile")),
    ],
)  # fmt: skip
def test_an_edit_changes_as_many_images_as_its_preview_says(
    project: Project, model: TagsModel, action: TagAction, index: int, after: tuple[str, ...]
) -> None:
    before = read_tags(project)
    model.prepare(action)
    assert model.prepared is not None
    preview = model.prepared.preview
    model.confirm()
    tags = read_tags(project)
    assert tags[index] == after
    assert preview.num_images == sum(old != new for old, new in zip(before, tags, strict=True))
    told = {each.image_path: (each.before, each.after) for each in preview.examples}
    for record, old in zip(read_dataset(project).records, before, strict=True):
        if record.image_path in told:
            assert told[record.image_path] == (old, record.tags)
    model.undo()
    assert read_tags(project) == before


def test_what_an_action_does_to_rejected_images_is_said(project: Project) -> None:
    change_record(project, 0, keep=False)
    change_record(project, 1, tags=(*tags_of(1), "smile"))
    model = open_model(project)
    model.prepare(TagAction("rename", ("grin",), "smile"))
    assert model.prepared is not None
    assert "1 has “smile” already" in model.prepared.preview.remarks
    model.prepare(TagAction("delete", ("smile",)))
    assert "1 of them is rejected" in model.prepared.preview.remarks
    model.confirm()
    assert not any("smile" in tags for tags in read_tags(project))


def test_an_action_that_changes_nothing_is_not_prepared(model: TagsModel) -> None:
    for action in (TagAction("first", ("lyq",)), TagAction("delete", ("none",))):
        with pytest.raises(DatasetError, match="changes nothing"):
            model.prepare(action)
    assert model.prepared is None


def test_only_images_with_the_trigger_lose_what_it_absorbs(tmp_path: Path) -> None:
    some = make_tagged(tmp_path / "some", [("lyq", "brown hair"), ("brown hair",)])
    model = open_model(some)
    do(model, model.build_absorb(["brown hair"]))
    assert read_tags(some) == [("lyq",), ("brown hair",)]
    none = make_tagged(tmp_path / "none", [("brown hair", "hat"), ("brown hair",)])
    model = open_model(none)
    do(model, model.build_absorb(["brown hair"]))
    assert read_tags(none) == [("hat",), ()]


def test_an_example_shows_what_changes_and_a_neighbour() -> None:
    example = Example("a/b.jpg", ("lyq", "a", "b", "c", "d", "e"), ("lyq", "a", "c", "d", "e"))
    assert example.in_words() == "… · a · b · c · … → … · a · c · …"
    assert Example("b.jpg", ("a",), ()).in_words() == "a → none"
    assert Example("b.jpg", ("\x1b",), ("[red]",)).in_words() == "␛ → [red]"


def test_renaming_in_one_go_is_renaming_one_by_one() -> None:
    dice = random.Random(7)
    letters = "abcdef"

    def draw(most: int) -> tuple[str, ...]:
        return tuple(dice.sample(letters, dice.randint(0, most)))

    for _ in range(3000):
        tags = draw(5)
        record = make_record(0, tags, "a caption")
        if dice.random() < 0.7:
            hand = Hand(
                add=tags[:1], remove=tuple(t for t in draw(3) if t not in tags), first=tags[1:2]
            )
            record = replace(record, hand=hand, made=made_of("a caption", tags))
        machine = PartWords("a caption", draw(6))
        record = settle(record, machine)
        olds, new = draw(3), dice.choice(letters)
        expected = record
        for old in olds:
            expected = rename_tag(expected, old, new, machine=machine)
        action = TagAction("rename", olds, new)
        assert set(action.build_change()(record, machine).tags) == set(expected.tags)
        if len(olds) == 1:
            assert action.build_change()(record, machine) == expected


# rules


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (TagAction("delete", ("1girl", "a*b")), {"rule": "remove", "tags": ["1girl", r"a\*b"]}),
        (TagAction("rename", ("grin",), "smile"), {"rule": "replace", "tags": {"grin": "smile"}}),
        (TagAction("add", ("photo",)), {"rule": "append", "tags": ["photo"]}),
        (TagAction("first", ("smile",)), {"rule": "move_first", "tags": ["smile"]}),
        (TagAction("absorb", ("brown hair",), trigger="lyq"), {"rule": "absorb", "tags": ["brown hair"]}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_late", [False, True])
def test_a_rule_gives_what_the_edit_gave_and_leaves_nothing_by_hand(
    tmp_path: Path, action: TagAction, rule: dict[str, object], is_late: bool
) -> None:
    tags = [(*tags_of(n), *(["a*b", "aab"] * (n == 2))) for n in range(6)]
    by_hand, by_rule = (make_tagged(tmp_path / name, tags) for name in ("hand", "rule"))
    do(open_model(by_hand), action)
    model = open_model(by_rule)
    if is_late:
        do(model, action)
        assert model.last == action
    do(model, action, as_rule=True)
    assert model.last is None
    assert read_rules(by_rule)[-1] == rule
    assert [set(each) for each in read_tags(by_rule)] == [set(each) for each in read_tags(by_hand)]
    assert say_hand(by_rule) == [Hand()] * 6
    replayed = settle_dataset(by_rule, load_spec(by_rule.spec), read_dataset(by_rule))
    assert not replayed.changed
    model.undo()
    assert by_rule.spec.read_text() == SPEC
    assert read_tags(by_rule) == (read_tags(by_hand) if is_late else [tuple(each) for each in tags])


def test_a_tag_that_was_put_in_by_hand_goes_with_the_rule_too(project: Project) -> None:
    model = open_model(project)
    do(model, TagAction("add", ("1girl",), image_paths=frozenset(["images/IMG_0000.jpg"])))
    do(model, TagAction("delete", ("1girl",)), as_rule=True)
    assert not any("1girl" in tags for tags in read_tags(project))
    assert set(say_hand(project)) == {Hand()}


def test_other_edits_by_hand_stay(project: Project) -> None:
    model = open_model(project)
    do(model, TagAction("delete", ("grin",)))
    do(model, TagAction("add", ("hat",)))
    do(model, TagAction("delete", ("smile",)), as_rule=True)
    hands = say_hand(project)
    assert hands[1] == Hand(add=("hat",), remove=("grin",))
    assert hands[0] == Hand(add=("hat",))


def test_what_follows_goes_into_the_last_rule_where_that_is_the_same(project: Project) -> None:
    model = open_model(project)
    for tag in ("brown hair", "brown eyes"):
        do(model, model.build_absorb([tag]), as_rule=True)
    assert read_rules(project)[1:] == [{"rule": "absorb", "tags": ["brown hair", "brown eyes"]}]
    do(model, TagAction("rename", ("grin",), "smile"), as_rule=True)
    do(model, TagAction("rename", ("outdoors",), "outside"), as_rule=True)
    do(model, TagAction("rename", ("smile",), "happy"), as_rule=True)
    assert [rule.get("tags") for rule in read_rules(project)[2:]] == [
        {"grin": "smile", "outdoors": "outside"},
        {"smile": "happy"},
    ]
    assert read_tags(project)[9] == ("lyq", "happy", "outside")
    for _ in range(5):
        model.undo()
    assert project.spec.read_text() == SPEC
    assert read_tags(project) == [tags_of(index) for index in range(NUM_IMAGES)]


def test_moving_first_twice_puts_the_later_one_before(project: Project) -> None:
    model = open_model(project)
    for tag in ("smile", "outdoors"):
        do(model, TagAction("first", (tag,)), as_rule=True)
    assert read_rules(project)[-1]["tags"] == ["outdoors", "smile"]
    assert read_tags(project)[0][:2] == ("outdoors", "smile")


def test_a_rule_for_some_images_is_refused_and_offered_by_hand(model: TagsModel) -> None:
    model.prepare_rule(TagAction("add", ("hat",), image_paths=frozenset(["images/IMG_0000.jpg"])))
    assert model.prepared is not None
    assert model.prepared.plan is None
    assert "all images" in model.prepared.refusal


def test_a_rule_over_tags_that_only_hands_put_in_is_refused(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "bare", [(), ()])
    model = open_model(project)
    do(model, TagAction("add", ("hat",)))
    model.prepare_rule(TagAction("delete", ("hat",)))
    assert model.prepared is not None
    assert "a rule would change nothing" in model.prepared.refusal
    model.confirm()
    assert project.spec.read_text() == SPEC
    assert read_tags(project) == [(), ()]


def test_a_placeholder_in_a_new_name_is_refused_as_a_rule(model: TagsModel) -> None:
    model.prepare_rule(TagAction("rename", ("smile",), "{trigger} smiles"))
    assert model.prepared is not None
    assert "stands for a word of the project" in model.prepared.refusal


def test_hostile_tags_become_rules_that_fit_them_alone(tmp_path: Path) -> None:
    tags = [*HOSTILE, "{trigger}", "axb", "lyq"]
    project = make_tagged(tmp_path / "hostile", [tags, tags])
    model = open_model(project)
    do(model, TagAction("delete", (*HOSTILE, "{trigger}")), as_rule=True)
    assert read_tags(project) == [("axb", "lyq")] * 2
    assert "\x1b" not in project.spec.read_text()


def test_a_letter_that_toml_cannot_hold_is_refused(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "lone", [("\ud800", "b")])
    model = open_model(project)
    model.prepare_rule(TagAction("delete", ("\ud800",)))
    assert model.prepared is not None
    assert "no text file can hold" in model.prepared.refusal
    model.confirm()
    assert read_tags(project) == [("b",)]


def test_rules_that_changed_since_the_last_clean_are_named_as_such(project: Project) -> None:
    spec = project.spec.read_text()
    project.spec.write_text(spec.replace('"underscores"', '"remove"\ntags = ["outdoors"]'))
    model = open_model(project)
    model.prepare_rule(TagAction("delete", ("grin",)))
    assert model.prepared is not None
    assert model.prepared.preview.num_images == 3
    assert "brings 3 other images up to date with the rules" in model.prepared.preview.remarks


# undo, redo, others


def test_redo_puts_the_rule_back(project: Project, model: TagsModel) -> None:
    do(model, TagAction("delete", ("smile",)), as_rule=True)
    with_rule = project.spec.read_text()
    tags = read_tags(project)
    for _ in range(2):
        model.undo()
        assert project.spec.read_text() == SPEC
        assert model.session.spec.clean == load_spec(project.spec).clean
        model.redo()
        assert project.spec.read_text() == with_rule
        assert read_tags(project) == tags


def test_undo_knows_the_rule_after_a_restart(project: Project, model: TagsModel) -> None:
    do(model, TagAction("delete", ("smile",)), as_rule=True)
    do(model, TagAction("delete", ("grin",)))
    later = open_model(project)
    assert later.num_changes == 2
    later.undo()
    assert read_rules(project)[-1] == {"rule": "remove", "tags": ["smile"]}
    later.undo()
    assert project.spec.read_text() == SPEC
    with pytest.raises(DatasetError, match="nothing to undo"):
        later.undo()


def test_undo_elsewhere_leaves_the_rule_and_redo_here_finds_it(
    project: Project, model: TagsModel
) -> None:
    do(model, TagAction("delete", ("smile",)), as_rule=True)
    with_rule = project.spec.read_text()
    undo(project)
    model.redo()
    assert project.spec.read_text() == with_rule
    redo_is_undone = model.undo()
    assert redo_is_undone.startswith("undo: delete")
    assert project.spec.read_text() == SPEC
    redo(project)
    assert project.spec.read_text() == SPEC


def test_a_rule_that_was_changed_since_refuses_undo(project: Project, model: TagsModel) -> None:
    do(model, TagAction("delete", ("smile",)), as_rule=True)
    edited = project.spec.read_text().replace('["smile"]', '["smile", "grin"]')
    project.spec.write_text(edited)
    tags, journal = read_tags(project), project.private / "edits.jsonl"
    edits = journal.read_bytes()
    with pytest.raises(SpecError, match=r"lorawiz\.toml:11: rule 2 was changed since"):
        model.undo()
    assert (project.spec.read_text(), read_tags(project)) == (edited, tags)
    assert journal.read_bytes() == edits


def test_other_settings_that_changed_since_survive_undo(project: Project, model: TagsModel) -> None:
    do(model, TagAction("delete", ("smile",)), as_rule=True)
    project.spec.write_text(project.spec.read_text().replace("epochs = 2", "epochs = 9"))
    model.undo()
    assert project.spec.read_text() == SPEC.replace("epochs = 2", "epochs = 9")


def test_a_rule_that_somebody_took_out_does_not_block_undo(
    project: Project, model: TagsModel
) -> None:
    do(model, TagAction("delete", ("smile",)), as_rule=True)
    project.spec.write_text(SPEC)
    model.undo()
    assert "smile" in read_tags(project)[0]


def test_a_file_that_changed_after_the_preview_is_looked_at_again(
    project: Project, model: TagsModel
) -> None:
    model.prepare_rule(TagAction("delete", ("smile",)))
    other = SPEC.replace("epochs = 2", "epochs = 9")
    project.spec.write_text(other)
    with pytest.raises(SpecError, match=r"lorawiz\.toml:13: changed in the meantime"):
        model.confirm()
    assert project.spec.read_text() == other
    assert "smile" in read_tags(project)[0]
    model.prepare_again()
    model.confirm()
    assert read_rules(project)[-1]["rule"] == "remove"
    assert "epochs = 9" in project.spec.read_text()


def test_a_dataset_that_cannot_be_written_takes_the_rule_back(
    project: Project, model: TagsModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.prepare_rule(TagAction("delete", ("smile",)))

    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device", "edits.jsonl")

    monkeypatch.setattr("lorawiz.dataset.store.append_edit", fail)
    with pytest.raises(OSError, match="No space"):
        model.confirm()
    assert project.spec.read_text() == SPEC


def test_an_image_that_was_edited_meanwhile_keeps_that_edit(
    project: Project, model: TagsModel
) -> None:
    model.prepare_rule(TagAction("delete", ("smile",)))
    change_record(project, 0, keep=False, caption="by another")
    change_record(project, 1, tags=("lyq", "smile", "new hat"))
    with pytest.raises(DatasetError, match="images were changed in the meantime"):
        model.confirm()
    assert project.spec.read_text() == SPEC
    model.reload()
    model.prepare_again()
    model.confirm()
    assert read_tags(project)[1] == ("lyq", "new hat")
    assert read_dataset(project).records[0].caption == "by another"
    assert not read_dataset(project).records[0].keep


def test_a_decision_of_another_session_is_no_hindrance(project: Project, model: TagsModel) -> None:
    model.prepare_rule(TagAction("delete", ("smile",)))
    other = ReviewSession(project, load_spec(project.spec))
    other.edit("reject", other.records[:1], lambda record, _known: replace(record, keep=False))
    model.confirm()
    assert not any("smile" in tags for tags in read_tags(project))
    assert not read_dataset(project).records[0].keep


def test_an_edit_by_hand_knows_what_was_typed_elsewhere_meanwhile(
    project: Project, model: TagsModel
) -> None:
    model.prepare(TagAction("rename", ("smile",), "grin"))
    change_record(project, 0, tags=("lyq", "smile", "new hat"))
    model.confirm()
    assert read_tags(project)[0] == ("lyq", "new hat", "grin")


def test_evidence_that_came_after_the_preview_is_looked_at_again(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "evidence", spec=SPEC + '\n[tag]\nmodel = "wd"\n')
    model = open_model(project)
    model.prepare_rule(TagAction("delete", ("smile",)))
    folder = project.evidence / "tags"
    folder.mkdir(parents=True)
    header = '{"schema": 1, "kind": "tags", "model": "wd", "revision": "00000000"}\n'
    (folder / "wd@00000000.jsonl").write_text(header)
    with pytest.raises(DatasetError, match="something new"):
        model.confirm()
    assert len(read_rules(project)) == 1


def test_an_invalid_spec_is_told_and_the_last_good_one_holds(
    project: Project, model: TagsModel
) -> None:
    project.spec.write_text(SPEC + "[train\n")
    assert model.is_changed_elsewhere()
    with pytest.raises(SpecError, match=r"lorawiz\.toml:\d+: not valid TOML"):
        model.reload()
    assert not model.is_changed_elsewhere()
    assert model.trigger == "lyq"
    do(model, TagAction("delete", ("smile",)))
    with pytest.raises(LorawizError, match="not valid TOML"):
        model.prepare_rule(TagAction("delete", ("smile",)))
    project.spec.write_text(SPEC.replace('trigger = "lyq"', 'trigger = "abc"'))
    assert model.reload()
    assert model.trigger == "abc"


def test_tags_changed_by_another_session_are_taken_in(project: Project, model: TagsModel) -> None:
    model.toggle_chosen()
    change_record(project, 0, tags=("new",))
    os.utime(project.dataset)
    assert model.reload()
    assert "new" in names(model)
    assert not model.reload()


# the identity assistant, the vocabulary


def test_identity_tags_are_gone_through_one_by_one(project: Project, model: TagsModel) -> None:
    assert model.start_queue()
    assert model.queue == ["brown eyes", "brown hair"]
    assert model.skip_queued() == "brown hair"
    do(model, model.build_absorb([model.queue[0]]), as_rule=True)
    assert model.skip_queued() is None
    assert read_rules(project)[-1]["tags"] == ["brown hair"]


def test_without_a_trigger_nothing_can_be_absorbed(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "none", spec=SPEC.replace('"lyq"  #', '""  #'))
    with pytest.raises(DatasetError, match="no trigger"):
        open_model(project).build_absorb(["brown hair"])


def _write_vocabulary(project: Project, labels: Sequence[tuple[str, int]] = LABELS) -> None:
    folder = project.models / "wd"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"not a model: it is never opened")
    rows = [f"{n},{name},{category},{1000 - n}" for n, (name, category) in enumerate(labels)]
    (folder / "selected_tags.csv").write_text("\n".join(["tag_id,name,category,count", *rows, ""]))


def test_the_taggers_words_are_known_as_the_project_spells_them(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "wd", spec=SPEC + '\n[tag]\nmodel = "wd"\n')
    _write_vocabulary(project)
    vocabulary = load_vocabulary(project, load_spec(project.spec))
    assert vocabulary[:3] == ("1girl", "long hair", "smile")
    assert "general" not in vocabulary
    model = open_model(project)
    marks = {count.tag: model.marks_of(count) for count in model.counts}
    assert "unknown" in marks["grin"]
    assert "unknown" not in marks["smile"]
    assert "unknown" not in marks["lyq"]
    assert model.words[0] == ("brown eyes", 12)
    assert ("long hair", 0) in model.words


def test_a_tagger_that_is_not_here_has_no_words(tmp_path: Path) -> None:
    project = make_tagged(tmp_path / "wd", spec=SPEC + '\n[tag]\nmodel = "wd"\n')
    assert load_vocabulary(project, load_spec(project.spec)) == ()
    _write_vocabulary(project, [("x", 77)])
    assert load_vocabulary(project, load_spec(project.spec)) == ()
