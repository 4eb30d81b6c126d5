"""Rules on the optimizer, its learning rates and their schedule."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import Fix, by_hand, set_all, set_to, unset
from lorawiz.preflight.inspection import Inspection
from lorawiz.spec.arguments import as_toml
from lorawiz.spec.document import dump_spec
from lorawiz.spec.lr_schedulers import LR_SCHEDULERS, SCHEDULE_SETTINGS
from lorawiz.spec.optimizers import OPTIMIZERS, find_optimizer, is_missing, sets_own_rate
from lorawiz.spec.tables import Spec

_TRIAL_TIMEOUT_S = 120.0


@rule("optimizer-missing", "error", "machine")
def find_missing_optimizer(at: Inspection) -> Iterator[Problem]:
    """Optimizers come from their own packages; without it a run ends before its first step."""
    name = at.spec.train.optimizer_type
    optimizer = find_optimizer(name)
    if is_missing(optimizer):
        yield Problem(
            f"optimizer_type = {name} needs {optimizer.package}: not installed here",
            _install(optimizer.extra) | set_to("train.optimizer_type", "AdamW"),
            "train.optimizer_type",
        )


@rule("optimizer-without-gpu", "warning", "machine")
def find_optimizer_without_gpu(at: Inspection) -> Iterator[Problem]:
    """bitsandbytes is made for NVIDIA GPUs: on a CPU it pages nothing, and saves a few MB at most."""
    name, torch = at.spec.train.optimizer_type, at.machine.torch
    if find_optimizer(name).for_cuda and torch is not None and torch.device != "cuda":
        plain = name.removeprefix("Paged").removesuffix("32bit").removesuffix("8bit")
        yield Problem(
            f"optimizer_type = {name} is made for an NVIDIA GPU, and torch finds none here",
            set_to("train.optimizer_type", plain),
            "train.optimizer_type",
        )


@rule("optimizer-settings-wrong", "error")
def find_wrong_optimizer_settings(at: Inspection) -> Iterator[Problem]:
    """Arguments go to the optimizer and the scheduler as they are: both are tried out on a small
    matrix, with the libraries that are installed here."""
    train = at.spec.train
    is_plain = train.optimizer_type in OPTIMIZERS and train.lr_scheduler in LR_SCHEDULERS
    if is_plain and not train.optimizer_args and not train.lr_scheduler_args:
        return
    if not any((at.spec.trains_unet, at.spec.trains_text_encoder, at.spec.trains_token)):
        return
    if at.machine.missing_packages or is_missing(find_optimizer(train.optimizer_type)):
        return
    # what does not concern the optimizer is left out, so that one answer serves many specs
    reduced = dump_spec(
        Spec(train=train, network=at.spec.network, textual_inversion=at.spec.textual_inversion)
    )
    message, fix = _ask_trial(reduced, max(1, at.count.total_steps))
    if message:
        key, _, _ = message.partition(":")
        mended = by_hand(
            fix or "lorawiz get train", "what the arguments should be is for you to say"
        )
        yield Problem(message.removeprefix("train."), mended, key if "." in key else "train")


@rule("learning-rate-unusual", "warning")
def find_odd_learning_rate(at: Inspection) -> Iterator[Problem]:
    """AdamW on a LoRA works between about 1e-5 and 1e-3: above it breaks, below nothing happens.
    The base's own weights want a twentieth of it and less. Prodigy and D-Adaptation find the rate
    themselves and want 1."""
    train = at.spec.train
    entry = find_optimizer(train.optimizer_type)
    if entry.rates is None or sets_own_rate(train):
        return
    usual, low, high = entry.rates
    if at.spec.trains_full and not entry.adapts_rate:
        usual, low, high = f"{float(usual) / 20:g}", low / 100, high / 100
    for key, rate in _rates_in_use(at.spec).items():
        if not low <= rate <= high:
            yield Problem(
                f"{key} = {rate:g}, far from {train.optimizer_type}'s usual {usual}",
                set_to(f"train.{key}", usual),
                f"train.{key}",
            )


@rule("learning-rates-unequal", "error")
def find_unequal_rates(at: Inspection) -> Iterator[Problem]:
    """Prodigy and D-Adaptation find one rate for all parts: they refuse unequal ones, or take the
    first for all."""
    name, rates = at.spec.train.optimizer_type, _rates_in_use(at.spec)
    if find_optimizer(name).adapts_rate and len(set(rates.values())) > 1:
        (first, rate), (second, other) = list(rates.items())[:2]
        yield Problem(
            f"{name} takes one rate for all parts, but {first} = {rate:g} and {second} = {other:g}",
            set_to(f"train.{second}", f"{rate:g}"),
            f"train.{second}",
        )


@rule("warmup-refused", "error")
def find_refused_warmup(at: Inspection) -> Iterator[Problem]:
    """A warm-up begins at 0, and the first step of some optimizers divides by its rate."""
    train = at.spec.train
    if find_optimizer(train.optimizer_type).refuses_zero_rate and train.lr_warmup_steps:
        yield Problem(
            f"{train.optimizer_type} cannot begin at a learning rate of 0, as lr_warmup_steps does",
            set_to("train.lr_warmup_steps", "0"),
            "train.lr_warmup_steps",
        )


@rule("average-twice", "warning")
def find_double_average(at: Inspection) -> Iterator[Problem]:
    """A schedule-free optimizer saves an average already: that of averages is ever later."""
    train = at.spec.train
    if train.ema_decay is not None and find_optimizer(train.optimizer_type).is_schedule_free:
        yield Problem(
            f"{train.optimizer_type} averages its weights itself, and ema_decay does so again",
            unset("train.ema_decay"),
            "train.ema_decay",
        )


@rule("average-late", "warning")
def find_late_average(at: Inspection) -> Iterator[Problem]:
    """An average over more steps than the run has still is mostly where it began."""
    decay, total = at.spec.train.ema_decay, at.count.total_steps
    if decay is not None and total and 3 / (1 - decay) > total:
        nearest = max(round(1 - 10 / total, 4), 0.5) if total > 20 else 0.5
        yield Problem(
            f"ema_decay = {decay:g} averages about {round(1 / (1 - decay))} steps, and there are "
            f"{total}",
            set_to("train.ema_decay", str(nearest)),
            "train.ema_decay",
        )


@rule("schedule-free-scheduled", "warning")
def find_scheduled_schedule_free(at: Inspection) -> Iterator[Problem]:
    """A schedule-free optimizer averages its weights in place of a falling rate (Defazio et al.
    2024); it has a warm-up of its own."""
    train = at.spec.train
    if not find_optimizer(train.optimizer_type).is_schedule_free:
        return
    if train.lr_scheduler != "constant":
        yield Problem(
            f"{train.optimizer_type} with lr_scheduler = {train.lr_scheduler}",
            set_to("train.lr_scheduler", "constant"),
            "train.lr_scheduler",
        )
    elif train.lr_warmup_steps and train.optimizer_type != "RAdamScheduleFree":
        steps = train.lr_warmup_steps
        steps = steps * at.count.total_steps if steps < 1 else steps
        wanted = as_toml({**train.optimizer_args, "warmup_steps": max(1, int(steps))})
        yield Problem(
            f"{train.optimizer_type} with lr_warmup_steps: its own warm-up weighs the average too",
            set_all({"train.lr_warmup_steps": "0", "train.optimizer_args": wanted}),
            "train.lr_warmup_steps",
        )


@rule("lr-scheduler-incomplete", "error")
def find_incomplete_scheduler(at: Inspection) -> Iterator[Problem]:
    """Some schedules have a shape only with a setting that has no default."""
    train = at.spec.train
    name, args = train.lr_scheduler, train.lr_scheduler_args
    lacking = {
        "cosine_with_min_lr": ("min_lr" in args, "lr_scheduler_min_lr_ratio", "0.1"),
        "warmup_stable_decay": (False, "lr_decay_steps", "0.2"),
        "piecewise_constant": (
            "step_rules" in args, "lr_scheduler_args", "{ step_rules = \"1:500,0.1:800,0.01\" }",
        ),
        "adafactor": (sets_own_rate(train), "optimizer_type", "AdaFactor"),
    }  # fmt: skip
    if name in lacking:
        is_given, key, value = lacking[name]
        is_default = getattr(train, key) == type(train).model_fields[key].default
        if not is_given and (is_default or key == "optimizer_type"):
            yield Problem(
                f"lr_scheduler = {name} needs {key}",
                set_to(f"train.{key}", value),
                "train.lr_scheduler",
            )


@rule("lr-setting-idle", "warning")
def find_idle_schedule_settings(at: Inspection) -> Iterator[Problem]:
    """Each schedule reads some of the settings; the others do nothing."""
    train = at.spec.train
    if sets_own_rate(train):
        yield from _find_idle_under_relative_step(at)
        return
    read = LR_SCHEDULERS.get(train.lr_scheduler, ())
    for key in SCHEDULE_SETTINGS:
        if key not in read and getattr(train, key) != type(train).model_fields[key].default:
            yield Problem(
                f"{key} has no effect with lr_scheduler = {train.lr_scheduler}",
                unset(f"train.{key}"),
                f"train.{key}",
            )


def _find_idle_under_relative_step(at: Inspection) -> Iterator[Problem]:
    train = at.spec.train
    idle = [
        key
        for key in ("learning_rate", "unet_lr", "text_encoder_lr", *SCHEDULE_SETTINGS)
        if getattr(train, key) != type(train).model_fields[key].default
    ]
    if train.lr_scheduler not in ("constant", "adafactor"):
        idle.append("lr_scheduler")
    if idle:
        own = as_toml({**train.optimizer_args, "relative_step": False})
        yield Problem(
            f"{', '.join(idle)} without effect: AdaFactor's relative_step sets the rate itself",
            set_to("train.optimizer_args", own),
            f"train.{idle[0]}",
        )


def _install(extra: str) -> Fix:
    words = f"pip install 'lorawiz[{extra}]'" if extra else "install the package that it is in"
    return by_hand(words, "packages are installed from a shell")


def _rates_in_use(spec: Spec) -> dict[str, float]:
    """The learning rates that trained parts are given, by their settings."""
    train, rates = spec.train, {}
    if spec.trains_unet:
        rates["learning_rate" if train.unet_lr is None else "unet_lr"] = train.part_lr("unet")
    if spec.trains_text_encoder:
        key = "learning_rate" if train.text_encoder_lr is None else "text_encoder_lr"
        rates[key] = train.part_lr("text_encoder")
    return rates


@cache
def _ask_trial(spec_toml: str, total_steps: int) -> tuple[str, str]:
    """(message, fix) of the trial in a child process, which may import torch; empty when fine."""
    command = [sys.executable, "-P", "-m", "lorawiz.train.trial", str(total_steps)]
    try:
        answer = subprocess.run(
            command, input=spec_toml, capture_output=True, text=True,
            timeout=_TRIAL_TIMEOUT_S, check=False,
        )  # fmt: skip
        found: dict[str, str] = json.loads(answer.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"the optimizer did not answer in {_TRIAL_TIMEOUT_S:g} s", "lorawiz doctor"
    except (ValueError, IndexError):
        last = answer.stderr.strip().splitlines()[-1:] or [f"exit code {answer.returncode}"]
        return f"the optimizer cannot be tried out: {last[0]}", "lorawiz doctor"
    return found.get("message", ""), found.get("hint", "")
