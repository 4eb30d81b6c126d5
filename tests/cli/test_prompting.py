"""`lorawiz prompts` shows what the trainer reads, string by string."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lorawiz.cli import prompting
from lorawiz.dataset.batches import iter_steps
from lorawiz.dataset.holdout import split_records
from lorawiz.dataset.records import load_dataset
from lorawiz.errors import LorawizError
from lorawiz.families.clip import count_tokens
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from tests.preflight.test_rules import Change, hold_out, relabel
from tests.support.projects import make_project

SHUFFLED = {"prompt.shuffle_caption": "true", "prompt.keep_tokens": "2"}
THREE_EPOCHS = {"train.max_train_epochs": "3"}

app = typer.Typer()
prompting.register(app)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def project_in(
    folder: Path, settings: Mapping[str, str] = {}, change: Change | None = None, **made: Any
) -> Project:
    project = make_project(folder, settings={**THREE_EPOCHS, **settings}, **made)
    if change is not None:
        change(project)
    return project


def say(*arguments: str) -> tuple[list[str], str]:
    """Lines on stdout, and stderr, of `lorawiz prompts ARGUMENTS`."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines(), result.stderr


def refusal(*arguments: str) -> LorawizError:
    with pytest.raises(LorawizError) as caught:
        say(*arguments)
    return caught.value


def seen_by_the_trainer(project: Project) -> dict[tuple[str, int, int], tuple[int, str]]:
    """(step, prompt) of each view of the run."""
    spec = load_spec(project.spec)
    records = load_dataset(project.dataset).trained
    return {
        (item.record.image_path, item.epoch, item.repeat + 1): (
            plan.step,
            item.draw_prompt(spec).text,
        )
        for plan in iter_steps(spec, records)
        for batch in plan.batches
        for item in batch
    }


def test_a_line_says_image_epoch_step_tokens_and_the_prompt(folder: Path) -> None:
    project_in(folder)
    lines, _ = say()
    assert [line.split("  ")[0] for line in lines] == [f"IMG_000{i}.jpg" for i in range(4)]
    assert sorted(line.split("  ")[2] for line in lines) == [f"step {i}" for i in range(1, 5)]
    assert lines[0].split("  ")[1] == "epoch 1"
    assert lines[0].split("  ")[3:] == ["10/75", "a woman,lyq, smile, red coat"]


def test_a_new_word_counts_as_its_vectors(folder: Path) -> None:
    word = {
        "textual_inversion.token_string": "lyq",
        "textual_inversion.num_vectors_per_token": "40",
    }
    project_in(folder, word)
    num_tokens = 10 - count_tokens("lyq") + 40
    assert say()[0][0].split("  ")[3] == f"{num_tokens}/75"
    assert {line["num_tokens"] for line in json.loads("".join(say("--json")[0]))} == {num_tokens}


def test_what_stays_in_place_is_in_brackets(folder: Path) -> None:
    project_in(folder, SHUFFLED)
    for line in say("--epoch", "all")[0]:
        assert line.endswith(("[a woman, lyq] smile, red coat", "[a woman, lyq] red coat, smile"))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {**SHUFFLED, "prompt.caption_tag_dropout_rate": "0.5", "dataset.num_repeats": "2"},
        {"prompt.token_warmup_step": "0.5", "dataset.batch_size": "3"},
        {"train.max_train_epochs": "", "train.max_train_steps": "7"},
        {"prompt.enable_wildcard": "true", "prompt.caption_dropout_rate": "0.3"},
    ],
    ids=["plain", "repeats", "warm-up", "cut short", "wildcards"],
)
def test_every_prompt_is_the_one_that_the_trainer_sees(
    folder: Path, settings: dict[str, str]
) -> None:
    plain = {key: value for key, value in {**THREE_EPOCHS, **settings}.items() if value}
    project = make_project(folder, settings=plain, caption="a {tall|short} woman\none more")
    listed = json.loads("\n".join(say("--epoch", "all", "--json")[0]))
    shown = {
        (each["image_path"], each["epoch"], each["repeat"]): (each["step"], each["prompt"])
        for each in listed
    }
    assert shown == seen_by_the_trainer(project)
    keys = [(each["epoch"], each["image_path"], each["repeat"]) for each in listed]
    assert keys == sorted(keys)


