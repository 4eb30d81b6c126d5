"""The optimizer, and the learning rate as a pure function of the step."""

import math

import torch

from lorawiz.spec.tables import Spec
from lorawiz.spec.training import TrainTable
from lorawiz.train.network import LoraNetwork


def build_optimizer(spec: Spec, network: LoraNetwork) -> torch.optim.AdamW:
    """AdamW with one parameter group for each trained part and its own learning rate."""
    rates = {"unet": spec.train.unet_lr, "text_encoder": spec.train.text_encoder_lr}
    groups = []
    for part in ("unet", "text_encoder"):
        weights = network.part_weights(part)
        if weights:
            base_lr = rates[part] or spec.train.learning_rate
            groups.append({"params": weights, "lr": base_lr, "base_lr": base_lr})
    return torch.optim.AdamW(groups, lr=spec.train.learning_rate)


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Scale every group's own rate by `factor`. Returns the first group's new rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    lr: float = optimizer.param_groups[0]["lr"]
    return lr


def lr_factor(table: TrainTable, step: int, total_steps: int) -> float:
    """The learning rate's factor at `step` (counted from 1), in 0…1.

    Warm-up rises along a line to 1; then `constant` stays, `linear` and `cosine` reach zero
    behind the last step (the schedules of transformers' `get_scheduler`).
    """
    warmup = warmup_steps(table, total_steps)
    done = step - 1
    if done < warmup:
        return done / max(1, warmup)
    progress = (done - warmup) / max(1, total_steps - warmup)
    if table.lr_scheduler == "linear":
        return max(0.0, 1.0 - progress)
    if table.lr_scheduler == "cosine":
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))
    return 1.0


def warmup_steps(table: TrainTable, total_steps: int) -> int:
    """`lr_warmup_steps` as a number of steps; below 1 it is a share of all."""
    if table.lr_warmup_steps < 1:
        return int(table.lr_warmup_steps * total_steps)
    return int(table.lr_warmup_steps)
