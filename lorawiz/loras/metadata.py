"""The metadata of a LoRA file: `ss_*` as sd-scripts names it, `modelspec.*` as Stability AI does.

Every value is true of the run. What would give the user away (home paths, folder names of the
machine) is not written; tag counts are, because the web UIs show trigger words from them.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import lorawiz
from lorawiz.families.card import PENULTIMATE, FamilyCard, Prediction
from lorawiz.families.clip import CHUNK_TOKENS
from lorawiz.spec.network import Kind, NetworkTable
from lorawiz.spec.optimizers import find_optimizer, optimizer_arguments, sets_own_rate
from lorawiz.spec.tables import Spec
from lorawiz.spec.training import TrainTable

_MODULES: dict[Kind, tuple[str, dict[str, Any]]] = {
    "lora": ("networks.lora", {}),
    "locon": ("networks.lora", {}),
    "dora": ("lycoris.kohya", {"algo": "lora", "dora_wd": True}),
    "loha": ("lycoris.kohya", {"algo": "loha"}),
    "lokr": ("lycoris.kohya", {"algo": "lokr"}),
    "oft": ("lycoris.kohya", {"algo": "diag-oft"}),
}
_NETWORK_ARGS = (
    "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "block_dims", "block_alphas",
    "conv_block_dims", "conv_block_alphas", "down_lr_weight", "mid_lr_weight", "up_lr_weight",
    "block_lr_zero_threshold", "loraplus_lr_ratio", "loraplus_unet_lr_ratio",
    "loraplus_text_encoder_lr_ratio",
)  # fmt: skip
Product = Literal["lora", "model", "embedding"]
"""What is saved: a LoRA, a whole model, or the vectors of a new word."""
_ARCHITECTURE_TAILS: dict[Product, str] = {
    "lora": "/lora",
    "model": "",
    "embedding": "/textual-inversion",
}
_ORIGINAL_LAYOUT = "https://github.com/Stability-AI/generative-models"


@dataclass(frozen=True)
class BaseFacts:
    """The base model by name and hashes; `vae_name` is empty for the checkpoint's own."""

    name: str
    sha256: str
    legacy_hash: str
    vae_name: str = ""
    vae_sha256: str = ""


@dataclass(frozen=True)
class RunFacts:
    """What the run knows when it saves."""

    run_id: str
    started_at: float
    """Seconds since 1970."""
    finished_at: float
    num_images: int
    batches_per_epoch: int
    num_epochs: int
    epoch: int
    step: int
    total_steps: int
    tags: Sequence[Sequence[str]]
    """The comma-separated parts of each image's prompt text."""
    bucket_counts: dict[tuple[int, int], int]
    """Images by bucket (width, height)."""
    num_held_out: int = 0
    class_images: Mapping[str, int] = field(default_factory=dict)
    """Class images by the name of their folder."""


def build_metadata(
    spec: Spec, card: FamilyCard, base: BaseFacts, run: RunFacts, product: Product = "lora"
) -> dict[str, str]:
    """All metadata but the hashes of the file itself; every value is text."""
    values = {
        **_run_values(spec, run),
        **(_network_values(spec) if product == "lora" else {}),
        **_family_values(spec, card),
        **_train_values(spec),
        **_dataset_values(spec, run),
        **_base_values(base),
    }
    metadata = {f"ss_{key}": _as_text(value) for key, value in values.items()}
    return {**metadata, **_modelspec(spec, card, run, product)}


def legacy_model_hash(path: Path) -> str:
    """The old webui's 8 hex digits of a checkpoint file: 64 KiB at 1 MiB; empty for a folder."""
    if path.is_dir():
        return ""
    with path.open("rb") as file:
        file.seek(0x100000)
        return hashlib.sha256(file.read(0x10000)).hexdigest()[:8]


