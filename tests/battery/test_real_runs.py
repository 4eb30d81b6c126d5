"""The battery on the real trainer: kills, resumes of resumes, every place to stop, numbers (K, N).

`LORAWIZ_BATTERY_TRIALS` sets how many kills there are (12); 200 are for a release.
"""

import dataclasses
import hashlib
import itertools
import os
import random
import resource
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from lorawiz.dataset.batches import iter_steps
from lorawiz.families.sd15 import adapter as sd15
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.states import list_states
from lorawiz.runs.view import load_view
from lorawiz.spec.document import set_value
from lorawiz.train import accumulating, loop
from tests.battery.children import die, expect_red, run_child, strike
from tests.cli.runner import lorawiz
from tests.support.training import losses, make_run, model_hash, stop_after, train, watch_journal

NUM_TRIALS = int(os.environ.get("LORAWIZ_BATTERY_TRIALS", "12"))
SETTINGS = {
    "train.max_train_steps": "8",
    "train.save_every_n_steps": "2",
    "train.ema_decay": "0.5",
    "train.lr_scheduler": "cosine",
    "prompt.shuffle_caption": "true",
    "network.dropout": "0.1",
    "network.train_unet_only": "true",
}
INTERVAL = 2


def digest(run: RunFolder) -> list[str]:
    """Of the LoRA's tensors and of every file of the last states."""
    files = [path for state in list_states(run.state) for path in sorted(state.iterdir())]
    states = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return [model_hash(run.path / "lyq.safetensors"), *states]


def train_in_child(run: RunFolder, *flags: str, before: Callable[[], object] = int) -> int:
    """The exit code of a training; minus the signal that ended it."""

    def work() -> int:
        before()
        return train(run, *flags)

    return run_child(work)


def train_to_the_end(run: RunFolder) -> None:
    is_begun = bool(list_states(run.state))
    assert train_in_child(run, *(["--resume"] if is_begun else [])) == 0


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> RunFolder:
    """A run that nobody interrupts; it also warms the caches of this process."""
    run = make_run(tmp_path_factory.mktemp("straight") / "run", tiny_base, SETTINGS)
    assert train(run) == 0
    return run


@pytest.fixture
def fresh(tmp_path: Path, tiny_base: Path, straight: RunFolder) -> RunFolder:
    return make_run(tmp_path / "run", tiny_base, SETTINGS)


def assert_ends_as(run: RunFolder, straight: RunFolder) -> None:
    train_to_the_end(run)
    assert losses(run) == losses(straight)
    assert digest(run) == digest(straight)


@pytest.mark.parametrize("trial", range(NUM_TRIALS))
def test_a_killed_run_ends_as_one_that_was_not(
    trial: int, fresh: RunFolder, straight: RunFolder
) -> None:
    draw = random.Random(trial)
    if trial % 2:  # at a random file operation of the run's states, so inside a save
        at = draw.randrange(1, 120)
        code = train_in_child(fresh, before=lambda: strike(fresh.state, at, die))
    else:
        code = kill_at_step(fresh, draw.randrange(1, 8), draw.uniform(0.0, 0.08))
    assert code in (0, -9)
    view = load_view(fresh)
    if code == 0:
        assert digest(fresh) == digest(straight)
        return
    if view.step >= INTERVAL:
        assert view.step - (view.state_step or 0) <= INTERVAL
    if trial % 4 == 0 and list_states(fresh.state):  # and inside the resume, too
        train_in_child(fresh, "--resume", before=lambda: kill_later(draw.uniform(0.1, 1.0)))
    if load_view(fresh).outcome != "finished":
        assert_ends_as(fresh, straight)


def kill_at_step(run: RunFolder, step: int, delay_s: float) -> int:
    def prepare() -> None:
        patch = pytest.MonkeyPatch()

        def react(event: str, values: Mapping[str, Any]) -> None:
            if event == "step" and values["step"] == step:
                kill_later(delay_s)

        watch_journal(react, patch)

    return train_in_child(run, before=prepare)


