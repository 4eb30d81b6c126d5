"""The settings screen: every key, and what it leaves in lorawiz.toml."""

from pathlib import Path

import pytest

from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.spec.form import list_fields
from lorawiz.spec.lr_schedulers import LR_SCHEDULERS
from lorawiz.spec.optimizers import OPTIMIZERS
from tests.tui.conftest import CompareGolden
from tests.tui.panel import screen_text, wait_until
from tests.tui.settings_support import (
    SettingsPilot,
    make_settings_project,
    play,
    press,
    settings_of,
    type_text,
)

TEN_ON = list_fields()[10].key


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_settings_project(tmp_path)


def text_of(project: Project) -> str:
    return project.spec.read_text()


def test_enter_asks_for_a_value_and_only_its_line_changes(project: Project) -> None:
    before = text_of(project)

    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("enter")
        await type_text(pilot, "3e-4")
        await pilot.press("enter")
        assert "train.learning_rate = 3e-4" in screen_text(pilot)
        assert "●◆ learning_rate" in screen_text(pilot)

    play(project, edit, at_key="train.learning_rate")
    assert text_of(project) == before.replace("learning_rate = 0.0001", "learning_rate = 3e-4")


def test_a_wrong_value_is_told_while_it_is_typed_and_never_written(project: Project) -> None:
    before = text_of(project)

    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("enter")
        await type_text(pilot, "x")
        assert 'train.seed = "x": expected a whole number' in screen_text(pilot)
        await pilot.press("enter")
        assert "expected a whole number" in screen_text(pilot)
        await type_text(pilot, "-1")
        assert "expected 0 or more" in screen_text(pilot)
        await pilot.press("escape")

    play(project, edit, at_key="train.seed")
    assert text_of(project) == before


def test_a_value_that_does_not_go_with_another_is_told_too(project: Project) -> None:
    before = text_of(project)

    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("enter")
        await type_text(pilot, "2048")
        assert "min_bucket_reso is larger than max_bucket_reso" in screen_text(pilot)
        await pilot.press("enter", "escape")

    play(project, edit, at_key="dataset.min_bucket_reso")
    assert text_of(project) == before


def test_entering_what_is_there_writes_nothing(project: Project) -> None:
    before = text_of(project)
    for key in ("train.max_grad_norm", "train.unet_lr", "train.optimizer_type"):
        press(project, "enter", "enter", at_key=key)
    assert text_of(project) == before
    assert not project.private.exists()


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("tag.undesired_tags", '["a b", "c"]', ["a b", "c"]),
        ("tag.tag_replacement", '{ "tank top" = "shirt" }', {"tank top": "shirt"}),
        ("dataset.resolution", "[512, 768]", (512, 768)),
        ("caption.prefix", '"a photo of "', "a photo of "),
        ("train.training_comment", "第一次 🎉", "第一次 🎉"),
    ],
)
def test_lists_pairs_and_texts_are_typed(
    project: Project, key: str, typed: str, value: object
) -> None:
    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("enter")
        await type_text(pilot, typed)
        await pilot.press("enter")

    play(project, edit, at_key=key)
    table, _, name = key.partition(".")
    assert getattr(getattr(load_spec(project.spec), table), name) == value


def test_nothing_typed_is_not_set_where_that_may_be(project: Project) -> None:
    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("enter")
        await type_text(pilot, "")
        await pilot.press("enter")
        assert "train.text_encoder_lr is not set" in screen_text(pilot)

    play(project, edit, at_key="train.text_encoder_lr")
    assert "text_encoder_lr" not in text_of(project)


@pytest.mark.parametrize("key", ["space", "enter", "right", "left", "l", "h"])
def test_a_switch_is_switched(project: Project, key: str) -> None:
    before = text_of(project)
    press(project, key, at_key="dataset.flip_aug")
    assert text_of(project) == before.replace("flip_aug = false", "flip_aug = true")
    press(project, key, at_key="dataset.flip_aug")
    assert text_of(project) == before


