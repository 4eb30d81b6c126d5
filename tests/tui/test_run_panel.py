"""The live panel: keys and what they leave on the disk, and what it says of each state."""

import asyncio
from pathlib import Path

import pytest

from lorawiz.tui.app import LorawizApp
from lorawiz.tui.follow import RunFollower
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.screens.run import Departure, RunScreen
from tests.tui.conftest import CompareGolden
from tests.tui.fake_run import DEAD, FakeClock, FakeRun
from tests.tui.panel import PanelPilot, play, press, screen_text, settle, text_of, wait_until

SMALL = (63, 16)
"""Without the chart, which takes most of a test's time."""


@pytest.mark.parametrize("key", ["d", "q", "escape", "ctrl+q"])
def test_leaving_detaches_and_asks_nothing_of_the_trainer(run: FakeRun, key: str) -> None:
    run.train_to_3()
    app = play(run, lambda pilot: press(pilot, key), SMALL)
    assert app.return_value == "detached"
    assert not run.stop_request.exists()


def test_stop_asks_first_and_yes_requests_it(run: FakeRun) -> None:
    run.train_to_3()

    async def stop(pilot: PanelPilot) -> None:
        await press(pilot, "s")
        assert not run.stop_request.exists()
        await press(pilot, "y")
        assert run.stop_request.exists()
        text = screen_text(pilot)
        assert "● stopping after this step…" in text
        assert "s stop" not in text.splitlines()[-1]
        run.stop_request.unlink()  # the trainer takes it
        await settle(pilot)
        assert "● stopping after this step…" in screen_text(pilot)
        run.end("stopped", "stop was asked for; the state is saved")
        await settle(pilot)
        assert "■ stopped" in screen_text(pilot)
        await press(pilot, "d")

    assert play(run, stop, SMALL).return_value == "stopped"


def test_a_stop_that_is_not_confirmed_requests_nothing(run: FakeRun) -> None:
    run.train_to_3()

    async def hesitate(pilot: PanelPilot) -> None:
        for answer in (["n"], ["escape"], ["down", "enter"]):
            await press(pilot, "s", *answer)
            assert "● running" in screen_text(pilot)
            assert not run.stop_request.exists()
        await press(pilot, "s", "enter")
        assert run.stop_request.exists()

    play(run, hesitate, SMALL)


def test_a_run_that_ends_during_the_question_is_not_asked_to_stop(run: FakeRun) -> None:
    run.train_to_3()

    async def answer_late(pilot: PanelPilot) -> None:
        await press(pilot, "s")
        run.end("finished")
        await settle(pilot)
        await press(pilot, "y", "d")

    assert play(run, answer_late, SMALL).return_value == "ended"
    assert not run.stop_request.exists()


def test_a_stop_that_cannot_be_written_is_said(run: FakeRun) -> None:
    run.train_to_3()
    run.folder.control.rmdir()
    run.folder.control.write_text("a file in the way")

    async def stop(pilot: PanelPilot) -> None:
        await press(pilot, "s", "y")
        await wait_until(pilot, lambda: "cannot ask the trainer" in screen_text(pilot))
        assert "● running" in screen_text(pilot)

    play(run, stop)


def test_ctrl_c_asks_and_can_stay_stop_or_detach(run: FakeRun) -> None:
    run.train_to_3()

    async def interrupt(pilot: PanelPilot) -> None:
        await press(pilot, "ctrl+c")
        assert "Leave lyq-0001?" in screen_text(pilot)
        await press(pilot, "escape")
        assert "Leave lyq-0001?" not in screen_text(pilot)
        assert not run.stop_request.exists()
        await press(pilot, "ctrl+c", "s")
        assert run.stop_request.exists()
        assert pilot.app.return_value is None
        await press(pilot, "ctrl+c", "d")

    # it was asked to stop, but left before it did
    assert play(run, interrupt, SMALL).return_value == "detached"


@pytest.mark.parametrize("key", ["d", "q", "ctrl+c"])
def test_a_run_that_is_over_is_left_without_a_question(run: FakeRun, key: str) -> None:
    run.train_to_3()
    run.end("finished")
    app = play(run, lambda pilot: press(pilot, "s", "y", key), SMALL)
    assert app.return_value == "ended"
    assert not run.stop_request.exists()


def test_a_stop_asked_for_elsewhere_is_shown(run: FakeRun) -> None:
    run.train_to_3()
    run.stop_request.touch()
    assert "● stopping after this step…" in text_of(run, size=SMALL)