def _run_values(spec: Spec, run: RunFacts) -> dict[str, Any]:
    session = hashlib.sha256(f"{run.run_id} {run.started_at}".encode()).digest()
    return {
        "session_id": int.from_bytes(session[:4], "big"),
        "training_started_at": run.started_at,
        "training_finished_at": run.finished_at,
        "output_name": spec.project.name,
        "num_train_images": run.num_images * spec.dataset.num_repeats,
        "num_validation_images": run.num_held_out,
        "validation_split": spec.validation.split,
        "validation_seed": spec.validation.seed if spec.validation.split else None,
        "validate_every_n_epochs": spec.validation.every_n_epochs,
        "validate_every_n_steps": spec.validation.every_n_steps,
        "num_reg_images": sum(run.class_images.values()),
        "num_batches_per_epoch": run.batches_per_epoch,
        "num_epochs": run.num_epochs,
        "epoch": run.epoch,
        "steps": run.step,
        "max_train_steps": run.total_steps,
        "training_comment": spec.train.training_comment or None,
    }


def _network_values(spec: Spec) -> dict[str, Any]:
    return {
        **_kind_values(spec.network),
        "network_dim": spec.network.dim,
        "network_alpha": spec.network.alpha,
        "network_dropout": spec.network.dropout or None,
        "scale_weight_norms": spec.network.scale_weight_norms,
    }


def _family_values(spec: Spec, card: FamilyCard) -> dict[str, Any]:
    return {
        "v2": card.is_v2,
        "base_model_version": card.names[_prediction(spec, card)].base_model_version,
        "clip_skip": spec.base.clip_skip
        if card.reads_clip_skip and spec.base.clip_skip > 1
        else None,
        "max_token_length": spec.prompt.max_token_length
        if spec.prompt.max_token_length != CHUNK_TOKENS
        else None,
    }


def _kind_values(network: NetworkTable) -> dict[str, Any]:
    """Which module of sd-scripts makes such a network, and its arguments."""
    module, arguments = _MODULES[network.kind]
    arguments = {**arguments, "factor": network.factor} if network.kind == "lokr" else arguments
    given = {**arguments, **{key: getattr(network, key) for key in _NETWORK_ARGS}}
    if network.wide_dim:
        given["conv_dim"] = network.wide_dim
        # readers take 1 where none is named
        given["conv_alpha"] = network.conv_alpha or network.wide_dim * network.alpha / network.dim
    shown = {key: _as_argument(value) for key, value in given.items() if value}
    return {"network_module": module, "network_args": shown or None}