@pytest.mark.parametrize(
    ("keys", "scheduler"),
    [
        (["right"], "cosine_with_restarts"), (["l", "l"], "polynomial"), (["left"], "linear"),
        (["h", "h"], "constant_with_warmup"), (["space"], "cosine_with_restarts"),
        (["right"] * len(LR_SCHEDULERS), "cosine"), (["h"] * 4, "adafactor"),
        (["enter", *"lin", "enter"], "linear"), (["enter", "down", "enter"], "cosine_with_restarts"),
        (["enter", "enter"], "cosine"), (["enter", "escape"], "cosine"),
    ],
)  # fmt: skip
def test_usual_texts_are_stepped_through_or_picked(
    project: Project, keys: list[str], scheduler: str
) -> None:
    before = text_of(project)
    press(project, *keys, at_key="train.lr_scheduler")
    assert text_of(project) == before.replace(
        'lr_scheduler = "cosine"', f'lr_scheduler = "{scheduler}"'
    )


@pytest.mark.parametrize(
    ("keys", "precision"),
    [
        (["right"], "no"), (["left"], "fp16"), (["enter", "up", "enter"], "fp16"),
        (["enter", *"no", "enter"], "no"), (["space"] * 3, "bf16"),
    ],
)  # fmt: skip
def test_choices_are_stepped_through_or_picked(
    project: Project, keys: list[str], precision: str
) -> None:
    press(project, *keys, at_key="train.mixed_precision")
    assert load_spec(project.spec).train.mixed_precision == precision


def test_a_text_that_is_not_among_the_usual_is_typed(project: Project) -> None:
    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("enter")
        assert "another…" not in screen_text(pilot)  # it is the last, behind those that fit
        await pilot.press("up")
        assert "another…" in screen_text(pilot)
        await pilot.press("enter")
        await type_text(pilot, "AdamX")
        assert "no optimizer is called" in screen_text(pilot)
        await type_text(pilot, "torch.optim.RAdam")
        await pilot.press("enter")
        assert load_spec(project.spec).train.optimizer_type == "torch.optim.RAdam"
        await pilot.press("enter", "up")
        assert "another…  torch.optim.RAdam" in screen_text(pilot)
        await pilot.press("escape", "left")
        assert load_spec(project.spec).train.optimizer_type == list(OPTIMIZERS)[-1]
        await pilot.press("right")
        assert load_spec(project.spec).train.optimizer_type == "AdamW"

    play(project, edit, at_key="train.optimizer_type")


@pytest.mark.parametrize("key", ["d", "delete"])
def test_d_takes_a_setting_out_of_the_file(project: Project, key: str) -> None:
    before = text_of(project)
    press(project, key, at_key="train.lr_scheduler")
    assert text_of(project) == before.replace('lr_scheduler = "cosine"\n', "")
    assert load_spec(project.spec).train.lr_scheduler == "constant"
    press(project, key, at_key="train.lr_scheduler")
    assert load_spec(project.spec).train.lr_scheduler == "constant"


def test_shift_t_is_the_templates_value_or_the_default_that_it_leaves(project: Project) -> None:
    before = text_of(project)
    press(project, "right", "T", at_key="train.lr_scheduler")
    assert text_of(project) == before
    press(project, "space", at_key="network.train_unet_only")
    assert load_spec(project.spec).network.train_unet_only
    press(project, "T", at_key="network.train_unet_only")
    assert "train_unet_only" not in text_of(project)
    press(project, "d", "T", at_key="sample.prompts")
    assert load_spec(project.spec).sample.prompts == ["a photo of lyq woman", "a photo of a woman"]


def test_what_is_the_projects_own_has_no_template(project: Project) -> None:
    async def look(pilot: SettingsPilot) -> None:
        assert "each project has its own" in screen_text(pilot)
        await pilot.press("T")
        assert "each project has its own project.name" in screen_text(pilot)
        assert "0 changed from face-lora" in screen_text(pilot)

    before = text_of(project)
    play(project, look, (120, 24), at_key="project.name")
    assert text_of(project) == before


@pytest.mark.parametrize(("undo", "redo"), [("u", "ctrl+r"), ("ctrl+z", "ctrl+y")])
def test_undo_and_redo_go_on_in_another_session_byte_for_byte(
    project: Project, undo: str, redo: str
) -> None:
    texts = [text_of(project)]
    press(project, "right", at_key="train.lr_scheduler")
    texts.append(text_of(project))
    press(project, "d", at_key="train.seed")
    texts.append(text_of(project))
    press(project, "space", at_key="dataset.flip_aug")
    texts.append(text_of(project))
    for wanted in reversed(texts[:-1]):
        press(project, undo)
        assert text_of(project) == wanted

    async def undo_too_often(pilot: SettingsPilot) -> None:
        await pilot.press(undo)
        await wait_until(pilot, lambda: "nothing to undo here" in screen_text(pilot))

    play(project, undo_too_often)
    for wanted in texts[1:]:
        press(project, redo)
        assert text_of(project) == wanted
    press(project, redo)
    assert text_of(project) == texts[-1]