def test_help_names_the_keys_that_work_now(run: FakeRun) -> None:
    run.train_to_3()

    async def ask(pilot: PanelPilot) -> None:
        for key in ("question_mark", "f1"):
            await press(pilot, key)
            for named in ("d, q, esc, ^q", "stop after saving", "^c", "?, f1", "log"):
                assert named in screen_text(pilot)
            await press(pilot, "escape")
            assert "stop after saving" not in screen_text(pilot)
        run.end("finished")
        await settle(pilot)
        await press(pilot, "question_mark")
        assert "leave: the run has ended" in screen_text(pilot)
        assert "stop after saving" not in screen_text(pilot)

    play(run, ask, SMALL)


def test_what_is_written_while_the_panel_is_open_appears_by_itself(run: FakeRun) -> None:
    run.launch()

    async def watch(pilot: PanelPilot) -> None:
        assert "○ launching" in screen_text(pilot)
        run.start()
        run.train(1, 120)
        run.save(120)
        await wait_until(pilot, lambda: "saved lyq-e0002.safetensors" in screen_text(pilot))
        assert "step  120/1200" in screen_text(pilot)

    play(run, watch)


def test_a_resume_from_elsewhere_brings_the_panel_back_to_life(run: FakeRun) -> None:
    run.train_to_3()
    run.end("stopped", "the state is saved")

    async def watch(pilot: PanelPilot) -> None:
        assert "■ stopped" in screen_text(pilot)
        run.launch()
        run.start(step=360)
        run.train(361, 370)
        await settle(pilot)
        assert "● running" in screen_text(pilot)
        assert "step  370/1200" in screen_text(pilot)
        assert "s stop  p pause" in screen_text(pilot)
        assert "d detach" in screen_text(pilot)

    play(run, watch, SMALL)


def test_a_trainer_that_is_gone_is_called_killed(tmp_path: Path, clock: FakeClock) -> None:
    run = FakeRun(tmp_path, clock, DEAD)
    run.train_to_412()
    text = text_of(run)
    assert "✗ killed" in text
    assert "lorawiz run --resume lyq-0001 goes on behind step 360" in text


def test_a_trainer_that_says_nothing_is_not_called_dead(run: FakeRun) -> None:
    run.train_to_3()
    assert "no word" not in text_of(run, size=SMALL)
    run.clock.advance(130)
    text = text_of(run, size=SMALL)
    assert "● running" in text
    assert "no word from the trainer for 2:10" in text


def test_the_next_watcher_is_told_what_happened_since(run: FakeRun) -> None:
    run.launch()
    run.start()
    run.train(1, 32)
    text_of(run, size=SMALL)
    run.train(33, 412)
    run.save(412)
    assert "since 21:00: 380 steps, 1 save" in text_of(run, size=SMALL)


@pytest.mark.usefixtures("pictures")
def test_untrusted_text_is_shown_and_never_obeyed(run: FakeRun) -> None:
    evil = "\x1b]52;c;aGk=\x07[@click=app.bell]x[/]\u202e[red]"
    run.launch()
    run.start()
    run.train(1, 3)
    run.sample(3, prompt=evil)
    run.write("warning", message=evil)
    run.write("device", name=evil)
    run.write("phase", name=evil, done=1, total=3)
    run.folder.log.write_text(evil + "\n")
    visible = "␛]52;c;aGk=␇[@click=app.bell]x[/]‹U+202E›[red]"

    async def read(pilot: PanelPilot) -> None:
        assert f"\n {visible[:20]}" in screen_text(pilot)  # the phase, cut to its column
        run.end("failed", evil, evil)
        await settle(pilot)
        text = screen_text(pilot)
        for shown in (f"⚠ {visible}", f"→ {visible}", f"step 3: {visible}", f"on {visible}"):
            assert shown in text
        await press(pilot, "l")
        assert f" {visible}\n" in screen_text(pilot)
        assert not set(text + screen_text(pilot)) & {"\x1b", "\x07", "\u202e"}

    play(run, read, size=(180, 40))


def test_the_log_grows_while_it_is_shown_and_hides_again(run: FakeRun) -> None:
    run.train_to_3()
    run.folder.log.write_text("first words\n")

    async def read(pilot: PanelPilot) -> None:
        await press(pilot, "l")
        assert "first words" in screen_text(pilot)
        with run.folder.log.open("a") as log:
            log.write("10 %\r100 %\nlast words\n")
        await settle(pilot)
        assert " 100 %\n last words" in screen_text(pilot)
        await press(pilot, "l")
        assert "last words" not in screen_text(pilot)
        assert "grad norm" in screen_text(pilot)

    play(run, read, SMALL)


