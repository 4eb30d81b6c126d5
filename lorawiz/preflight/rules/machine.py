"""Rules on this machine: warnings in `check`, errors in `run`."""

from collections.abc import Iterator

from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import Fix, by_hand, edit_setting, run, set_to, watch_run
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.plan import build_plan
from lorawiz.wording import show_bytes


@rule("extra-missing", "error", "machine")
def find_missing_extra(at: Inspection) -> Iterator[Problem]:
    """Training needs torch and its companions; reviewing does not."""
    missing = at.machine.missing_packages
    if missing:
        yield Problem(
            f"training needs {', '.join(missing)}: not installed here",
            by_hand(
                "pip install 'lorawiz[train]'", "a program does not replace itself while it runs"
            ),
        )


@rule("precision-unsupported", "error", "machine")
def find_unsupported_precision(at: Inspection) -> Iterator[Problem]:
    """Half precision needs hardware that computes in it."""
    wanted, torch = at.spec.train.mixed_precision, at.machine.torch
    if torch is None:
        return
    if wanted == "fp16" and torch.device == "cpu":
        yield Problem(
            "mixed_precision = fp16 needs a GPU, and torch finds none here",
            _for_this_machine("train.mixed_precision", "no"),
            "train.mixed_precision",
        )
    if wanted == "bf16" and not torch.bf16:
        yield Problem(
            f"{torch.device_name} does not compute in bf16",
            _for_this_machine("train.mixed_precision", "fp16"),
            "train.mixed_precision",
        )


@rule("too-few-gpus", "error", "machine")
def find_too_few_gpus(at: Inspection) -> Iterator[Problem]:
    """Each process needs a GPU of its own; on CPUs several are slow, but they train."""
    wanted, torch = at.spec.launch.processes_here, at.machine.torch
    if torch is None or wanted == 1 or torch.device == "cpu":
        return
    if torch.device == "mps":
        yield Problem(
            f"num_processes = {wanted}, and Apple's GPU is one",
            set_to("launch.num_processes", 1),
            "launch.num_processes",
        )
    elif wanted > torch.num_devices:
        yield Problem(
            f"{wanted} processes on a machine with {torch.num_devices} "
            f"GPU{'s' if torch.num_devices > 1 else ''}: each needs its own",
            set_to("launch.num_processes", torch.num_devices * at.spec.launch.num_machines),
            "launch.num_processes",
        )


@rule("idle-gpus", "info", "machine")
def find_idle_gpus(at: Inspection) -> Iterator[Problem]:
    """What was rented and does nothing."""
    used, torch = at.spec.launch.processes_here, at.machine.torch
    if torch is not None and torch.num_devices > used:
        total = torch.num_devices * at.spec.launch.num_machines
        yield Problem(
            f"{torch.num_devices} GPUs here, and the run uses {used}",
            set_to("launch.num_processes", total),
            "launch.num_processes",
        )


@rule("disk-full", "error", "machine")
def find_full_disk(at: Inspection) -> Iterator[Problem]:
    """A disk that fills in the night costs the run."""
    plan = build_plan(at)
    if plan.disk_bytes > at.machine.free_disk_bytes:
        yield Problem(
            f"the run writes about {show_bytes(plan.disk_bytes)}, and "
            f"{show_bytes(at.machine.free_disk_bytes)} are free",
            edit_setting("train.save_every_n_epochs", "N", "save less often: {}")
            | by_hand("free some space", "only you know what can be deleted"),
        )


@rule("memory-short", "warning", "machine")
def find_short_memory(at: Inspection) -> Iterator[Problem]:
    """A run that does not fit dies at its first step, or swaps for hours."""
    torch = at.machine.torch
    if torch is None:
        return
    has = torch.device_bytes or at.machine.memory_bytes
    plan = build_plan(at)
    needs, source = plan.memory_bytes, plan.memory_source
    if needs > has:
        smaller = edit_setting("dataset.batch_size", "N", "a smaller batch: {}") | edit_setting(
            "dataset.resolution", "PIXELS", "smaller pictures: {}"
        )
        yield Problem(
            f"about {show_bytes(needs)} of memory ({source}), and there are {show_bytes(has)}",
            (
                smaller
                if at.spec.train.gradient_checkpointing
                else set_to("train.gradient_checkpointing", True) | smaller
            )
            | run("check", "--memory", words="{} says what saves how much"),
        )


@rule("run-active", "error", "machine")
def find_active_run(at: Inspection) -> Iterator[Problem]:
    """One run at a time: two would share the memory and write the same caches."""
    if at.machine.active_run:
        yield Problem(
            f"{at.machine.active_run} is on in this project",
            watch_run(at.machine.active_run, "{} shows it, lorawiz stop ends it"),
        )


@rule("training-on-cpu", "info", "machine")
def find_cpu_training(at: Inspection) -> Iterator[Problem]:
    """A full-size base takes seconds a step on a CPU, a tenth of a second on a GPU."""
    torch = at.machine.torch
    if torch is not None and torch.device == "cpu" and at.size == "full":
        yield Problem(
            "torch finds no GPU here: training runs on the CPU", run("doctor", words="{} says why")
        )


def _for_this_machine(key: str, typed: str) -> Fix:
    """For good in the project, or for one run: another machine may do what this one cannot."""
    return set_to(key, typed) | by_hand(
        f"lorawiz run --set {key}={typed} for this run alone", "it starts the run"
    )