def test_undo_goes_to_the_setting_that_it_changed(project: Project) -> None:
    async def undo(pilot: SettingsPilot) -> None:
        await pilot.press("right", "g", "J", "/", *"seed", "enter", "u")
        assert "▸●  lr_scheduler" in screen_text(pilot)
        assert "train.lr_scheduler = cosine" in screen_text(pilot)

    play(project, undo, at_key="train.lr_scheduler")


def test_undo_leaves_what_an_editor_changed_meanwhile(project: Project) -> None:
    before = text_of(project)
    press(project, "space", at_key="dataset.flip_aug")
    press(project, "right", at_key="train.lr_scheduler")
    # another setting: only the own key goes back
    project.spec.write_text(text_of(project).replace("seed = 42", "seed = 43  # mine"))
    press(project, "u")
    assert text_of(project) == before.replace("seed = 42", "seed = 43  # mine").replace(
        "flip_aug = false", "flip_aug = true"
    )
    press(project, "ctrl+r")
    # the same setting: it stays, and undo goes one further back
    project.spec.write_text(text_of(project).replace('"cosine_with_restarts"', '"constant"'))

    async def undo(pilot: SettingsPilot) -> None:
        await pilot.press("u")
        await wait_until(pilot, lambda: "train.lr_scheduler was" in screen_text(pilot))

    play(project, undo)
    assert load_spec(project.spec).train.lr_scheduler == "constant"
    assert load_spec(project.spec).dataset.flip_aug
    press(project, "u")
    assert not load_spec(project.spec).dataset.flip_aug
    assert load_spec(project.spec).train.lr_scheduler == "constant"


def test_a_value_that_changed_while_it_was_asked_for_is_not_overwritten(project: Project) -> None:
    async def edit(pilot: SettingsPilot) -> None:
        await pilot.press("enter")
        await type_text(pilot, "7")
        project.spec.write_text(text_of(project).replace("seed = 42", "seed = 43"))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "train.seed was" in screen_text(pilot))
        assert "seed 43" in " ".join(screen_text(pilot).split())

    play(project, edit, at_key="train.seed")
    assert load_spec(project.spec).train.seed == 43


def test_what_is_changed_elsewhere_is_read_again(project: Project) -> None:
    async def wait(pilot: SettingsPilot) -> None:
        project.spec.write_text(text_of(project).replace("seed = 42", "seed = 4321"))
        await wait_until(pilot, lambda: "changed elsewhere: read again" in screen_text(pilot))
        assert "4321" in screen_text(pilot)
        # what was there first is not written back by the next edit
        await pilot.press("j", "j", "enter", "5", "enter")

    play(project, wait, at_key="train.seed")
    spec = load_spec(project.spec)
    assert (spec.train.seed, spec.train.save_every_n_steps) == (4321, 5)


def test_search_finds_names_and_help_over_all_groups(project: Project) -> None:
    async def search(pilot: SettingsPilot) -> None:
        await pilot.press("slash", *"clipped")
        assert "1 setting found" in screen_text(pilot)
        assert "▸   train.max_grad_norm" in screen_text(pilot)
        await pilot.press("enter", "enter")
        await type_text(pilot, "0.5")
        await pilot.press("enter")
        assert load_spec(project.spec).train.max_grad_norm == 0.5
        assert "1 setting found" in screen_text(pilot)
        await pilot.press("slash")
        await type_text(pilot, "zzz")
        assert "nothing is found: esc shows everything" in screen_text(pilot)
        # what was typed last found nothing to stay at
        await pilot.press("j", "escape")
        assert "How long, how fast" in screen_text(pilot)
        assert "▸●◆ max_grad_norm" in screen_text(pilot)
        await pilot.press("escape")
        assert pilot.app.return_code == 0

    play(project, search)