@pytest.mark.usefixtures("pictures")
def test_a_picture_that_cannot_be_read_is_left_out(run: FakeRun) -> None:
    run.train_to_412()
    run.sample(400).write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    text = text_of(run)
    assert "step 360 ·" in text
    assert "step 400 ·" not in text


def test_pictures_can_be_off(run: FakeRun) -> None:
    run.train_to_412()
    assert "step 360 ·" not in text_of(run)


@pytest.mark.usefixtures("pictures")
def test_no_size_is_too_small_or_too_large(run: FakeRun) -> None:
    run.train_to_412()

    async def resize(pilot: PanelPilot) -> None:
        for size in ((1, 1), (10, 4), (40, 10), (200, 60)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
        assert "step 360 ·" in screen_text(pilot)

    play(run, resize)


def test_no_color_is_respected(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    run.train_to_412()

    async def look(pilot: PanelPilot) -> None:
        assert pilot.app.no_color
        assert "● running" in screen_text(pilot)

    play(run, look)


def test_p_pauses_and_goes_on(run: FakeRun) -> None:
    run.train_to_3()

    async def pause(pilot: PanelPilot) -> None:
        await press(pilot, "p")
        assert run.requests() == {"pause"}
        text = screen_text(pilot)
        assert "● pausing after this step…" in text
        assert "asked: pauses after this step" in text
        run.answer("pause", step=3)
        run.clock.advance(130)
        await settle(pilot)
        text = screen_text(pilot)
        assert "‖ paused" in text
        assert "paused for 2:10 behind step 3: p goes on" in text
        assert "no word" not in text
        await press(pilot, "p")
        assert run.requests() == {"resume"}
        assert "‖ going on…" in screen_text(pilot)
        run.answer("resume", step=3)
        await settle(pilot)
        assert "● running" in screen_text(pilot)
        assert "goes on behind step 3" in screen_text(pilot)

    play(run, pause, SMALL)


def test_a_pause_that_is_not_obeyed_yet_is_taken_back(run: FakeRun) -> None:
    run.train_to_3()

    async def hesitate(pilot: PanelPilot) -> None:
        await press(pilot, "p", "p")
        assert run.requests() == {"resume"}
        run.answer("resume", step=3)
        await settle(pilot)
        assert "● running" in screen_text(pilot)
        await press(pilot, "p")
        assert run.requests() == {"pause"}

    play(run, hesitate, SMALL)


@pytest.mark.parametrize(
    ("key", "request_name", "sign", "label"),
    [
        ("S", "save", "asked: saves after this step", "S save now"),
        ("x", "sample", "asked: draws samples after this step", "x sample now"),
    ],
)
def test_a_key_asks_once_and_again_when_it_is_answered(
    run: FakeRun, key: str, request_name: str, sign: str, label: str
) -> None:
    run.train_to_3()

    async def ask(pilot: PanelPilot) -> None:
        await press(pilot, key)
        assert run.requests() == {request_name}
        assert sign in screen_text(pilot)
        assert label not in screen_text(pilot)
        await press(pilot, key)
        assert not pilot.app._notifications
        # taken up, but not done yet
        (run.folder.control / request_name).unlink()
        await settle(pilot)
        assert label not in screen_text(pilot)
        run.answer("warning", message="not done: the disk is full", request=request_name)
        await settle(pilot)
        assert label in screen_text(pilot)
        assert "the disk is full" in screen_text(pilot)
        await press(pilot, key)
        if request_name == "save":
            run.answer("save", step=3, epoch=1, path="runs/lyq-0001/a.safetensors", num_bytes=1)
        else:
            run.answer("sample", step=3, index=0, prompt="p", path="runs/lyq-0001/s.png")
        await settle(pilot)
        assert label in screen_text(pilot)

    play(run, ask, (80, 16))


def test_requests_of_another_terminal_are_shown(run: FakeRun) -> None:
    run.train_to_3()
    for name in ("save", "pause"):
        (run.folder.control / name).touch()
    text = text_of(run, size=SMALL)
    assert "● pausing after this step…" in text
    assert "p go on" in text
    assert "S save now" not in text


@pytest.mark.parametrize("key", ["p", "S", "x", "s"])
@pytest.mark.parametrize("outcome", ["finished", "stopped", "failed"])
def test_nothing_is_asked_of_a_run_that_is_over_and_it_says_why(
    run: FakeRun, key: str, outcome: str
) -> None:
    run.train_to_3()
    run.end(outcome)

    async def ask(pilot: PanelPilot) -> None:
        assert "save now" not in screen_text(pilot)
        await press(pilot, key)
        await wait_until(pilot, lambda: len(pilot.app._notifications) == 1)
        said = next(iter(pilot.app._notifications)).message
        assert outcome in said

    play(run, ask, SMALL)
    assert run.requests() == set()


def test_a_save_that_cannot_be_asked_for_is_said(run: FakeRun) -> None:
    run.train_to_3()
    run.folder.control.rmdir()
    run.folder.control.write_text("a file in the way")

    async def ask(pilot: PanelPilot) -> None:
        await press(pilot, "S")
        await wait_until(pilot, lambda: "cannot ask the trainer" in screen_text(pilot))
        assert "asked: saves" not in screen_text(pilot)

    play(run, ask)


def train_with_samples(run: FakeRun) -> None:
    """Samples of two prompts at steps 60, 120 and 180."""
    run.launch()
    run.start()
    for step in (60, 120, 180):
        run.train(step - 59, step)
        for index, prompt in enumerate(("lyq in a red coat", "lyq at the sea")):
            run.sample(step, prompt, index)


@pytest.mark.usefixtures("pictures")
def test_arrows_move_through_the_steps_and_the_newest_is_followed(run: FakeRun) -> None:
    train_with_samples(run)

    async def move(pilot: PanelPilot) -> None:
        for key, shown in (
            ("", "step 180  3/3"), ("left", "step 120  2/3"), ("home", "step  60  1/3"),
            ("left", "step  60  1/3"), ("right", "step 120  2/3"),
        ):  # fmt: skip
            await press(pilot, *([key] if key else []))
            await settle(pilot)
            assert shown in screen_text(pilot)
            assert "lyq in a red " in screen_text(pilot)
            assert "lyq at the sea" in screen_text(pilot)
        run.train(181, 240)
        run.sample(240)
        await settle(pilot)
        assert "step 120  2/4" in screen_text(pilot)
        await press(pilot, "end")
        assert "step 240  4/4" in screen_text(pilot)
        run.sample(250)
        await settle(pilot)
        assert "step 250  5/5" in screen_text(pilot)

    play(run, move)


@pytest.mark.usefixtures("pictures")
def test_a_click_on_the_slider_moves_it(run: FakeRun) -> None:
    train_with_samples(run)

    async def click(pilot: PanelPilot) -> None:
        line = next(line for line in screen_text(pilot).splitlines() if "┠" in line)
        await pilot.click("SliderLine", offset=(line.index("┠"), 0))
        await settle(pilot)
        assert "step  60  1/3" in screen_text(pilot)

    play(run, click)


@pytest.mark.usefixtures("pictures")
def test_enter_shows_a_sample_large_and_escape_goes_back(
    run: FakeRun, compare_golden: CompareGolden
) -> None:
    train_with_samples(run)

    async def enlarge(pilot: PanelPilot) -> None:
        await press(pilot, "enter")
        await settle(pilot)
        assert "1/2  lyq in a red coat" in screen_text(pilot)
        await wait_until(pilot, lambda: "▀" * 30 in screen_text(pilot))
        compare_golden("run-sample-80x24", screen_text(pilot))
        for key, shown in (
            ("down", "2/2  lyq at the sea"), ("left", "step 120  2/3"), ("home", "step  60"),
            ("right", "step 120"), ("up", "1/2  lyq in"), ("up", "2/2  lyq at"), ("end", "3/3"),
        ):  # fmt: skip
            await press(pilot, key)
            assert shown in screen_text(pilot)
        await press(pilot, "left", "escape")
        await settle(pilot)
        assert "step 120  2/3" in screen_text(pilot)
        assert "grad norm" in screen_text(pilot)

    play(run, enlarge)


def test_without_pictures_the_slider_has_no_keys(run: FakeRun) -> None:
    train_with_samples(run)

    async def press_them(pilot: PanelPilot) -> None:
        await press(pilot, "left", "enter")
        assert len(pilot.app.screen_stack) == 1

    play(run, press_them, SMALL)


def tell_validation_and_images(run: FakeRun) -> None:
    for step in (120, 240, 360):
        run.write("validation", step=step, loss=0.13 - step / 10_000, std=0.006)
    images = {f"images/IMG_{n:04d}.jpg": [0.08 + n / 1000, 4] for n in range(1, 9)}
    run.write("image_loss", epoch=6, images={**images, "images/IMG_0031.jpg": [0.4, 4]})


def test_validation_and_images_are_shown_only_where_the_trainer_tells_them(run: FakeRun) -> None:
    run.train_to_412()
    assert "validation" not in text_of(run)
    assert "highest losses" not in text_of(run)
    tell_validation_and_images(run)
    text = text_of(run)
    assert "validation  0.0940 ±0.0060" in text
    assert "◇ validation" in text
    assert text.count("◇") == 4
    assert "⚠ IMG_0031.jpg        3.3×" in text


def test_a_line_that_nobody_should_have_written_does_not_end_the_panel(run: FakeRun) -> None:
    run.train_to_3()
    with run.folder.journal.open("a") as journal:
        journal.write('{"event": "step", "step": "many"}\n{"event": "end", "time": 5}\n')

    async def watch(pilot: PanelPilot) -> None:
        assert "a line that lorawiz did not write" in screen_text(pilot)
        with run.folder.journal.open("a") as journal:
            journal.write('{"event": "save", "time": "2026-03-14T21:00:00Z", "path": 7}\n')
        run.train(4, 5)
        await settle(pilot)
        assert "step    5/1200" in screen_text(pilot)
        assert "before)" not in screen_text(pilot)

    play(run, watch)


def test_over_another_screen_leaving_goes_back_to_it_with_the_departure(run: FakeRun) -> None:
    run.train_to_3()
    departures: list[Departure | None] = []

    class Below(BaseScreen[None]):
        def on_mount(self) -> None:
            follower = RunFollower(run.folder, run.clock.now)
            self.app.push_screen(RunScreen(follower, None), departures.append)

    async def leave() -> None:
        app = LorawizApp(lambda image_widget: Below())
        async with app.run_test(size=SMALL) as pilot:
            await pilot.pause()
            await pilot.press("d")
            await pilot.pause()
            assert isinstance(app.screen, Below)
            assert app.is_running

    asyncio.run(leave())
    assert departures == ["detached"]


def test_golden_of_a_paused_run(run: FakeRun, compare_golden: CompareGolden) -> None:
    run.train_to_412()
    run.write("pause", step=412)
    run.clock.advance(75)
    compare_golden("run-paused-80x24", text_of(run))


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_golden_of_validation_images_and_samples(
    run: FakeRun, size: tuple[int, int], compare_golden: CompareGolden
) -> None:
    run.train_to_412()
    for index in range(3):
        run.sample(412, f"prompt {index + 1}", index)
    tell_validation_and_images(run)
    compare_golden(f"run-told-{size[0]}x{size[1]}", text_of(run, size=size))


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 24)])
def test_golden_of_a_run_in_full_swing(
    run: FakeRun, size: tuple[int, int], compare_golden: CompareGolden
) -> None:
    run.train_to_412()
    run.clock.advance(7)
    compare_golden(f"running-{size[0]}x{size[1]}", text_of(run, size=size))


