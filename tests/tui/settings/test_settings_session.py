"""The settings without a screen: the journal, the rows, the words."""

from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.errors import SpecError
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.spec.document import edit_text
from lorawiz.spec.form import list_fields
from lorawiz.tui.settings.file import SettingsFile, step_choice
from lorawiz.tui.settings.journal import (
    OvertakenError,
    SettingsJournal,
    SpecChange,
    compare_texts,
)
from lorawiz.tui.settings.session import SettingsSession
from lorawiz.tui.settings.words import describe_kind
from tests.tui.settings_support import make_settings_project

FIELDS = {field.key: field for field in list_fields()}
TEXT = "# mine\n[train]\nseed = 3  # lucky\nlearning_rate = 1e-4\n"


def change_of(before: str, **settings: str | None) -> SpecChange:
    keys = {f"train.{key}": value for key, value in settings.items()}
    return compare_texts(list(keys), before, edit_text(before, keys))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_settings_project(tmp_path)


@pytest.mark.parametrize(
    "settings",
    [{"seed": "33"}, {"seed": None}, {"unet_lr": "1e-5"}, {"seed": "333", "learning_rate": None}],
)
def test_a_change_goes_back_and_forth_byte_for_byte(settings: dict[str, str | None]) -> None:
    for text in (TEXT, TEXT.replace("\n", "\r\n"), TEXT.rstrip(), TEXT + "\n# é 日本\n"):
        change = change_of(text, **settings)
        after = edit_text(text, {f"train.{key}": value for key, value in settings.items()})
        assert change.apply(text, "f") == after
        assert change.reversed().apply(after, "f") == text


def test_a_change_in_another_text_touches_its_key_only() -> None:
    change = change_of(TEXT, seed="4", learning_rate="2e-4")
    other = "[network]\ndim = 4\n[train]\nlearning_rate = 0.0002\nseed = 4\n"
    wanted = other.replace("0.0002", "1e-4").replace("seed = 4", "seed = 3")
    assert change.reversed().apply(other, "f") == wanted


@pytest.mark.parametrize("now", ["seed = 5", "seed = 4.0", ""])
def test_a_key_that_holds_something_else_by_now_is_overtaken(now: str) -> None:
    with pytest.raises(OvertakenError) as caught:
        change_of(TEXT, seed="4").reversed().apply(f"[train]\n{now}\n", "f")
    assert caught.value.key == "train.seed"


def test_an_undo_that_would_make_the_file_wrong_is_refused() -> None:
    # a wrong value was mended with the form: undo must not bring it back
    mend = compare_texts(["train.seed"], TEXT.replace("= 3", "= -3"), TEXT)
    with pytest.raises(SpecError, match="expected 0 or more"):
        mend.reversed().apply(TEXT, "f")


def test_the_journal_survives_a_crash_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "settings.jsonl"
    first, second = change_of(TEXT, seed="4"), change_of(TEXT, seed="5")
    SettingsJournal(path).append("do", first)
    with path.open("ab") as file:
        file.write(b'{"kind": "do", "keys": {"tra')
    assert SettingsJournal(path).load_stacks() == ([first], [])
    SettingsJournal(path).append("do", second)
    assert SettingsJournal(path).load_stacks() == ([first, second], [])


def test_undo_redo_and_forgotten_changes_are_stacks(tmp_path: Path) -> None:
    journal = SettingsJournal(tmp_path / "settings.jsonl")
    a, b, c = (change_of(TEXT, seed=seed) for seed in ("4", "5", "6"))
    journal.append("do", a)
    journal.append("do", b)
    journal.append("undo")
    assert journal.load_stacks() == ([a], [b])
    journal.append("forget", a)
    assert journal.load_stacks() == ([], [b])
    journal.append("redo")
    assert journal.load_stacks() == ([b], [])
    journal.append("undo")
    journal.append("do", c)
    assert journal.load_stacks() == ([c], [])
    journal.append("undo")
    journal.append("forget", c)
    journal.append("undo")
    assert journal.load_stacks() == ([], [])


def test_a_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "settings.jsonl"
    journal = SettingsJournal(path)
    changes = [change_of(TEXT, training_comment='"' + "x" * 9000 + f'{n}"') for n in range(80)]
    for change in changes:
        journal.append("do", change)
    size_bytes = path.stat().st_size
    assert size_bytes < 4 << 20
    assert journal.load_stacks()[0][-1] == changes[-1]


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"kind": "do"}', '{"kind": "do", "keys": 3}'])
def test_a_journal_that_is_none_is_told(tmp_path: Path, line: str) -> None:
    path = tmp_path / "settings.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(SpecError, match=r"settings\.jsonl:1: not a line"):
        SettingsJournal(path).load_stacks()


