"""Whole runs of the tiny base in this process: learning, exactness, endings."""

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import torch
from safetensors import safe_open

from lorawiz.families.sd15 import adapter as sd15
from lorawiz.paths import Project, model_sha256
from lorawiz.runs.control import Request, request
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import read_events
from lorawiz.runs.states import list_states
from lorawiz.runs.view import load_view
from lorawiz.train import accumulating
from lorawiz.train import state as state_module
from lorawiz.train.trainer import Trainer
from tests.support.training import (
    SHORT,
    freeze,
    losses,
    make_run,
    model_hash,
    stop_after,
    train,
    watch_journal,
)

UNET_ONLY = {"network.train_unet_only": "true"}
TEXT_ONLY = {"network.train_text_encoder_only": "true"}
ACCUMULATED = {"train.gradient_accumulation_steps": "2", "dataset.batch_size": "1"}
CACHED_TEXT = {**UNET_ONLY, "prompt.shuffle_caption": "false"}


def final_hash(path: Path) -> str:
    return model_hash(path / "lyq.safetensors")


@pytest.mark.parametrize(
    "settings",
    [{}, ACCUMULATED, UNET_ONLY, TEXT_ONLY, CACHED_TEXT, {"train.gradient_checkpointing": "true"}],
    ids=["both parts", "accumulated", "unet only", "text only", "cached text", "checkpointed"],
)
def test_a_stopped_and_resumed_run_equals_one_that_never_stopped(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, {**SHORT, **settings})
    assert train(straight) == 0
    resumed = make_run(tmp_path / "resumed", tiny_base, {**SHORT, **settings})
    with monkeypatch.context() as patch:
        stop_after(resumed, 3, patch)
        assert train(resumed) == 0
    assert load_view(resumed).state() == "stopped"
    assert train(resumed, "--resume") == 0
    assert load_view(resumed).state() == "finished"
    assert losses(resumed) == losses(straight)
    assert final_hash(resumed.path) == final_hash(straight.path)


def test_a_run_that_dies_goes_on_from_its_last_save(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, SHORT)
    assert train(straight) == 0
    dying = make_run(tmp_path / "dying", tiny_base, SHORT)

    def die(event: str, values: Mapping[str, Any]) -> None:
        if event == "step" and values["step"] == 5:
            raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        watch_journal(die, patch)
        assert train(dying) == 1
    view = load_view(dying)
    assert (view.state(), view.is_bug, view.state_step) == ("failed", True, 4)
    assert train(dying, "--resume") == 0
    assert losses(dying) == losses(straight)
    assert final_hash(dying.path) == final_hash(straight.path)


def test_a_damaged_state_is_passed_over_aloud(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, SHORT)
    assert train(straight) == 0
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    with monkeypatch.context() as patch:
        stop_after(run, 5, patch)
        train(run)
    weights = list_states(run.state)[-1] / "network.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert train(run, "--resume") == 0
    assert any("step-00000005 is damaged" in warning for warning in load_view(run).warnings)
    assert final_hash(run.path) == final_hash(straight.path)


def test_resuming_without_a_state_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    assert train(run, "--resume") == 2
    assert "no whole state to resume from" in load_view(run).message


def test_the_losses_are_the_stored_ones(tmp_path: Path, tiny_base: Path) -> None:
    # stored: another value means that the same spec now trains something else. The tolerance is
    # for other processors' rounding, far below what a changed draw or formula would give
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    assert train(run) == 0
    assert losses(run) == pytest.approx(
        [1.06827, 1.13065, 1.04494, 1.01932, 1.15378, 1.1944], rel=2e-3
    )


def test_one_image_is_learnt(tmp_path: Path, tiny_base: Path) -> None:
    settings = {
        "train.max_train_steps": "60",
        "train.learning_rate": "5e-3",
        "network.dim": "16",
        "network.alpha": "16",
        "network.train_unet_only": "true",
        "dataset.batch_size": "4",
        "dataset.num_repeats": "4",
    }
    run = make_run(tmp_path / "run", tiny_base, settings, num_images=1)
    assert train(run) == 0
    told = losses(run)
    assert sum(told[-10:]) < 0.75 * sum(told[:10])


