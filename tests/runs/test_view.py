"""The fold of a journal: what status, lines and panel say."""

from typing import Any

import pytest

from lorawiz.runs.lines import LinePrinter
from lorawiz.runs.processes import ProcessId, describe_process, is_alive, this_process
from lorawiz.runs.view import RunView, fold

DEAD = ProcessId(2**22 + 1, 1.0, this_process().host)


def event(event: str, **values: Any) -> dict[str, Any]:
    return {"event": event, "time": "2026-11-22T21:00:00.000Z", **values}


def start(step: int = 0, process: ProcessId | None = None) -> list[dict[str, Any]]:
    identity = (process or this_process()).as_event()
    return [
        event("launch", **identity, command=[]),
        event("start", **identity, step=step, total_steps=10, num_epochs=2, num_images=5),
    ]


def step(number: int, loss: float | str = 0.5) -> dict[str, Any]:
    return event("step", step=number, epoch=1, loss=loss, lr=1e-4, grad_norm=0.3, step_s=0.5)


def test_a_living_trainer_is_running_and_a_dead_one_was_killed() -> None:
    assert fold("r", [*start(), step(1)]).state() == "running"
    assert fold("r", [*start(process=DEAD), step(1)]).state() == "killed"
    assert fold("r", start()[:1]).state() == "starting"


@pytest.mark.parametrize("outcome", ["finished", "stopped", "failed"])
def test_an_end_is_believed(outcome: str) -> None:
    view = fold("r", [*start(process=DEAD), step(1), event("end", outcome=outcome, message="m")])
    assert view.state() == outcome
    assert view.message == "m"


def test_a_resumed_run_forgets_what_it_does_again() -> None:
    view = fold("r", [*start(), step(1), step(2), step(3), *start(step=1), step(2, 0.7)])
    assert [(log.step, log.loss) for log in view.steps] == [(1, 0.5), (2, 0.7)]
    assert view.outcome is None


def test_the_loss_is_smoothed_without_a_bias_at_the_start() -> None:
    view = fold("r", [*start(), *(step(i, 1.0) for i in range(1, 50))])
    assert all(log.smooth_loss == pytest.approx(1.0) for log in view.steps)
    rising = fold("r", [*start(), step(1, 0.0), step(2, 1.0)])
    assert rising.steps[-1].smooth_loss == pytest.approx(0.5)


def test_one_nan_does_not_spoil_the_average_for_ever() -> None:
    view = fold("r", [*start(), step(1, 1.0), step(2, "nan"), step(3, 1.0)])
    assert [log.smooth_loss for log in view.steps] == [1.0, 1.0, 1.0]
    assert fold("r", [*start(), step(1, "nan"), step(2, 0.5)]).steps[-1].smooth_loss == 0.5


def test_speed_and_eta_come_from_the_last_steps() -> None:
    view = fold("r", [*start(), *(step(i) for i in range(1, 5))])
    assert view.step_s == 0.5
    assert view.eta_s == 3.0
    assert RunView("r").eta_s is None


def test_a_process_is_told_from_a_later_one_of_its_number() -> None:
    mine = this_process()
    assert is_alive(mine)
    assert not is_alive(ProcessId(mine.pid, mine.created - 100, mine.host))
    assert is_alive(ProcessId(1, 0.0, "another-host"))
    assert describe_process(mine.pid) == mine


def lines_of(*events: dict[str, Any]) -> list[str]:
    printer = LinePrinter("lyq-0001")
    return [line for each in events for line in printer.lines_of(each)]


