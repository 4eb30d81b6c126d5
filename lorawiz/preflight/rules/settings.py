"""Rules on settings that work against each other or do nothing."""

from collections.abc import Iterator, Sequence

from lorawiz.families import FAMILIES
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import set_all, set_to, unset
from lorawiz.preflight.inspection import Inspection

LOW_SCALE = 0.25
LOW_RESOLUTION = 0.6
"""Of the side that the family's bases were trained at; SD2's smaller bases have two thirds."""


@rule("alpha-scale", "warning")
def find_odd_scale(at: Inspection) -> Iterator[Problem]:
    """The LoRA is scaled by alpha / dim: far from 1 it learns much slower or faster than the
    learning rate says. (sd-scripts' silent default is 1 / 4.)"""
    network = at.spec.network
    if not network.has_adapter:
        return
    scale = network.alpha / network.dim
    if scale <= LOW_SCALE or scale > 2:
        yield Problem(
            f"alpha {network.alpha:g} / dim {network.dim} scales the LoRA by {scale:.3g}",
            set_to("network.alpha", f"{network.dim / 2:g}"),
            "network.alpha",
        )


@rule("learning-rate-idle", "warning")
def find_idle_learning_rate(at: Inspection) -> Iterator[Problem]:
    """A learning rate for a part that is not trained does nothing."""
    train, network = at.spec.train, at.spec.network
    if network.kind == "none":
        idle = [key for key in ("unet_lr", "text_encoder_lr") if getattr(train, key) is not None]
        if idle:
            yield Problem(
                f"{', '.join(idle)} without effect: network.kind = 'none'",
                unset(*(f"train.{key}" for key in idle)),
                f"train.{idle[0]}",
            )
        return
    if network.train_unet_only and train.text_encoder_lr is not None:
        yield Problem(
            "text_encoder_lr has no effect: train_unet_only is on",
            unset("train.text_encoder_lr"),
            "train.text_encoder_lr",
        )
    if network.train_text_encoder_only and train.unet_lr is not None:
        yield Problem(
            "unet_lr has no effect: train_text_encoder_only is on",
            unset("train.unet_lr"),
            "train.unet_lr",
        )


@rule("clip-skip-idle", "warning")
def find_idle_clip_skip(at: Inspection) -> Iterator[Problem]:
    """SDXL always reads the last layer but one of its text encoders, as in sd-scripts."""
    if at.spec.base.clip_skip > 1 and not FAMILIES[at.family].reads_clip_skip:
        yield Problem(
            f"clip_skip has no effect with {at.family}", unset("base.clip_skip"), "base.clip_skip"
        )


@rule("bucket-settings-idle", "info")
def find_idle_bucket_settings(at: Inspection) -> Iterator[Problem]:
    """Bucket sizes are read only where enable_bucket is on."""
    table = at.spec.dataset
    idle = [
        key
        for key in ("min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")
        if key in table.model_fields_set
    ]
    if idle and not table.enable_bucket and not _all_default(at, idle):
        yield Problem(
            f"{', '.join(idle)} without effect: enable_bucket is off",
            set_to("dataset.enable_bucket", True) | unset(*(f"dataset.{key}" for key in idle)),
            "dataset.enable_bucket",
        )


@rule("resolution-not-divisible", "error")
def find_odd_resolution(at: Inspection) -> Iterator[Problem]:
    """The VAE makes one latent cell of 8×8 pixels, and the U-Net halves them three times, or
    twice in SDXL."""
    (width, height), multiple = at.spec.dataset.size, FAMILIES[at.family].side_multiple
    if not at.spec.dataset.enable_bucket and (width % multiple or height % multiple):
        fitting = [max(64, side // multiple * multiple) for side in (width, height)]
        yield Problem(
            f"resolution {width}×{height} is not a multiple of {multiple}, and enable_bucket is off",
            set_to("dataset.resolution", fitting),
            "dataset.resolution",
        )


@rule("resolution-low", "warning")
def find_low_resolution(at: Inspection) -> Iterator[Problem]:
    """A base draws what it was trained to draw: far below its own size it breaks apart."""
    if not isinstance(at.base, Checkpoint) or at.base.size != "full":
        return
    (width, height), card = at.spec.dataset.size, FAMILIES[at.family]
    if width * height < (LOW_RESOLUTION * card.resolution) ** 2:
        longest = max(at.spec.dataset.max_bucket_reso, card.resolution)
        yield Problem(
            f"resolution {width}×{height}: {card.title} was trained at "
            f"{card.resolution}×{card.resolution}",
            set_all({"dataset.resolution": card.resolution, "dataset.max_bucket_reso": longest}),
            "dataset.resolution",
        )


@rule("bucket-steps-odd", "error")
def find_odd_bucket_steps(at: Inspection) -> Iterator[Problem]:
    """Buckets must be multiples of 64 pixels, in SDXL of 32, as in sd-scripts."""
    table, multiple = at.spec.dataset, FAMILIES[at.family].side_multiple
    odd = [
        key for key in ("bucket_reso_steps", "min_bucket_reso") if getattr(table, key) % multiple
    ]
    if table.enable_bucket and odd:
        yield Problem(
            f"buckets of {table.min_bucket_reso} px in steps of {table.bucket_reso_steps} are not "
            f"multiples of {multiple}",
            set_all(
                {
                    f"dataset.{key}": max(multiple, getattr(table, key) // multiple * multiple)
                    for key in odd
                }
            ),
            "dataset.bucket_reso_steps",
        )


def _all_default(at: Inspection, keys: Sequence[str]) -> bool:
    table = at.spec.dataset
    return all(getattr(table, key) == type(table).model_fields[key].default for key in keys)