def _as_argument(value: object) -> str:
    """As it is typed behind `--network_args key=`."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _train_values(spec: Spec) -> dict[str, Any]:
    train = spec.train
    has_rates = not sets_own_rate(train)
    text_encoder_lr = train.part_lr("text_encoder")
    return {
        "learning_rate": train.learning_rate if has_rates else None,
        "unet_lr": train.part_lr("unet") if spec.trains_unet and has_rates else None,
        "text_encoder_lr": text_encoder_lr if spec.trains_text_encoder and has_rates else None,
        "optimizer": _show_optimizer(train),
        # sd-scripts notes Adafactor's own rate so, with the learning rate that is not used
        "lr_scheduler": train.lr_scheduler if has_rates else f"adafactor:{train.learning_rate}",
        "lr_warmup_steps": train.lr_warmup_steps,
        "gradient_accumulation_steps": train.gradient_accumulation_steps,
        "gradient_checkpointing": train.gradient_checkpointing,
        "max_grad_norm": train.max_grad_norm,
        "mixed_precision": train.mixed_precision,
        "full_fp16": False,
        "seed": train.seed,
        "cache_latents": True,
        "loss_type": train.loss_type,
        "huber_schedule": train.huber_schedule,
        "huber_c": train.huber_c,
        "huber_scale": train.huber_scale,
        "min_snr_gamma": train.min_snr_gamma,
        "debiased_estimation": train.debiased_estimation_loss,
        "noise_offset": train.noise_offset,
        "noise_offset_random_strength": train.noise_offset_random_strength,
        "adaptive_noise_scale": train.adaptive_noise_scale,
        "multires_noise_iterations": train.multires_noise_iterations,
        "multires_noise_discount": train.multires_noise_discount,
        "ip_noise_gamma": train.ip_noise_gamma,
        "ip_noise_gamma_random_strength": train.ip_noise_gamma_random_strength,
        "zero_terminal_snr": spec.base.zero_terminal_snr,
        "prior_loss_weight": train.prior_loss_weight,
    }


def _show_optimizer(train: TrainTable) -> str:
    """`module.Class`, and `(k=v,…)` where it was given arguments."""
    arguments = ",".join(f"{key}={value}" for key, value in optimizer_arguments(train).items())
    path = find_optimizer(train.optimizer_type).class_path
    return f"{path}({arguments})" if arguments else path


def _dataset_values(spec: Spec, run: RunFacts) -> dict[str, Any]:
    dataset, prompt = spec.dataset, spec.prompt
    folder = f"{dataset.num_repeats}_{spec.project.trigger or spec.project.name}"
    buckets = {
        str(index): {"resolution": list(size), "count": count * dataset.num_repeats}
        for index, (size, count) in enumerate(run.bucket_counts.items())
    }
    return {
        "batch_size_per_device": dataset.batch_size,
        "total_batch_size": dataset.batch_size * spec.batches_per_step,
        "resolution": str(dataset.size),
        "color_aug": False,
        "flip_aug": dataset.flip_aug,
        "random_crop": False,
        "shuffle_caption": prompt.shuffle_caption,
        "keep_tokens": prompt.keep_tokens,
        "caption_dropout_rate": prompt.caption_dropout_rate,
        "caption_dropout_every_n_epochs": prompt.caption_dropout_every_n_epochs,
        "caption_tag_dropout_rate": prompt.caption_tag_dropout_rate,
        "enable_bucket": dataset.enable_bucket,
        "bucket_no_upscale": dataset.bucket_no_upscale,
        "min_bucket_reso": dataset.min_bucket_reso,
        "max_bucket_reso": dataset.max_bucket_reso,
        "bucket_info": {"buckets": buckets},
        "dataset_dirs": {folder: {"n_repeats": dataset.num_repeats, "img_count": run.num_images}},
        "reg_dataset_dirs": {
            name: {"n_repeats": 1, "img_count": num} for name, num in run.class_images.items()
        },
        "tag_frequency": {folder: count_tags(run.tags)},
    }


def count_tags(prompts: Sequence[Sequence[str]]) -> dict[str, int]:
    """How many images carry each tag: lower case and trimmed, as sd-scripts counts them."""
    return dict(Counter(tag.strip().lower() for tags in prompts for tag in tags if tag.strip()))


def _base_values(base: BaseFacts) -> dict[str, Any]:
    return {
        "sd_model_name": base.name,
        "sd_model_hash": base.legacy_hash or None,
        "new_sd_model_hash": base.sha256,
        "vae_name": base.vae_name or None,
        "new_vae_hash": base.vae_sha256 or None,
    }


def _modelspec(spec: Spec, card: FamilyCard, run: RunFacts, product: Product) -> dict[str, str]:
    """Stability AI's model metadata standard 1.0.1 (github.com/Stability-AI/ModelSpec)."""
    date = datetime.fromtimestamp(run.finished_at, UTC).replace(microsecond=0, tzinfo=None)
    names = card.names[_prediction(spec, card)]
    values = {
        "sai_model_spec": "1.0.1",
        "architecture": names.architecture.removesuffix("/lora") + _ARCHITECTURE_TAILS[product],
        "implementation": names.implementation if product == "lora" else _ORIGINAL_LAYOUT,
        "implementation_version": f"lorawiz/{lorawiz.__version__}",
        "title": spec.project.name,
        "resolution": "{}x{}".format(*spec.dataset.size),
        "date": date.isoformat(),
        "prediction_type": "v" if _prediction(spec, card) == "v_prediction" else "epsilon",
        "timestep_range": "0,1000",
        "encoder_layer": str(spec.base.clip_skip if card.reads_clip_skip else PENULTIMATE),
    }
    if spec.project.trigger:
        values["trigger_phrase"] = spec.project.trigger
    return {f"modelspec.{key}": value for key, value in values.items()}


def _as_text(value: Any) -> str:
    """As sd-scripts writes it: `str()`, and JSON for dicts."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _prediction(spec: Spec, card: FamilyCard) -> Prediction:
    return spec.base.prediction_type or card.prediction