def test_a_second_run_gives_the_same_tensors(tmp_path: Path, tiny_base: Path) -> None:
    first = make_run(tmp_path / "run", tiny_base, SHORT)
    assert train(first) == 0
    shutil.rmtree(first.project.work)
    second = freeze(first.project)
    assert train(second) == 0
    assert second.run_id == "lyq-0002"
    assert final_hash(first.path) == final_hash(second.path)


def test_a_single_file_trains_like_the_folder(
    tmp_path: Path, tiny_base: Path, tiny_single_file: Path
) -> None:
    folder = make_run(tmp_path / "folder", tiny_base, SHORT)
    file = make_run(tmp_path / "file", tiny_single_file, SHORT)
    assert train(folder) == train(file) == 0
    # not to the bit: the file's tensors lie elsewhere in memory, and kernels round by alignment
    assert losses(folder) == pytest.approx(losses(file), rel=1e-4)


def test_accumulating_equals_a_larger_batch(tmp_path: Path, tiny_base: Path) -> None:
    common = {"train.max_train_steps": "2", "train.save_precision": "float"}
    batched = {**common, "dataset.batch_size": "4"}
    accumulated = {**common, "dataset.batch_size": "1", "train.gradient_accumulation_steps": "4"}
    one = make_run(tmp_path / "one", tiny_base, batched)
    other = make_run(tmp_path / "other", tiny_base, accumulated)
    assert train(one) == train(other) == 0
    assert losses(one) == pytest.approx(losses(other), rel=1e-4)


def test_mixed_precision_trains_in_bf16_on_a_cpu(tmp_path: Path, tiny_base: Path) -> None:
    run = make_run(tmp_path / "run", tiny_base, {**SHORT, "train.mixed_precision": "bf16"})
    plain = make_run(tmp_path / "plain", tiny_base, SHORT)
    assert train(run) == train(plain) == 0
    assert losses(run) == pytest.approx(losses(plain), rel=0.05)
    assert losses(run) != losses(plain)


def test_samples_do_not_touch_the_training(tmp_path: Path, tiny_base: Path) -> None:
    sampled = {
        **SHORT,
        "sample.prompts": '["a photo of lyq", "a photo"]',
        "sample.at_first": "true",
        "sample.every_n_steps": "3",
        "sample.steps": "2",
    }
    quiet = make_run(tmp_path / "quiet", tiny_base, SHORT)
    run = make_run(tmp_path / "run", tiny_base, sampled)
    assert train(quiet) == train(run) == 0
    assert final_hash(run.path) == final_hash(quiet.path)
    samples = load_view(run).samples
    assert [(s.step, s.index) for s in samples] == [(0, 0), (0, 1), (3, 0), (3, 1), (6, 0), (6, 1)]
    for sample in samples:
        assert (run.project.root / sample.path).stat().st_size > 500


ASKED = {"sample.prompts": '["a photo of lyq", "a photo"]', "sample.steps": "2"}


def ask_and_go_on(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, *asked: Request, at_step: int = 3
) -> None:
    """Pause the run behind `at_step`, ask for `asked` while it is paused, then go on."""

    def react(event: str, values: Mapping[str, Any]) -> None:
        if event == "step" and values["step"] == at_step:
            request(run, "pause")
        if event == "pause":
            for what in asked:
                request(run, what)
            if "stop" not in asked:
                Timer(0.5, request, (run, "resume")).start()

    watch_journal(react, monkeypatch)


def events_between(run: RunFolder, first: str, last: str) -> list[str]:
    events = [event["event"] for event in read_events(run.journal)]
    between = events[events.index(first) : events.index(last) + 1]
    return [event for event in between if event != "phase"]