def test_json_tells_all_of_a_prompt(folder: Path) -> None:
    project_in(folder, {**SHUFFLED, "prompt.keep_tokens": "9"})
    [told] = json.loads("\n".join(say("--image", "IMG_0002.jpg", "--json")[0]))
    assert told.pop("step") in range(1, 5)
    assert told == {
        "image_path": "images/IMG_0002.jpg",
        "epoch": 1,
        "repeat": 1,
        "prompt": "a woman, lyq, smile, red coat",
        "num_tokens": 10,
        "kept": ["a woman", "lyq", "smile", "red coat"],
        "is_dropped": False,
    }


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prompt.caption_dropout_every_n_epochs": "1"}, "  0/75  (empty: caption dropout)"),
        ({"prompt.caption_tag_dropout_rate": "1"}, "  0/75  (empty)"),
    ],
)
def test_an_empty_prompt_is_seen(folder: Path, settings: dict[str, str], said: str) -> None:
    project_in(folder, settings)
    assert all(line.endswith(said) for line in say()[0])


def test_repeats_are_told_apart(folder: Path) -> None:
    project_in(folder, {"dataset.num_repeats": "3"})
    lines, _ = say("--image", "IMG_0001.jpg")
    assert [line.split("  ")[2] for line in lines] == ["repeat 1/3", "repeat 2/3", "repeat 3/3"]


def test_a_range_of_epochs_and_several_images(folder: Path) -> None:
    project_in(folder)
    lines, _ = say("--epoch", "2-3", "--image", "images/IMG_0003.jpg", "--image", "IMG_0000.jpg")
    assert [line.split("  ")[:2] for line in lines] == [
        ["IMG_0000.jpg", "epoch 2"],
        ["IMG_0003.jpg", "epoch 2"],
        ["IMG_0000.jpg", "epoch 3"],
        ["IMG_0003.jpg", "epoch 3"],
    ]


def test_what_a_run_cut_short_never_sees_is_said(folder: Path) -> None:
    make_project(folder, settings={"train.max_train_steps": "5"})
    lines, told = say("--epoch", "2")
    assert len(lines) == 1
    assert "step 5" in lines[0]
    assert told == "the run ends in epoch 2: 3 prompts of it never seen\n"
    names = {line.split("  ")[0] for line in lines}
    unseen = next(f"IMG_000{i}.jpg" for i in range(4) if f"IMG_000{i}.jpg" not in names)
    assert say("--epoch", "2", "--image", unseen, "--json")[0] == ["[]"]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["--image", "IMG_00O2.jpg"], "IMG_00O2.jpg: no such image here", "did you mean IMG_0002.jpg?"),
        (["--image", "\x1b[31m"], "␛[31m: no such image here", "lorawiz prompts lists all images"),
        (["--epoch", "30"], "there is no epoch 30: the run has 3 epochs (train.max_train_epochs = 3)", "lorawiz prompts --epoch 3"),
        (["--epoch", "2-4"], "there is no epoch 4: the run has 3 epochs (train.max_train_epochs = 3)", "lorawiz prompts --epoch 3"),
        (["--epoch", "0"], "--epoch 0: neither an epoch, counted from 1, nor a range", "lorawiz prompts --epoch 1-3"),
        (["--epoch", "3-1"], "--epoch 3-1: neither an epoch, counted from 1, nor a range", "lorawiz prompts --epoch 1-3"),
        (["--epoch", "9" * 5000], f"--epoch {'9' * 5000}: neither an epoch, counted from 1, nor a range", "lorawiz prompts --epoch 1-3"),
        (["--epoch", "last"], "--epoch last: neither an epoch, counted from 1, nor a range", "lorawiz prompts --epoch 1-3"),
    ],
)  # fmt: skip
def test_a_wrong_input_is_told_with_a_hint(
    folder: Path, arguments: Sequence[str], message: str, hint: str
) -> None:
    project_in(folder)
    error = refusal(*arguments)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (relabel(keep=False), "rejected"),
        (relabel(status="broken", reason="empty file"), "empty file"),
    ],
)
def test_an_image_that_is_not_trained_has_no_prompt(folder: Path, change: Change, why: str) -> None:
    project_in(folder, change=change)
    assert refusal("--image", "IMG_0000.jpg").message == f"IMG_0000.jpg is not trained: {why}"
    assert not any(line.startswith("IMG_0000") for line in say()[0])


