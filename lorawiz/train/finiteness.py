"""What is not finite, and where: found before a step is made of it.

Shape suffixes: B batch.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lorawiz.dataset.batches import Item, StepPlan
from lorawiz.errors import RunError, visible_text
from lorawiz.train.trained import Trained

MAX_SKIPPED_IN_A_ROW = 10
"""With on_nan = "skip", so many steps without an update mean that the run is lost."""
HINT = "the last save is good: lower learning_rate, or use bf16 in place of fp16"
BatchLoss = Callable[[Sequence[Item]], Tensor]


def describe_failure(
    plan: StepPlan,
    loss: float,
    network: Trained,
    model: nn.Module,
    measure: BatchLoss,
    find_timesteps: Callable[[Sequence[Item]], list[int]],
) -> str:
    """`the loss is not finite at step 3, with IMG_1.jpg at timestep 870: … gives nan in float16`.

    Batches are measured once more, without a graph, to find the first layer that breaks.
    """
    if math.isfinite(loss):
        batches = list(plan.batches)
        what, cause = "gradient", _first_bad_gradient(network)
    else:
        what, cause = "loss", ""
        batches = []
        for batch in plan.batches:
            is_bad, layer = find_bad_layer(model, lambda batch=batch: measure(batch))  # type: ignore[misc]
            if is_bad:
                batches.append(batch)
                cause = cause or layer
        batches = batches or list(plan.batches)
    images = ", ".join(_name_images(batch, find_timesteps(batch)) for batch in batches)
    said = f"the {what} is not finite at step {plan.step}, with {images}"
    return f"{said}: {cause}" if cause else said


def find_bad_layer(model: nn.Module, measure: Callable[[], Tensor]) -> tuple[bool, str]:
    """Whether what is measured is not finite, and the first layer of `model` with such an output."""
    found: list[str] = []
    names = {module: name for name, module in model.named_modules()}

    def look(module: nn.Module, _inputs: Any, output: Any) -> None:
        if found or not isinstance(output, Tensor) or _is_finite(output):
            return
        kind = "nan" if bool(output.isnan().any()) else "inf"
        dtype = str(output.dtype).removeprefix("torch.")
        found.append(f"{names[module] or 'the model'} gives {kind} in {dtype}")

    handles = [module.register_forward_hook(look) for module in names]
    try:
        with torch.no_grad():
            is_bad = not math.isfinite(float(measure()))
    finally:
        for handle in handles:
            handle.remove()
    return is_bad, found[0] if found else ""


def refuse_diverged(network: Trained, step: int) -> None:
    """Raises RunError when a weight is not finite: nothing of it may be saved."""
    for name, weight in network.iter_weights():
        if not _is_finite(weight):
            raise RunError(
                f"the weights are not finite behind step {step}, first {name}: the run diverged",
                "the last save is good: lower learning_rate, then lorawiz run",
            )


def _first_bad_gradient(network: Trained) -> str:
    for name, weight in network.iter_weights():
        if weight.grad is not None and not _is_finite(weight.grad):
            dtype = str(weight.grad.dtype).removeprefix("torch.")
            return f"the gradient of {name} in {dtype} is the first"
    return ""


def _name_images(batch: Sequence[Item], timesteps: list[int]) -> str:
    return ", ".join(
        f"{visible_text(item.record.image_path)} at timestep {timestep}"
        for item, timestep in zip(batch, timesteps, strict=True)
    )


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor.detach()).all())