def test_the_plain_lines_of_a_short_run() -> None:
    printed = lines_of(
        *start(),
        event("device", name="cpu, 2 threads"),
        event("phase", name="caching latents", done=0, total=5),
        event("phase", name="caching latents", done=1, total=5),
        step(1),
        event("save", step=10, epoch=2, path="runs/lyq-0001/lyq.safetensors", num_bytes=37_900_000),
        event("warning", message="odd\x1b[2J"),
        event("end", outcome="finished"),
    )
    assert printed == [
        "lyq-0001  start   10 steps, 5 images, 2 epochs",
        "lyq-0001  device  cpu, 2 threads",
        "lyq-0001  phase   caching latents (5)",
        "lyq-0001  step     1/10  loss 0.5000  lr 1.0e-04  2.00 it/s  ETA 0:04",
        "lyq-0001  save    runs/lyq-0001/lyq.safetensors  37.9 MB",
        "lyq-0001  warning odd␛[2J",
        "lyq-0001  done    runs/lyq-0001/lyq.safetensors  in 0:00",
    ]


def test_a_long_run_prints_about_a_dozen_step_lines() -> None:
    events = start()
    events[1]["total_steps"] = 1200
    printed = lines_of(*events, *(step(i) for i in range(1, 1201)))
    assert 10 <= len([line for line in printed if "  step " in line]) <= 15


def test_a_failure_says_what_and_what_to_do() -> None:
    failed = event("end", outcome="failed", message="out of memory", hint="smaller batch")
    assert lines_of(*start(), failed)[-1] == "lyq-0001  failed  out of memory      smaller batch"


def test_a_pause_lasts_until_the_run_goes_on_or_ends() -> None:
    paused = [*start(), step(1), event("pause", step=1)]
    assert fold("r", paused).state() == "paused"
    assert fold("r", [*paused, event("resume", step=1)]).state() == "running"
    assert fold("r", [*paused, step(2)]).state() == "running"
    assert fold("r", [*paused, event("end", outcome="stopped")]).state() == "stopped"
    assert fold("r", [*paused, *start(step=1)]).state() == "running"
    dead = [*start(process=DEAD), step(1), event("pause", step=1)]
    assert fold("r", dead).state() == "killed"


def test_what_a_resumed_run_does_again_is_forgotten_of_validations_and_images_too() -> None:
    told = [event("validation", step=2, loss=0.2), event("image_loss", epoch=2, images={})]
    view = fold("r", [*start(), step(1), step(2, "nan"), *told, *start(step=1)])
    assert view.validations == []
    assert view.image_losses == {}
    assert view.num_not_finite == 0


def test_images_are_ranked_by_their_mean_over_the_last_epochs() -> None:
    epochs = [
        event("image_loss", epoch=epoch, images={"a": [loss, 1], "b": [0.1, 3], "c": ["nan", 1]})
        for epoch, loss in enumerate([9.0, 0.1, 0.2, 0.3, 0.4, 0.5], 1)
    ]
    ranked = fold("r", [*start(), *epochs]).rank_image_losses()
    # the first epoch is too long ago, and what is not finite has no rank
    assert [(image.image_path, image.num_views) for image in ranked] == [("a", 5), ("b", 15)]
    assert ranked[0].loss == pytest.approx(0.3)
    assert ranked[0].factor == pytest.approx(0.3 / 0.2)
    assert RunView("r").rank_image_losses() == []


def test_a_file_that_is_written_again_is_listed_once_and_last() -> None:
    def save(number: int, path: str) -> dict[str, Any]:
        return event("save", step=number, epoch=1, path=path, num_bytes=1)

    view = fold("r", [*start(), save(1, "a"), save(2, "b"), save(1, "a")])
    assert [saved.path for saved in view.saves] == ["b", "a"]


def test_pauses_and_validations_have_lines() -> None:
    assert lines_of(
        *start(), event("pause", step=1), event("resume", step=1),
        event("validation", step=2, loss=0.1, std=0.01), event("validation", step=3, loss="nan"),
    )[1:] == [
        "lyq-0001  pause   behind step 1; lorawiz pause --off goes on",
        "lyq-0001  resume  goes on behind step 1",
        "lyq-0001  valid   loss 0.1000 (±0.0100) at step 2",
        "lyq-0001  valid   loss nan at step 3",
    ]  # fmt: skip