def test_no_images_are_no_prompts(folder: Path) -> None:
    project_in(folder, num_images=0)
    assert refusal().message == "there are no images to train on"


def test_foreign_text_cannot_steer_the_terminal(folder: Path) -> None:
    project_in(folder, change=relabel(caption="\x1b[2Jgone", tags=()))
    lines, _ = say("--image", "IMG_0000.jpg")
    assert lines[0].endswith("  ␛[2Jgone")
    [told] = json.loads("\n".join(say("--image", "IMG_0000.jpg", "--json")[0]))
    assert told["prompt"] == "\x1b[2Jgone"


def test_a_name_that_is_not_utf8_is_still_json(folder: Path) -> None:
    project = project_in(folder)
    dataset = load_dataset(project.dataset)
    relabel(image_path="images/caf\udce9.jpg")(project)
    assert len(load_dataset(project.dataset).records) == len(dataset.records) + 1
    told = json.loads("\n".join(say("--json")[0]))
    assert "images/caf\udce9.jpg" in [each["image_path"] for each in told]
    assert any(line.startswith("caf‹U+DCE9›.jpg") for line in say()[0])


PROGRAM = (
    "import sys\n"
    "from lorawiz.cli import prompting\n"
    "from lorawiz.cli.main import app, main\n"
    "prompting.register(app)\n"
    "try:\n    main()\nfinally:\n"
    "    assert not {'torch', 'diffusers', 'transformers', 'textual'} & set(sys.modules)\n"
)


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`lorawiz prompts ARGUMENTS` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "prompts", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_reader_that_goes_away_is_no_failure(folder: Path) -> None:
    project_in(folder, {"dataset.num_repeats": "2000"})
    running = start(folder, "--epoch", "all")
    assert running.stdout is not None and running.stderr is not None
    assert running.stdout.readline().startswith("IMG_0000.jpg")
    running.stdout.close()
    with running.stderr:
        assert running.stderr.read() == ""
    assert running.wait(timeout=60) == 0


def test_torch_is_never_imported(folder: Path) -> None:
    project_in(folder, SHUFFLED)
    running = start(folder, "--json")
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "")
    assert len(json.loads(out)) == 4


def test_a_filter_chooses_images(folder: Path) -> None:
    project_in(folder, change=relabel(tags=("lyq", "scarf"), caption="a woman " * 40))
    lines, _ = say("--filter", "tag:scarf")
    assert [line.split()[0] for line in lines] == ["IMG_0000.jpg"]
    lines, _ = say("--filter", "-tag:scarf name:IMG_0001* or tokens:>75")
    assert [line.split()[0] for line in lines] == ["IMG_0000.jpg", "IMG_0001.jpg"]
    lines, _ = say("--filter", "tag:smile", "--image", "IMG_0002.jpg")
    assert [line.split()[0] for line in lines] == ["IMG_0002.jpg"]


def test_a_filter_that_is_none_or_matches_nothing_is_told(folder: Path) -> None:
    project_in(folder)
    assert "column 1" in refusal("--filter", "tga:smile").message
    assert "no image matches 'tag:scarf'" in refusal("--filter", "tag:scarf").message


def test_held_out_images_have_no_prompts(folder: Path) -> None:
    project = project_in(folder, change=hold_out(0.25, 1))
    spec, records = load_spec(project.spec), load_dataset(project.dataset).trained
    (held_out,) = split_records(spec, records).held_out
    lines, said = say("--epoch", "1")
    assert (len(lines), said) == (3, "")
    assert held_out.image_path.rpartition("/")[2] not in "".join(lines)
    assert "held out for validation" in str(refusal("--image", held_out.image_path))
