"""What is said when a step does not fit: at what size, what there is, what each setting saves."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import psutil
import torch

from lorawiz.dataset.batches import StepPlan
from lorawiz.dataset.buckets import Size
from lorawiz.errors import LorawizError
from lorawiz.spec.memory_settings import apply_settings, iter_memory_settings, show_settings
from lorawiz.train.forecast import forecast
from lorawiz.train.rehearsal import Scene
from lorawiz.train.trainer import Trainer
from lorawiz.wording import show_bytes


def describe(trainer: Trainer, plan: StepPlan) -> str:
    """`out of memory at step 120, at 1024×768, batch 4: 23.1 GB in use of 24.0 GB`."""
    width, height = _find_bucket(plan)
    return (
        f"out of memory at step {plan.step}, at {width}×{height}, batch "
        f"{max(map(len, plan.batches))}: {_describe_use(trainer.device)}"
    )


def advise(trainer: Trainer, plan: StepPlan) -> str:
    """What each setting would save, best first, and how to go on."""
    savings: list[tuple[int, str]] = []
    with suppress(LorawizError, RuntimeError, MemoryError):  # advice is not worth an error
        savings = sorted(_iter_savings(trainer, _find_bucket(plan)), reverse=True)
    lines = [f"{words} saves about {show_bytes(saved)}" for saved, words in savings]
    has_state = f"the state behind step {step} is kept; " if (step := trainer.kept_step) else ""
    return "\n".join([*lines, f"{has_state}a run with other settings begins anew: lorawiz run"])


def _iter_savings(trainer: Trainer, bucket: Size) -> Iterator[tuple[int, str]]:
    """(bytes, settings) of each memory setting that would make the step smaller."""
    job, is_cuda = trainer.job, trainer.device.type == "cuda"
    has_bf16 = is_cuda and torch.cuda.is_bf16_supported()
    scene = Scene(job.spec, job.checkpoint, job.vae, bucket, job.ranks)
    now = _find_peak(scene, is_cuda)
    for settings in iter_memory_settings(job.spec, is_cuda, has_bf16):
        try:
            spec = apply_settings(job.spec, settings)
            then = _find_peak(replace(scene, spec=spec), is_cuda)
        except LorawizError:  # settings that do not go together here
            continue
        if then < now:
            yield now - then, show_settings(settings)


def _find_peak(scene: Scene, is_cuda: bool) -> int:
    [peak] = [p.peak_bytes for p in forecast(scene, is_cuda) if p.name == "making a step"]
    return peak


def _find_bucket(plan: StepPlan) -> Size:
    sizes = [item.fit.bucket for batch in plan.batches for item in batch]
    return max(sizes, key=lambda size: size[0] * size[1])


def _describe_use(device: torch.device) -> str:
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        peak = torch.cuda.max_memory_allocated(device)
        return (
            f"{show_bytes(peak)} in use at the most, {show_bytes(free)} free of {show_bytes(total)}"
        )
    memory = psutil.virtual_memory()
    used = psutil.Process().memory_info().rss
    return f"{show_bytes(used)} in use, {show_bytes(memory.available)} free of {show_bytes(memory.total)}"