def test_golden_of_caching(run: FakeRun, compare_golden: CompareGolden) -> None:
    run.launch()
    run.start()
    run.write("phase", name="caching latents", done=12, total=42)
    compare_golden("caching-80x24", text_of(run))


def test_golden_of_one_step(run: FakeRun, compare_golden: CompareGolden) -> None:
    run.launch()
    run.start()
    run.train(1, 1)
    compare_golden("one-step-80x24", text_of(run))


def test_golden_of_thousands_of_steps_with_nan(run: FakeRun, compare_golden: CompareGolden) -> None:
    run.launch()
    run.start(total_steps=4000)
    run.train(1, 3000)
    run.train(3001, 3010, loss=lambda _step: float("nan"))
    compare_golden("nan-120x36", text_of(run, size=(120, 36)))


@pytest.mark.usefixtures("pictures")
def test_golden_of_a_finished_run(run: FakeRun, compare_golden: CompareGolden) -> None:
    run.train_to_412()
    run.train(413, 1200)
    run.save(1200, "lyq.safetensors")
    run.end("finished")
    compare_golden("finished-80x24", text_of(run))


def test_golden_of_a_failed_run(run: FakeRun, compare_golden: CompareGolden) -> None:
    run.train_to_412()
    run.end("failed", "out of GPU memory at step 413", "lorawiz set dataset.batch_size 1")
    compare_golden("failed-80x24", text_of(run))


def test_goldens_of_what_lies_over_the_panel(run: FakeRun, compare_golden: CompareGolden) -> None:
    run.train_to_3()
    run.folder.log.write_text("".join(f"line {number}\n" for number in range(100)))

    async def open_each(pilot: PanelPilot) -> None:
        for name, key, closing in (
            ("help", "question_mark", "escape"),
            ("stop", "s", "escape"),
            ("leave", "ctrl+c", "escape"),
            ("log", "l", "l"),
        ):
            await press(pilot, key)
            compare_golden(f"{name}-80x24", screen_text(pilot))
            await press(pilot, closing)

    play(run, open_each)