def kill_later(delay_s: float) -> None:
    timer = threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


def test_five_kills_in_one_run_change_nothing(fresh: RunFolder, straight: RunFolder) -> None:
    for step in (2, 3, 5, 6, 7):
        is_begun = bool(list_states(fresh.state))

        def prepare(step: int = step) -> None:
            patch = pytest.MonkeyPatch()

            def react(event: str, values: Mapping[str, Any]) -> None:
                if event in ("state", "step") and values["step"] == step:
                    die()

            watch_journal(react, patch)

        flags = ["--resume"] if is_begun else []
        assert train_in_child(fresh, *flags, before=prepare) == -9
    assert_ends_as(fresh, straight)


@pytest.mark.parametrize("averages", [True, False], ids=["ema", "plain"])
@pytest.mark.parametrize("accumulation", [1, 4])
def test_wherever_it_stops_it_goes_on_the_same(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, accumulation: int,
    averages: bool,
) -> None:  # fmt: skip
    """In the middle of an epoch, at its end, and behind it (K4)."""
    per_epoch = 8 // accumulation
    settings = {
        **SETTINGS,
        "train.gradient_accumulation_steps": str(accumulation),
        "train.max_train_steps": str(per_epoch + 2),
        "train.save_every_n_steps": "100",
    }
    if not averages:
        del settings["train.ema_decay"]
    whole = make_run(tmp_path / "whole", tiny_base, settings, num_images=8)
    assert train(whole) == 0
    for step in (per_epoch // 2, per_epoch, per_epoch + 1):
        run = make_run(tmp_path / f"stopped-{step}", tiny_base, settings, num_images=8)
        with monkeypatch.context() as patch:
            stop_after(run, step, patch)
            assert train(run) == 0
        assert load_view(run).state_step == step
        assert train(run, "--resume") == 0
        assert losses(run) == losses(whole)
        assert model_hash(run.path / "lyq.safetensors") == model_hash(
            whole.path / "lyq.safetensors"
        )


# K8: what was frozen has been changed -----------------------------------------------------------


def stop_at_three(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stop_after(run, 3, patch)
        assert train(run) == 0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train.learning_rate", "3e-4", "train.learning_rate is 0.0003, and was"),
        ("train.seed", "7", "train.seed is 7, and was 42"),
        ("network.dim", "8", "network.dim is 8, and was"),
        ("prompt.keep_tokens", "1", "prompt.keep_tokens is 1, and was 0"),
        ("dataset.batch_size", "2", "dataset.batch_size is 2, and was 1"),
    ],
)
def test_a_frozen_setting_that_was_changed_is_named(
    fresh: RunFolder, monkeypatch: pytest.MonkeyPatch, key: str, value: str, said: str
) -> None:
    stop_at_three(fresh, monkeypatch)
    set_value(fresh.spec, key, value)
    answer = lorawiz("run", "--resume", "--detach", cwd=fresh.project.root)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())


