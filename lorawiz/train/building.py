"""What a spec trains, made of the loaded models, with what saves it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.checkpoint import noop_context_fn

from lorawiz.families.adapter import Adapter, Contexts
from lorawiz.families.clip.new_token import NewToken
from lorawiz.spec import Spec
from lorawiz.train.frozen import freeze_convolutions
from lorawiz.train.full import FullWeights
from lorawiz.train.job import Job
from lorawiz.train.lean import make_lean
from lorawiz.train.network import LoraNetwork
from lorawiz.train.new_word import NewWord
from lorawiz.train.quantized import quantize
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
    return [
        _find_saver(job, adapter, unet, text_encoder, trained)
        for trained in build_trained(job.spec, job.ranks, adapter, unet, text_encoder, device)
    ]


def build_trained(
    spec: Spec,
    ranks: Mapping[str, tuple[int, float]] | None,
    adapter: Adapter,
    unet: Any,
    text_encoder: nn.Module | None,
    device: torch.device,
) -> list[NewWord | LoraNetwork | FullWeights]:
    """All that a spec trains of these models, the main thing last."""
    found: list[NewWord | LoraNetwork | FullWeights] = []
    if spec.trains_token:
        assert text_encoder is not None
        found.append(_add_word(spec, adapter, text_encoder))
    learning = text_encoder if spec.trains_text_encoder else None
    if spec.trains_full:
        found.append(_take_whole(spec, unet, learning))
    elif spec.trains_unet or spec.trains_text_encoder:
        found.append(_inject(spec, ranks, adapter, unet, learning, device))
    return found


def prepare_models(
    spec: Spec,
    adapter: Adapter,
    unet: Any,
    text_encoder: nn.Module | None,
    device: torch.device,
    contexts: Contexts = noop_context_fn,
) -> None:
    """Make the models ready to train, once what trains is in them: lean, where they belong."""
    if spec.train.fp8_base or spec.train.nf4_base:
        quantize(unet, "fp8" if spec.train.fp8_base else "nf4")
    freeze_convolutions(unet)
    make_lean(unet)
    unet.to(device)
    if spec.train.gradient_checkpointing:
        is_offloaded = spec.train.cpu_offload_checkpointing
        adapter.enable_gradient_checkpointing(unet, is_offloaded, contexts)
        if text_encoder is not None and spec.changes_text:
            adapter.enable_gradient_checkpointing(text_encoder, is_offloaded, contexts)


def _add_word(spec: Spec, adapter: Adapter, text_encoder: nn.Module) -> NewWord:
    token = NewToken.of(spec)
    assert token is not None
    return NewWord(token, adapter.add_token(text_encoder, token, spec.init_word))


def _inject(
    spec: Spec,
    ranks: Mapping[str, tuple[int, float]] | None,
    adapter: Adapter,
    unet: Any,
    text_encoder: nn.Module | None,
    device: torch.device,
) -> LoraNetwork:
    network = LoraNetwork(spec.network, ranks)
    if text_encoder is not None:
        network.inject("text_encoder", adapter.iter_text_targets(text_encoder), device)
    if spec.trains_unet:
        network.inject("unet", adapter.iter_unet_targets(unet), device)
    return network


def _take_whole(spec: Spec, unet: Any, text_encoder: nn.Module | None) -> FullWeights:
    weights = FullWeights()
    if text_encoder is not None:
        weights.add("text_encoder", text_encoder)
    if spec.trains_unet:
        weights.add("unet", unet)
    return weights


def _find_saver(
    job: Job,
    adapter: Adapter,
    unet: Any,
    text_encoder: nn.Module | None,
    trained: NewWord | LoraNetwork | FullWeights,
) -> Saver:
    spec = job.spec
    if isinstance(trained, NewWord):
        return EmbeddingSaver(trained)
    if isinstance(trained, LoraNetwork):
        if job.weights is not None:
            trained.start_from(load_file(job.weights.path))
        return LoraSaver(trained)
    # opened now: what its files lack is said before the first step, not at the first save
    trained_unet = unet if spec.trains_unet else None
    trained_text = text_encoder if spec.trains_text_encoder else None
    export = adapter.open_export(job.checkpoint, job.vae, trained_unet, trained_text)
    return ModelSaver(trained, export, spec.base, spec.train.save_model_as)