def test_keys_are_letters_while_one_searches(project: Project) -> None:
    before = text_of(project)

    async def search(pilot: SettingsPilot) -> None:
        await pilot.press("d", "slash", "ctrl+z", *"duceT", "space", "question_mark", "q")
        assert settings_of(pilot).session.search == "duceT ?q"
        assert pilot.app.return_code is None

    play(project, search, at_key="train.seed")
    assert text_of(project) == before.replace("seed = 42\n", "")


def test_c_shows_only_what_is_changed(project: Project) -> None:
    async def look(pilot: SettingsPilot) -> None:
        await pilot.press("c")
        assert "nothing is changed: c shows everything" in screen_text(pilot)
        await pilot.press("c", "right", "c")
        assert "1 changed: c shows everything" in screen_text(pilot)
        assert "▸●◆ train.lr_scheduler  cosine_with_restarts" in screen_text(pilot)
        await pilot.press("T")
        assert load_spec(project.spec).train.lr_scheduler == "cosine"
        assert "nothing is changed" in screen_text(pilot)
        await pilot.press("escape")
        assert "nothing is changed" not in screen_text(pilot)

    play(project, look, at_key="train.lr_scheduler")


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        (["j"], "project.trigger"), (["down"], "project.trigger"), (["k"], "project.name"),
        (["G"], "project.template"), (["end"], "project.template"), (["G", "j"], "base.family"),
        (["G", "j", "up"], "project.template"), (["G", "g"], "project.name"),
        (["G", "home"], "project.name"), (["tab"], "base.family"), (["J"], "base.family"),
        (["tab", "shift+tab"], "project.name"), (["K"], "schema"), (["shift+tab"], "schema"),
        (["shift+tab", "tab"], "project.name"), (["ctrl+d"], TEN_ON),
        (["pagedown"], TEN_ON), (["ctrl+d", "ctrl+u"], "project.name"),
        (["pagedown", "pageup"], "project.name"), (["pageup"], "project.name"),
    ],
)  # fmt: skip
def test_keys_move_the_cursor(project: Project, keys: list[str], key: str) -> None:
    async def move(pilot: SettingsPilot) -> None:
        await pilot.press(*keys)
        current = settings_of(pilot).session.current
        assert current is not None
        assert current.key == key
        assert key in screen_text(pilot)

    play(project, move)


@pytest.mark.parametrize("key", ["escape", "q", "ctrl+q", "ctrl+c"])
def test_leaving_ends_and_changes_nothing(project: Project, key: str) -> None:
    before = text_of(project)
    assert press(project, key).return_code == 0
    assert text_of(project) == before
    assert [path.name for path in project.root.iterdir()] == ["lorawiz.toml"]


def test_help_and_palette_name_the_keys(project: Project) -> None:
    async def ask(pilot: SettingsPilot) -> None:
        await pilot.press("question_mark")
        for named in ("edit the value", "T ", "set it as the template has it", "open the file in"):
            assert named in screen_text(pilot)
        await pilot.press("escape", "ctrl+p", *"only what")
        await wait_until(pilot, lambda: "only what is changed" in screen_text(pilot))

    play(project, ask, (80, 40), at_key="train.lr_scheduler")


def test_the_mouse_chooses_edits_and_scrolls(project: Project) -> None:
    async def point(pilot: SettingsPilot) -> None:
        await pilot.click("#groups", offset=(3, 2))
        session = settings_of(pilot).session
        assert session.current is not None
        assert session.group == "dataset"
        await pilot.click("#fields", offset=(8, 9))
        assert session.current.key == "dataset.flip_aug"
        await pilot.click("#fields", offset=(8, 9))
        assert load_spec(project.spec).dataset.flip_aug
        await pilot._post_mouse_events([_scroll_down()], "#fields", button=0)
        assert session.current.key == "dataset.alpha_background"

    play(project, point)


def _scroll_down() -> type:
    from textual.events import MouseScrollDown

    return MouseScrollDown


def test_rules_are_shown_and_not_edited_here(project: Project) -> None:
    before = text_of(project)

    async def look(pilot: SettingsPilot) -> None:
        text = screen_text(pilot)
        assert "1 dedupe" in text
        assert '▸●  2 prepend  tags = ["{trigger}"]' in text
        assert "Put tags first, in this order" in text
        assert "edited with e in the file" in text
        await pilot.press("enter", "space", "d", "T", "right")

    play(project, look, at_key="clean.1")
    assert text_of(project) == before