def test_frozen_words_that_were_changed_are_refused(
    fresh: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at_three(fresh, monkeypatch)
    text = fresh.dataset.read_text("utf-8")
    assert "lyq" in text
    fresh.dataset.write_text(text.replace("lyq", "xyz"), "utf-8")
    answer = lorawiz("run", "--resume", "--detach", cwd=fresh.project.root)
    assert answer.code == 2
    assert "dataset.jsonl has changed since it was frozen" in " ".join(answer.err.split())


# K9: planted faults that only the loop can have ------------------------------------------------


def check_resume(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_run(tmp_path / "whole", base, SETTINGS)
    resumed = make_run(tmp_path / "resumed", base, SETTINGS)
    assert train(whole) == 0
    stop_at_three(resumed, monkeypatch)
    assert train(resumed, "--resume") == 0
    assert losses(resumed) == losses(whole)
    assert digest(resumed) == digest(whole)


def test_random_numbers_that_begin_anew_are_seen(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = loop.run_loop
    numbers: list[Iterator[int]] = []

    def count_from_the_start(trainer: Any) -> str:
        numbers[:] = [itertools.count()]
        return begin(trainer)

    monkeypatch.setattr("lorawiz.train.loop.run_loop", count_from_the_start)
    monkeypatch.setattr(accumulating, "derive_seed", lambda *parts: next(numbers[0]))
    expect_red(lambda: check_resume(tmp_path, tiny_base, monkeypatch))


def test_images_that_begin_anew_are_seen(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, plans_of = loop.run_loop, iter_steps
    first: list[int] = []

    def note_first(trainer: Any) -> str:
        first[:] = [trainer.first_step]
        return begin(trainer)

    def from_the_start(spec: Any, records: Any) -> Iterator[Any]:
        plans = list(plans_of(spec, records))
        for plan in plans:
            source = plans[max(plan.step - first[0], 0)]
            yield dataclasses.replace(plan, batches=source.batches)

    monkeypatch.setattr("lorawiz.train.loop.run_loop", note_first)
    monkeypatch.setattr(loop, "iter_steps", from_the_start)
    expect_red(lambda: check_resume(tmp_path, tiny_base, monkeypatch))


def test_a_resume_without_a_fault_is_green(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_resume(tmp_path, tiny_base, monkeypatch)


# N1, N3 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("step", [1, 2, 5, 8])
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_stops_before_the_step(
    fresh: RunFolder, monkeypatch: pytest.MonkeyPatch, step: int, value: float, where: str
) -> None:
    predict = sd15.Sd15Adapter.predict_noise
    weights: list[dict[str, torch.Tensor]] = []
    now: list[int] = []
    accumulate = accumulating.accumulate_gradients

    def note_step(trainer: Any, plan: Any) -> torch.Tensor:
        now[:] = [plan.step]
        pairs = trainer.models.network.iter_weights()
        weights.append({name: weight.detach().clone() for name, weight in pairs})
        held.append(trainer)
        return accumulate(trainer, plan)

    class Break(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            return grad * value

    def spoil(self: Any, *inputs: Any) -> torch.Tensor:
        predicted = predict(self, *inputs)
        if now != [step]:
            return predicted
        spoilt: torch.Tensor = (
            predicted * value if where == "loss" else Break.apply(predicted)  # type: ignore[no-untyped-call]
        )
        return spoilt

    held: list[Any] = []
    monkeypatch.setattr(accumulating, "accumulate_gradients", note_step)
    monkeypatch.setattr(sd15.Sd15Adapter, "predict_noise", spoil)
    assert train(fresh) == 2
    view = load_view(fresh)
    assert view.step == step - 1
    assert f"not finite at step {step}" in view.message
    assert "images/IMG_" in view.message
    after = dict(held[-1].models.network.iter_weights())
    assert all(torch.equal(after[name], weight) for name, weight in weights[-1].items())
    for state in list_states(fresh.state):
        assert int(state.name.rpartition("-")[2]) < step


def test_a_machine_without_memory_costs_no_step(fresh: RunFolder, straight: RunFolder) -> None:
    """The process may take no more memory than it has from the fourth step on (N3)."""

    def prepare() -> None:
        patch = pytest.MonkeyPatch()
        accumulate = accumulating.accumulate_gradients

        def starve(trainer: Any, plan: Any) -> torch.Tensor:
            if plan.step == 4:
                in_use = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
                resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**26, resource.RLIM_INFINITY))
                held = []
                while True:  # until the allocator has nothing left
                    held.append(torch.zeros(2**18))
            return accumulate(trainer, plan)

        patch.setattr(accumulating, "accumulate_gradients", starve)

    assert train_in_child(fresh, before=prepare) == 2
    assert "out of memory at step 4" in load_view(fresh).message
    assert_ends_as(fresh, straight)
