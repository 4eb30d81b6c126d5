"""What a run will do and cost: buckets, steps, files, memory, disk, time, each with its source."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from lorawiz.dataset.buckets import Size, count_buckets, fit_bucket
from lorawiz.families import FAMILIES
from lorawiz.preflight.forecasts import find_forecast
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.products import TENSOR_OVERHEAD_BYTES, ProductSize, list_products
from lorawiz.runs.folder import list_runs
from lorawiz.runs.view import load_view
from lorawiz.spec import load_spec
from lorawiz.spec.optimizers import find_optimizer

_PROCESS_BYTES = 0.6e9
"""Python with torch, diffusers and transformers loaded."""
_WEIGHT_BYTES = {"no": 4, "fp16": 2, "bf16": 2}
_TRAINED_BYTES_A_PARAMETER = 4
"""A trained weight; its gradient has the same size."""
_KEPT_STATES = 2
_MIN_MEASURED_STEPS = 3


@dataclass(frozen=True)
class Plan:
    """The run before it runs. Sizes in bytes, times in seconds."""

    buckets: dict[Size, int]
    """Trained images by bucket (width, height)."""
    num_images: int
    """Those of the subject that are trained."""
    num_class_images: int
    """Those that show the class without the trigger."""
    num_held_out: int
    """Those that are only measured."""
    batches_per_epoch: int
    steps_per_epoch: int
    num_epochs: int
    total_steps: int
    products: tuple[ProductSize, ...]
    """What each save writes."""
    num_saves: int
    state_bytes: int
    latents_bytes: int
    disk_bytes: int
    memory_bytes: int
    memory_source: str
    """Where that figure is from."""
    step_s: float | None
    time_source: str

    @property
    def num_parameters(self) -> int:
        """All that train."""
        return sum(product.num_parameters for product in self.products)

    @property
    def save_bytes(self) -> int:
        """One save."""
        return sum(product.file_bytes for product in self.products)

    @property
    def time_s(self) -> float | None:
        return None if self.step_s is None else self.step_s * self.total_steps

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        values["buckets"] = [
            {"width": w, "height": h, "num_images": count} for (w, h), count in self.buckets.items()
        ]
        return {**values, "time_s": self.time_s}


def build_plan(at: Inspection) -> Plan:
    """The plan of the project as it stands."""
    count = at.count
    products = list_products(at)
    num_parameters = sum(product.num_parameters for product in products)
    save_bytes = sum(product.file_bytes for product in products)
    state_bytes = math.ceil(num_parameters * (_TRAINED_BYTES_A_PARAMETER + _memory_of_steps(at)))
    latents_bytes = _latents_bytes(at)
    num_saves = _num_saves(at)
    step_s, source = _measured_step(at)
    foretold = find_forecast(at)
    return Plan(
        buckets=count_buckets((r.content_size for r in at.split.trained), at.spec.dataset),
        num_images=count.num_images,
        num_class_images=count.num_class_images,
        num_held_out=len(at.split.held_out),
        batches_per_epoch=count.batches_per_epoch,
        steps_per_epoch=count.steps_per_epoch,
        num_epochs=count.num_epochs,
        total_steps=count.total_steps,
        products=products,
        num_saves=num_saves,
        state_bytes=state_bytes,
        latents_bytes=latents_bytes,
        # one state more than is kept: the new one is written before the oldest goes
        disk_bytes=num_saves * save_bytes + (_KEPT_STATES + 1) * state_bytes + latents_bytes,
        memory_bytes=foretold.peak_bytes if foretold else _memory_bytes(at, num_parameters),
        memory_source=f"forecast, most while {foretold.peak_phase}" if foretold else "estimate",
        step_s=step_s,
        time_source=source,
    )


def _latents_bytes(at: Inspection) -> int:
    card = FAMILIES[at.family]
    cell_px = card.vae_scale_of(at.size)
    views = 2 if at.spec.dataset.flip_aug else 1
    cached = [(record, views) for record in at.split.trained]
    cached += [(record, 1) for record in at.split.held_out]
    total = 0
    for record, num_views in cached:
        width, height = fit_bucket(record.content_size, at.spec.dataset).bucket
        cells = (width // cell_px) * (height // cell_px)
        total += num_views * (cells * 2 * card.latent_channels * 4 + TENSOR_OVERHEAD_BYTES)
    return total


def _num_saves(at: Inspection) -> int:
    train, count = at.spec.train, at.count
    if not count.total_steps:
        return 0
    # the last step is saved once, under the LoRA's own name
    before_last = count.total_steps - 1
    saves = 1
    if train.save_every_n_epochs:
        saves += before_last // count.steps_per_epoch // train.save_every_n_epochs
    if train.save_every_n_steps:
        saves += before_last // train.save_every_n_steps
    return saves


def _memory_bytes(at: Inspection, num_trained: int) -> int:
    facts, train = at.size_facts, at.spec.train
    width = _WEIGHT_BYTES[train.mixed_precision]
    weights = facts.num_parameters[0]
    if at.spec.changes_text:
        weights += facts.num_parameters[1]
    if at.spec.trains_full:
        # in fp32 below; autocast makes a copy of them where it computes in half precision
        weights -= min(weights, num_trained) if width == _WEIGHT_BYTES["no"] else 0
    stored = 1.0 if train.fp8_base else 0.57 if train.nf4_base else width
    weights_bytes = weights * width - facts.num_parameters[0] * (width - stored)
    area = max((w * h for w, h in _used_buckets(at)), default=0) / 256**2
    if train.gradient_checkpointing:
        kept = facts.checkpointed_bytes * area
    else:
        kept = facts.activation_bytes * area
    kept *= at.spec.dataset.batch_size * (width / 4)
    trained = num_trained * (2 * _TRAINED_BYTES_A_PARAMETER + _memory_of_steps(at))
    return math.ceil(_PROCESS_BYTES + weights_bytes + kept + trained)


def _memory_of_steps(at: Inspection) -> float:
    """Bytes that the optimizer and the moving average keep for each trained parameter."""
    average = 0 if at.spec.train.ema_decay is None else _TRAINED_BYTES_A_PARAMETER
    return find_optimizer(at.spec.train.optimizer_type).state_bytes + average


def _used_buckets(at: Inspection) -> list[Size]:
    return list(count_buckets((r.content_size for r in at.split.trained), at.spec.dataset))


def _measured_step(at: Inspection) -> tuple[float | None, str]:
    """Seconds a step of the newest run here with the same cost, and which run that was."""
    for run in reversed(list_runs(at.project)):
        view = load_view(run)
        if len(view.steps) < _MIN_MEASURED_STEPS:
            continue
        old = load_spec(run.spec)
        same = all(
            getattr(old, table) == getattr(at.spec, table)
            for table in ("base", "network", "launch")
        )
        same = same and old.dataset.resolution == at.spec.dataset.resolution
        same = same and old.dataset.batch_size == at.spec.dataset.batch_size
        for key in ("gradient_accumulation_steps", "gradient_checkpointing", "mixed_precision"):
            same = same and getattr(old.train, key) == getattr(at.spec.train, key)
        if same:
            return view.step_s, f"measured in {run.run_id}"
    return None, "not known before a first run here"
