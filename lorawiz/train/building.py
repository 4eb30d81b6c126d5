"""What a spec trains, made of the loaded models, with what saves it."""

from collections.abc import Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from lorawiz.families.adapter import Adapter
from lorawiz.families.clip.new_token import NewToken
from lorawiz.spec import Spec
from lorawiz.train.full import FullWeights
from lorawiz.train.job import Job
from lorawiz.train.network import LoraNetwork
from lorawiz.train.new_word import NewWord
from lorawiz.train.saving import EmbeddingSaver, LoraSaver, ModelSaver, Saver


def build_savers(
    job: Job,
    adapter: Adapter,
    unet: Any,
    text_encoder: nn.Module | None,
    device: torch.device,
) -> Sequence[Saver]:
    """All that trains, with what saves it; the main thing last.

    `text_encoder` is None where all its outputs are cached.

    Draws from torch's global generator, which it seeds. Raises ModelError where a base cannot be
    saved whole.
    """
    torch.manual_seed(job.spec.train.seed)
    spec = job.spec
    savers: list[Saver] = []
    if spec.trains_token:
        assert text_encoder is not None
        savers.append(EmbeddingSaver(_build_word(spec, adapter, text_encoder)))
    learning = text_encoder if spec.trains_text_encoder else None
    if spec.trains_full:
        savers.append(_build_full(job, adapter, unet, learning))
    elif spec.trains_unet or spec.trains_text_encoder:
        savers.append(LoraSaver(_build_lora(job, adapter, unet, learning, device)))
    return savers


def _build_word(spec: Spec, adapter: Adapter, text_encoder: nn.Module) -> NewWord:
    token = NewToken.of(spec)
    assert token is not None
    return NewWord(token, adapter.add_token(text_encoder, token, spec.init_word))


def _build_lora(
    job: Job, adapter: Adapter, unet: Any, text_encoder: nn.Module | None, device: torch.device
) -> LoraNetwork:
    network = LoraNetwork(job.spec.network, job.ranks)
    if text_encoder is not None:
        network.inject("text_encoder", adapter.iter_text_targets(text_encoder), device)
    if job.spec.trains_unet:
        network.inject("unet", adapter.iter_unet_targets(unet), device)
    if job.weights is not None:
        network.start_from(load_file(job.weights.path))
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