@pytest.mark.parametrize(
    "settings", [{}, TEXT_ONLY, {"train.gradient_checkpointing": "true"}], ids=str
)
def test_a_run_that_was_paused_saved_and_sampled_gives_the_same_bits(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]
) -> None:
    quiet = make_run(tmp_path / "quiet", tiny_base, {**SHORT, **settings})
    assert train(quiet) == 0
    asked = make_run(tmp_path / "asked", tiny_base, {**SHORT, **ASKED, **settings})
    with monkeypatch.context() as patch:
        ask_and_go_on(asked, patch, "save", "sample")
        assert train(asked) == 0
    assert losses(asked) == losses(quiet)
    assert final_hash(asked.path) == final_hash(quiet.path)
    done = ["pause", "save", "sample", "sample", "resume"]
    assert events_between(asked, "pause", "resume") == done
    # the state is kept by the pause itself
    assert model_hash(asked.path / "lyq-s000003.safetensors")
    view = load_view(asked)
    assert [(s.step, s.index) for s in view.samples] == [(3, 0), (3, 1)]
    assert not list(asked.control.iterdir())


def test_a_save_and_samples_are_made_without_a_pause(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = make_run(tmp_path / "quiet", tiny_base, SHORT)
    assert train(quiet) == 0
    run = make_run(tmp_path / "run", tiny_base, {**SHORT, **ASKED})

    def react(event: str, values: Mapping[str, Any]) -> None:
        if event == "step" and values["step"] == 3:
            request(run, "save")
            request(run, "sample")

    with monkeypatch.context() as patch:
        watch_journal(react, patch)
        assert train(run) == 0
    view = load_view(run)
    assert (3, "lyq-s000003.safetensors") in [(s.step, Path(s.path).name) for s in view.saves]
    assert [s.step for s in view.samples] == [3, 3]
    assert final_hash(run.path) == final_hash(quiet.path)


def test_a_stop_while_paused_ends_at_once_with_a_state(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, SHORT)
    assert train(straight) == 0
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    with monkeypatch.context() as patch:
        ask_and_go_on(run, patch, "save", "sample", "stop")
        assert train(run) == 0
    view = load_view(run)
    assert (view.state(), view.step, view.state_step) == ("stopped", 3, 3)
    # what was asked before the stop is answered
    assert (run.path / "lyq-s000003.safetensors").is_file()
    assert view.warnings == ["no samples drawn: the run stops"]
    assert train(run, "--resume") == 0
    assert final_hash(run.path) == final_hash(straight.path)


def test_a_paused_run_that_dies_loses_no_step(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, SHORT)
    assert train(straight) == 0
    run = make_run(tmp_path / "run", tiny_base, SHORT)

    def react(event: str, values: Mapping[str, Any]) -> None:
        if event == "step" and values["step"] == 3:
            request(run, "pause")
        if event == "pause":
            raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        watch_journal(react, patch)
        assert train(run) == 1
    assert load_view(run).state_step == 3
    assert train(run, "--resume") == 0
    assert final_hash(run.path) == final_hash(straight.path)


def test_a_pause_before_the_first_step_holds_and_says_what_cannot_be_done_yet(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, {**SHORT, **ASKED})
    request(run, "pause")

    def react(event: str, values: Mapping[str, Any]) -> None:
        if event == "pause":
            request(run, "save")
            request(run, "sample")
        if event == "warning" and values["request"] == "sample":
            request(run, "resume")

    watch_journal(react, monkeypatch)
    assert train(run) == 0
    assert events_between(run, "pause", "resume") == ["pause", "warning", "warning", "resume"]
    assert load_view(run).warnings == [
        "not saved: nothing is trained yet",
        "no samples drawn: the models are not loaded yet",
    ]
    assert load_view(run).outcome == "finished"


def test_what_is_asked_before_the_first_step_is_done_behind_it(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = make_run(tmp_path / "run", tiny_base, {**SHORT, **ASKED})
    request(run, "save")
    request(run, "sample")
    assert train(run) == 0
    view = load_view(run)
    assert view.warnings == []
    assert (view.saves[0].step, Path(view.saves[0].path).name) == (1, "lyq-s000001.safetensors")
    assert [sample.step for sample in view.samples] == [1, 1]


def test_a_stop_during_a_pause_before_the_first_step_ends_the_run(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the caches are warm: what holds is the place before the first step
    warm = make_run(tmp_path / "run", tiny_base, {**SHORT, **CACHED_TEXT})
    assert train(warm) == 0
    run = freeze(Project(warm.project.root))
    ask_and_go_on(run, monkeypatch, "save", "stop")
    request(run, "pause")
    assert train(run) == 0
    view = load_view(run)
    assert (view.state(), view.step) == ("stopped", 0)
    assert view.warnings == ["not saved: nothing is trained yet"]


def test_samples_without_prompts_and_a_full_disk_are_told_and_end_nothing(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    save = Trainer.save_lora

    def fill_up(self: Trainer, path: Path, step: int, epoch: int) -> None:
        if path.name == "lyq-s000003.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save(self, path, step, epoch)

    monkeypatch.setattr(Trainer, "save_lora", fill_up)
    ask_and_go_on(run, monkeypatch, "save", "sample")
    assert train(run) == 0
    view = load_view(run)
    assert view.outcome == "finished"
    assert view.warnings[0].startswith("not saved: /")
    assert view.warnings[0].endswith("lyq-s000003.safetensors: No space left on device")
    assert view.warnings[1:] == ["no samples drawn: sample.prompts is empty"]


def test_a_pause_behind_the_last_step_is_refused(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    ask_and_go_on(run, monkeypatch, at_step=6)
    assert train(run) == 0
    view = load_view(run)
    assert (view.state(), view.warnings) == ("finished", ["not paused: no step is left"])


def test_what_is_due_is_saved_and_nothing_else(tmp_path: Path, tiny_base: Path) -> None:
    settings = {"train.max_train_epochs": "3", "train.save_every_n_epochs": "1"}
    run = make_run(tmp_path / "run", tiny_base, settings)
    assert train(run) == 0
    names = sorted(path.name for path in run.path.glob("*.safetensors"))
    assert names == ["lyq-e0001.safetensors", "lyq-e0002.safetensors", "lyq.safetensors"]
    assert len(list_states(run.state)) == 2


def test_a_stop_before_the_first_step_is_obeyed(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)

    def react(event: str, values: Mapping[str, Any]) -> None:
        if event == "phase" and values["name"] == "caching latents":
            request(run, "stop")

    watch_journal(react, monkeypatch)
    assert train(run) == 0
    view = load_view(run)
    assert (view.state(), view.step) == ("stopped", 0)
    assert "before the first step" in view.message


def test_a_loss_that_is_not_finite_stops_before_the_update(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    predict = sd15.Sd15Adapter.predict_noise
    calls = []

    def break_third(self: Any, *inputs: Any) -> torch.Tensor:
        calls.append(1)
        predicted = predict(self, *inputs)
        return predicted * float("nan") if len(calls) == 3 else predicted

    monkeypatch.setattr(sd15.Sd15Adapter, "predict_noise", break_third)
    assert train(run) == 2
    view = load_view(run)
    assert (view.state(), view.step, view.state_step) == ("failed", 2, 2)
    assert "the loss is not finite at step 3, with images/IMG_" in view.message


def fail_at_third_step(num_times: int, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the first `num_times` predictions of the third step run out of memory."""
    predict, accumulate = sd15.Sd15Adapter.predict_noise, accumulating.accumulate_gradients
    failed: list[int] = []
    now: list[int] = []

    def note_step(trainer: Any, plan: Any) -> torch.Tensor:
        now[:] = [plan.step]
        return accumulate(trainer, plan)

    def fail(self: Any, unet: Any, noisy: torch.Tensor, *inputs: Any) -> torch.Tensor:
        if now == [3] and len(failed) < num_times and not noisy.is_meta:
            failed.append(3)
            raise error
        return predict(self, unet, noisy, *inputs)

    monkeypatch.setattr(accumulating, "accumulate_gradients", note_step)
    monkeypatch.setattr(sd15.Sd15Adapter, "predict_noise", fail)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]  # fmt: skip


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["gpu", "cpu", "python"])
def test_a_step_without_memory_is_tried_again_and_the_run_is_the_same(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, SHORT)
    assert train(straight) == 0
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    fail_at_third_step(1, monkeypatch, error)
    assert train(run) == 0
    warnings = [e["message"] for e in read_events(run.journal) if e["event"] == "warning"]
    assert [each.rpartition("; ")[2] for each in warnings] == ["try 2 of 3"]
    assert "out of memory at step 3, at " in warnings[0]
    assert losses(run) == losses(straight)
    assert final_hash(run.path) == final_hash(straight.path)


def test_running_out_of_memory_three_times_ends_with_a_state_and_advice(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SHORT, "train.save_every_n_steps": "4"}
    straight = make_run(tmp_path / "straight", tiny_base, settings)
    assert train(straight) == 0
    run = make_run(tmp_path / "run", tiny_base, settings)
    with monkeypatch.context() as patch:
        fail_at_third_step(3, patch, OUT_OF_MEMORY[0])
        assert train(run) == 2
    view = load_view(run)
    assert "out of memory at step 3" in view.message
    assert "in use" in view.message and "GB" in view.message
    assert "train.gradient_checkpointing = true saves about" in view.hint
    assert "dataset.batch_size = 1, train.gradient_accumulation_steps = 2 saves" in view.hint
    assert (view.state(), view.state_step) == ("failed", 2)
    assert train(run, "--resume") == 0
    assert losses(run) == losses(straight)
    assert final_hash(run.path) == final_hash(straight.path)


def test_another_error_in_a_step_is_no_lack_of_memory(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    fail_at_third_step(1, monkeypatch, RuntimeError("a bug"))
    assert train(run) == 1
    assert "a bug" in load_view(run).message


def test_a_full_disk_while_saving_keeps_the_last_state(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    write = state_module._write_fsynced

    def fill_up(path: Path, data: Any) -> None:
        if "step-00000004" in str(path) and path.name == "optimizer.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(state_module, "_write_fsynced", fill_up)
        assert train(run) == 2
    view = load_view(run)
    assert "No space left on device" in view.message
    assert "optimizer.safetensors" in view.message
    assert [path.name for path in run.state.iterdir()] == ["step-00000002"]
    assert train(run, "--resume") == 0


def test_an_image_that_changed_is_not_trained_on(tmp_path: Path, tiny_base: Path) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    image = sorted(run.project.images.iterdir())[0]
    image.write_bytes(image.read_bytes() + b"x")
    assert train(run) == 2
    assert f"images/{image.name}: not the file that was added" in load_view(run).message


def test_the_journal_tells_the_whole_story(tmp_path: Path, tiny_base: Path) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    assert train(run) == 0
    events = [event["event"] for event in read_events(run.journal)]
    assert events[0] == "start"
    assert events[-2:] == ["save", "end"]
    assert events.count("step") == 6
    assert events.count("state") == 2
    step = next(e for e in read_events(run.journal) if e["event"] == "step")
    assert step.keys() >= {"step", "epoch", "loss", "lr", "grad_norm", "step_s", "memory_bytes"}
    assert step["grad_norm"] > 0


def test_the_saved_metadata_is_true_and_names_no_path_of_the_machine(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = make_run(tmp_path / "run", tiny_base, SHORT)
    assert train(run) == 0
    with safe_open(run.path / "lyq.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert (metadata["ss_steps"], metadata["ss_max_train_steps"]) == ("6", "6")
    assert metadata["ss_sd_model_name"] == tiny_base.name
    assert metadata["ss_new_sd_model_hash"] == model_sha256(tiny_base)
    assert metadata["modelspec.resolution"] == "64x64"
    private = [
        key for key, value in metadata.items() if str(tmp_path) in value or str(tiny_base) in value
    ]
    assert private == []


def test_warm_caches_load_no_vae(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tiny_base, {**SHORT, **CACHED_TEXT})
    assert train(run) == 0

    def refuse(*inputs: Any) -> None:
        pytest.fail("loaded although everything is cached")

    monkeypatch.setattr(sd15.Sd15Adapter, "load_vae", refuse)
    monkeypatch.setattr(sd15.Sd15Adapter, "load_text_encoder", refuse)
    again = freeze(Project(run.project.root))
    assert train(again) == 0
    assert final_hash(run.path) == final_hash(again.path)
