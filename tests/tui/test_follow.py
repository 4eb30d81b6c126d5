"""Following a run without a screen: what is told, asked and remembered."""

from datetime import timedelta
from pathlib import Path

from lorawiz.runs.control import take_request
from lorawiz.tui.follow import RunFollower
from lorawiz.tui.states import build_headline, build_notice
from tests.tui.fake_run import DEAD, FakeClock, FakeRun


def follow(run: FakeRun) -> RunFollower:
    return RunFollower(run.folder, run.clock.now)


def test_poll_says_whether_anything_is_new(run: FakeRun) -> None:
    run.train_to_3()
    follower = follow(run)
    assert not follower.poll()
    run.train(4, 4)
    assert follower.poll()
    assert follower.view.step == 4
    assert not follower.poll()


def test_a_new_life_of_the_run_forgets_the_stop(run: FakeRun) -> None:
    run.train_to_3()
    follower = follow(run)
    follower.ask("stop")
    assert take_request(run.folder, "stop")
    run.end("stopped")
    run.launch()
    follower.poll()
    assert not follower.is_stop_asked
    assert not follower.has_asked_to_stop


def test_a_stop_left_behind_by_a_run_that_is_over_is_not_shown(run: FakeRun) -> None:
    run.train_to_3()
    run.end("failed", "no space left")
    run.stop_request.touch()
    follower = follow(run)
    follower.poll()
    assert not follower.is_stop_asked


def test_happenings_are_the_events_worth_a_line(run: FakeRun) -> None:
    run.train_to_3()
    run.save(3)
    run.end("finished")
    assert [happening.text for happening in follow(run).happenings] == [
        "launched",
        "started: 42 images, 1200 steps",
        "training on NVIDIA GeForce RTX 4090",
        "saved lyq-e0000.safetensors (37.9 MB)",
        "finished",
    ]


def test_meanwhile_counts_from_when_somebody_last_watched(run: FakeRun) -> None:
    run.train_to_3()
    follower = follow(run)
    assert follower.meanwhile == "since 21:00: 3 steps"
    follower.mark_seen()
    assert follow(run).meanwhile == ""
    run.clock.advance(60)
    run.train(4, 5)
    run.write("warning", message="slow")
    assert follow(run).meanwhile == "since 21:00: 2 steps, 1 warning"
    run.clock.time += timedelta(days=1)
    assert follow(run).meanwhile == "since Sat 21:00: 2 steps, 1 warning"


def test_a_torn_note_of_the_last_watcher_is_passed_over(run: FakeRun) -> None:
    run.train_to_3()
    follow(run).mark_seen()
    (run.root / ".lorawiz" / "seen" / "lyq-0001").write_text("2026-03-")
    assert follow(run).meanwhile == "since 21:00: 3 steps"


def test_a_run_that_has_not_said_a_word_is_launching(run: FakeRun) -> None:
    follower = follow(run)
    assert build_headline(follower).text == "○ launching"
    assert follower.elapsed_s() is None
    assert build_notice(follower).lines == ()


def test_a_stop_before_the_first_step_is_not_called_stopping_after_it(run: FakeRun) -> None:
    run.launch()
    follower = follow(run)
    follower.ask("stop")
    assert build_headline(follower).text == "○ stop asked for…"


def test_a_fault_of_ours_points_to_the_traceback(run: FakeRun) -> None:
    run.train_to_3()
    run.write("end", outcome="failed", message="KeyError: 'loss'", hint="", bug=True)
    notice = build_notice(follow(run))
    assert notice.lines == ("KeyError: 'loss'",)
    assert notice.hint == "a fault of lorawiz; the traceback is in lyq-0001/train.log: press l"


def test_elapsed_time_stands_still_when_the_run_is_over(run: FakeRun) -> None:
    run.train_to_3()
    run.clock.advance(10)
    follower = follow(run)
    assert follower.elapsed_s() == 15.5
    run.end("finished")
    follower.poll()
    run.clock.advance(100)
    assert follower.elapsed_s() == 17.5


def test_a_request_is_remembered_until_it_is_answered(run: FakeRun) -> None:
    run.train_to_3()
    follower = follow(run)
    follower.ask("save")
    assert follower.asked == {"save"}
    assert take_request(run.folder, "save")
    follower.poll()
    assert follower.asked == {"save"}
    run.save(3)
    follower.poll()
    assert follower.asked == set()


def test_a_save_that_was_due_does_not_answer_one_that_is_asked_for(run: FakeRun) -> None:
    run.train_to_3()
    follower = follow(run)
    follower.ask("save")
    run.save(3)
    follower.poll()
    assert follower.asked == {"save"}
    told = [happening.text for happening in follower.happenings]
    assert told.count("asked: saves after this step") == 1


def test_a_pause_and_its_end_are_told(run: FakeRun) -> None:
    run.train_to_3()
    follower = follow(run)
    follower.ask("pause")
    run.answer("pause", step=3)
    follower.poll()
    assert follower.state() == "paused"
    assert follower.asked == set()
    assert follower.will_pause
    run.clock.advance(9)
    assert follower.paused_s() == 9
    follower.ask("sample")
    follower.ask("resume")
    assert follower.asked == {"sample", "resume"}
    told = [happening.text for happening in follower.happenings]
    assert told[-3:] == ["paused behind step 3", "asked: draws samples now", "asked: goes on"]


def test_requests_left_behind_by_a_killed_run_are_not_shown(
    tmp_path: Path, clock: FakeClock
) -> None:
    run = FakeRun(tmp_path, clock, DEAD)
    run.train_to_3()
    (run.folder.control / "pause").touch()
    follower = follow(run)
    follower.poll()
    assert follower.asked == set()