def test_two_sessions_do_not_lose_each_others_changes(project: Project) -> None:
    one, two = SettingsFile(project), SettingsFile(project)
    one.change(FIELDS["train.seed"], "7", one.state)
    two.change(FIELDS["network.dim"], "8", two.state)
    assert one.reload_if_changed()
    assert not one.reload_if_changed()
    seen = one.state
    two.change(FIELDS["network.dim"], "9", two.state)
    with pytest.raises(SpecError, match="changed elsewhere meanwhile"):
        one.change(FIELDS["network.dim"], "10", seen)
    assert two.undo() == "network.dim"
    spec = load_spec(project.spec)
    assert (spec.train.seed, spec.network.dim) == (7, 8)
    # either takes back what the other did
    assert one.undo() == "network.dim"
    assert two.undo() == "train.seed"
    assert load_spec(project.spec).train.seed == 42


def test_a_file_that_is_gone_is_a_state_and_no_crash(project: Project) -> None:
    session = SettingsSession(project)
    project.spec.unlink()
    assert session.file.reload_if_changed()
    session.refresh()
    assert session.current is None
    assert "No such file" in str(session.state.failure)
    for step in (session.move, session.move_group):
        step(1)
    session.move_to_end(True)
    session.find("seed")
    assert session.find_line() is None
    assert session.file.check(FIELDS["train.seed"], "3") is session.state.failure


def test_a_project_without_a_template_is_compared_with_the_defaults(tmp_path: Path) -> None:
    project = make_settings_project(tmp_path, "[project]\nname = 'x'\n[train]\nseed = 3\n")
    session = SettingsSession(project)
    assert [row.key for row in session.rows if row.differs] == ["train.seed"]
    project.spec.write_text("[project]\ntemplate = 'gone'\n[train]\nseed = 42\n")
    session.file.reload()
    session.refresh()
    assert session.state.baseline.missing == "gone"
    assert session.num_changed == 0


def test_what_the_template_sets_and_the_file_leaves_out_differs(project: Project) -> None:
    session = SettingsSession(project)
    assert session.num_changed == 0
    session.file.change(FIELDS["train.lr_scheduler"], None, session.state)
    session.refresh()
    changed = [(row.key, row.is_set, row.value) for row in session.rows if row.differs]
    assert changed == [("train.lr_scheduler", False, "constant")]


def test_the_templates_texts_have_the_projects_words(project: Project) -> None:
    session = SettingsSession(project)
    session.file.change(FIELDS["project.trigger"], "zwx", session.state)
    session.refresh()
    # the prompts still say lyq, and the template would say zwx now
    assert [row.key for row in session.rows if row.differs] == ["sample.prompts"]


def test_a_rule_that_is_taken_out_leaves_the_cursor_near(project: Project) -> None:
    session = SettingsSession(project, "clean.1")
    text = project.spec.read_text()
    project.spec.write_text(text.replace('[[clean]]\nrule = "dedupe"\n', ""))
    session.file.reload()
    session.refresh()
    assert session.current is not None
    assert (session.current.key, session.current.name) == ("clean.0", "1 prepend")
    project.spec.write_text("")
    session.file.reload()
    session.refresh()
    assert (session.current.key, session.group) == ("clean", "clean")


def test_every_row_is_reached_by_moving(project: Project) -> None:
    session = SettingsSession(project)
    seen = []
    for _ in session.rows:
        assert session.current is not None
        assert session.current in session.shown
        seen.append(session.current.key)
        session.move(1)
    assert seen == [row.key for row in session.rows]
    assert set(seen) >= FIELDS.keys()


def test_a_choice_that_is_none_steps_to_the_first_or_the_last(project: Project) -> None:
    project.spec.write_text("[train]\nlr_scheduler = 'cosin'\n")
    state = SettingsFile(project).state
    assert step_choice(FIELDS["train.lr_scheduler"], state, 1) == "constant"
    assert step_choice(FIELDS["train.lr_scheduler"], state, -1) == "adafactor"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("train.seed", "a whole number, 0 or more"),
        ("network.dim", "a whole number, from 1 to 1024"),
        ("train.unet_lr", "a number, more than 0, less than 10, or not set"),
        ("network.dropout", "a number, 0 or more, less than 1"),
        ("cutout.blur", "a number, more than 0, 0.5 or less"),
        ("sample.width", "a whole number, 64 or more, a multiple of 8, or not set"),
        ("network.kind", "one of lora, locon, dora, loha, lokr, oft, full, none"),
        ("train.lr_scheduler", "one of 12 that enter lists, or another"),
        ("crop.faces", "one of largest, all"),
        ("dataset.flip_aug", "true or false"),
        ("dataset.resolution", "a whole number, or [width, height], from 64 to 8192"),
        ("network.block_dims", "a list of numbers: [1, 2], or not set"),
        ("tag.undesired_tags", 'a list of texts: ["one", "two"]'),
        ("tag.tag_replacement", 'pairs of texts: { "old" = "new" }'),
        ("dataset.alpha_background", "text, like ^(white|black|#[0-9a-fA-F]{6})$"),
    ],
)
def test_what_a_setting_may_be_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    monkeypatch.setenv("LORAWIZ_LANG", "en")
    assert describe_kind(FIELDS[key]) == words


def test_a_single_choice_is_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORAWIZ_LANG", "en")
    single = replace(FIELDS["network.kind"], choices=("lora",))
    assert describe_kind(single) == "only lora so far"


def test_every_setting_has_words_for_what_it_may_be() -> None:
    for setting in FIELDS.values():
        assert describe_kind(setting)
