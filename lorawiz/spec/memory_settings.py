"""The settings that a run can save memory with, in the order in which one would try them."""

from collections.abc import Iterator, Mapping

from lorawiz.spec.document import build_spec, dump_spec, edit_text, parse_spec
from lorawiz.spec.tables import Spec

STORED_KINDS = ("lora", "locon")
"""Kinds of networks that train beside weights which are stored in few bits."""
Settings = Mapping[str, str]
"""Values as they are typed, by key; empty takes the key out."""


def iter_memory_settings(spec: Spec, is_cuda: bool, has_bf16: bool) -> Iterator[Settings]:
    """Those that `spec` does not have yet, each set alone."""
    train = spec.train
    if not train.gradient_checkpointing:
        yield {"train.gradient_checkpointing": "true"}
    elif is_cuda and not train.cpu_offload_checkpointing:
        yield {"train.cpu_offload_checkpointing": "true"}
    if is_cuda and train.mixed_precision == "no":
        yield {"train.mixed_precision": "bf16" if has_bf16 else "fp16"}
    yield from _iter_for_weights(spec, is_cuda)
    yield from _iter_for_pictures(spec)


def _iter_for_weights(spec: Spec, is_cuda: bool) -> Iterator[Settings]:
    train, network = spec.train, spec.network
    if network.has_adapter and spec.trains_unet and spec.trains_text_encoder:
        yield {"network.train_unet_only": "true"}
    if network.kind in STORED_KINDS and not (train.fp8_base or train.nf4_base):
        yield {"train.fp8_base": "true"}
    if is_cuda and train.optimizer_type == "AdamW":
        yield {"train.optimizer_type": "AdamW8bit"}
    if train.ema_decay is not None:
        yield {"train.ema_decay": ""}


def _iter_for_pictures(spec: Spec) -> Iterator[Settings]:
    train, dataset = spec.train, spec.dataset
    if dataset.batch_size > 1:
        accumulated = dataset.batch_size * train.gradient_accumulation_steps
        yield {"dataset.batch_size": "1", "train.gradient_accumulation_steps": str(accumulated)}
    smaller = max(min(dataset.size) * 3 // 4 // 64 * 64, 256)
    if isinstance(dataset.resolution, int) and smaller < dataset.resolution:
        yield {"dataset.resolution": str(smaller)}
    if spec.sample.prompts and min(spec.sample_size) > 512:
        yield {"sample.width": "512", "sample.height": "512"}


def apply_settings(spec: Spec, settings: Settings) -> Spec:
    """The spec with these settings. Raises SpecError where they do not go together."""
    typed = {key: value or None for key, value in settings.items()}
    return build_spec(parse_spec(edit_text(dump_spec(spec), typed)))


def show_settings(settings: Settings) -> str:
    """`train.gradient_checkpointing = true`; `no train.ema_decay`."""
    return ", ".join(
        f"{key} = {value}" if value else f"no {key}" for key, value in settings.items()
    )
