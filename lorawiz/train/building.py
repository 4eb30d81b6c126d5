"""What a spec trains, made of the loaded models, with what saves it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lorawiz.families.adapter import Adapter
from lorawiz.train.full import FullWeights
from lorawiz.train.job import Job
from lorawiz.train.network import LoraNetwork
from lorawiz.train.saving import LoraSaver, ModelSaver, Saver


def build_savers(
    job: Job,
    adapter: Adapter,
    unet: Any,
    text_encoder: nn.Module | None,
    device: torch.device,
) -> Sequence[Saver]:
    """All that trains, with what saves it. `text_encoder` is None where it does not train.

    Draws from torch's global generator, which it seeds. Raises ModelError where a base cannot be
    saved whole.
    """
    torch.manual_seed(job.spec.train.seed)
    if job.spec.trains_full:
        return [_build_full(job, adapter, unet, text_encoder)]
    return [LoraSaver(_build_lora(job, adapter, unet, text_encoder, device))]


def _build_lora(
    job: Job, adapter: Adapter, unet: Any, text_encoder: nn.Module | None, device: torch.device
) -> LoraNetwork:
    network = LoraNetwork(job.spec.network)
    if text_encoder is not None:
        network.inject("text_encoder", adapter.iter_text_targets(text_encoder), device)
    if job.spec.trains_unet:
        network.inject("unet", adapter.iter_unet_targets(unet), device)
    return network


def _build_full(
    job: Job, adapter: Adapter, unet: Any, text_encoder: nn.Module | None
) -> ModelSaver:
    spec = job.spec
    weights = FullWeights()
    if text_encoder is not None:
        weights.add("text_encoder", text_encoder)
    if spec.trains_unet:
        weights.add("unet", unet)
    # opened now: what its files lack is said before the first step, not at the first save
    trained_unet = unet if spec.trains_unet else None
    export = adapter.open_export(job.checkpoint, job.vae, trained_unet, text_encoder)
    return ModelSaver(weights, export, spec.base, spec.train.save_model_as)