@pytest.mark.parametrize(
    ("at_key", "key"),
    [
        ("train.seed", "train.seed"), ("dataset", "dataset.resolution"), ("clean.1", "clean.1"),
        ("clean.9.tags", "clean.0"), ("train.nothing", "train.max_train_epochs"),
        ("", "project.name"), ("nothing", "project.name"),
    ],
)  # fmt: skip
def test_the_screen_opens_at_the_key_of_a_finding(project: Project, at_key: str, key: str) -> None:
    async def look(pilot: SettingsPilot) -> None:
        current = settings_of(pilot).session.current
        assert current is not None
        assert current.key == key

    play(project, look, at_key=at_key)


def test_a_base_checkpoint_is_written_with_its_hash(project: Project, tiny_base: Path) -> None:
    async def choose(pilot: SettingsPilot) -> None:
        await pilot.press("enter")
        await type_text(pilot, "nowhere.safetensors")
        assert "nowhere.safetensors: no such model" in screen_text(pilot)
        await type_text(pilot, str(tiny_base))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "base.checkpoint = tiny" in screen_text(pilot))
        spec = load_spec(project.spec)
        assert (spec.base.checkpoint, len(spec.base.sha256)) == ("tiny", 64)
        await pilot.press("d")
        assert load_spec(project.spec).base.sha256 == ""
        await pilot.press("u")
        assert load_spec(project.spec) == spec
        await pilot.press("u")
        assert load_spec(project.spec).base.checkpoint == ""

    before = text_of(project)
    play(project, choose, at_key="base.checkpoint")
    assert text_of(project) == before


def test_a_folder_that_cannot_be_written_is_said(project: Project) -> None:
    project.private.write_text("a file in the way")
    before = text_of(project)

    async def switch(pilot: SettingsPilot) -> None:
        await pilot.press("space")
        await wait_until(pilot, lambda: "File exists" in screen_text(pilot))

    play(project, switch, at_key="dataset.flip_aug")
    assert text_of(project) == before


def test_foreign_text_cannot_steer_the_terminal(tmp_path: Path) -> None:
    project = make_settings_project(
        tmp_path,
        '[project]\nname = "lyq"\ntemplate = "[red]x\\u001b[2J"\n[train]\n'
        'training_comment = "[bold]\\u001b[31m\\u202e"\n',
    )

    async def look(pilot: SettingsPilot) -> None:
        assert "\x1b" not in screen_text(pilot)
        assert '"[bold]\\u001b[31m\\u202e"' in screen_text(pilot)
        assert "the template [red]x␛[2J is not on this machine" in screen_text(pilot)
        await pilot.press("T")
        await pilot.press("enter", "x")
        assert "text that begins with a quote ends with it" in screen_text(pilot)
        await pilot.press("backspace", "left", "x", "enter")

    play(project, look, (120, 36), at_key="train.training_comment")
    assert load_spec(project.spec).train.training_comment == "[bold]\x1b[31m\u202ex"


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_the_settings_look_as_they_should(
    project: Project, compare_golden: CompareGolden, size: tuple[int, int]
) -> None:
    project.spec.write_text(
        text_of(project)
        .replace("dim = 16", "dim = 32")
        .replace("seed = 42", "seed = 7")
        .replace('lr_scheduler = "cosine"', 'lr_scheduler = "linear"')
    )

    async def look(pilot: SettingsPilot) -> None:
        compare_golden(f"settings-group-{size[0]}x{size[1]}", screen_text(pilot))
        await pilot.press("c")
        compare_golden(f"settings-changed-{size[0]}x{size[1]}", screen_text(pilot))
        await pilot.press("c", "slash", *"bucket", "enter")
        compare_golden(f"settings-search-{size[0]}x{size[1]}", screen_text(pilot))

    play(project, look, size, at_key="train.lr_scheduler")


@pytest.mark.parametrize("size", [(40, 24), (40, 12), (30, 10)])
def test_small_terminals_show_the_settings_too(
    project: Project, compare_golden: CompareGolden, size: tuple[int, int]
) -> None:
    async def look(pilot: SettingsPilot) -> None:
        compare_golden(f"settings-small-{size[0]}x{size[1]}", screen_text(pilot))

    play(project, look, size, at_key="train.lr_scheduler")
