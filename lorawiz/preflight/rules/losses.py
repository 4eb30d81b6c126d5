"""Rules on noise and loss: settings that contradict the base, and settings that do nothing."""

from collections.abc import Iterator

from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import run, set_to, unset
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.rules.words import name_some

_NEEDS = {
    "noise_offset_random_strength": "noise_offset",
    "adaptive_noise_scale": "noise_offset",
    "multires_noise_discount": "multires_noise_iterations",
    "ip_noise_gamma_random_strength": "ip_noise_gamma",
    "unmasked_weight": "masked_loss",
}
"""Settings that are read only where the other is set."""
_HUBER_KEYS = ("huber_schedule", "huber_c", "huber_scale")


@rule("loss-prediction", "error")
def find_contradicting_prediction(at: Inspection) -> Iterator[Problem]:
    """Some losses are made for bases that predict noise, others for those that predict velocity;
    from pure noise, as zero terminal SNR has it, noise itself teaches nothing."""
    train, base = at.spec.train, at.resolved_base
    predicts_noise = base.prediction_type == "epsilon"
    if predicts_noise and train.scale_v_pred_loss_like_noise_pred:
        yield Problem(
            "scale_v_pred_loss_like_noise_pred is for a v-prediction base",
            unset("train.scale_v_pred_loss_like_noise_pred")
            | set_to("base.prediction_type", "v_prediction"),
            "train.scale_v_pred_loss_like_noise_pred",
        )
    if not predicts_noise and train.v_pred_like_loss is not None:
        yield Problem(
            "v_pred_like_loss is for a base that predicts noise",
            unset("train.v_pred_like_loss"),
            "train.v_pred_like_loss",
        )
    if predicts_noise and base.zero_terminal_snr:
        yield Problem(
            "zero_terminal_snr with a base that predicts noise",
            set_to("base.prediction_type", "v_prediction") | unset("base.zero_terminal_snr"),
            "base.zero_terminal_snr",
        )


@rule("loss-setting-idle", "warning")
def find_idle_loss_settings(at: Inspection) -> Iterator[Problem]:
    """A setting that is read only beside another does nothing alone."""
    train = at.spec.train
    for key, needed in _NEEDS.items():
        is_default = getattr(train, key) == type(train).model_fields[key].default
        if not is_default and not getattr(train, needed):
            yield Problem(
                f"{key} has no effect: {needed} is not set", unset(f"train.{key}"), f"train.{key}"
            )
    if train.loss_type in ("huber", "smooth_l1"):
        return
    for key in _HUBER_KEYS:
        if getattr(train, key) != type(train).model_fields[key].default:
            yield Problem(
                f"{key} has no effect with loss_type = {train.loss_type}",
                unset(f"train.{key}"),
                f"train.{key}",
            )


@rule("masked-loss-idle", "warning")
def find_idle_masked_loss(at: Inspection) -> Iterator[Problem]:
    """Only a mask tells the subject from what is around it: an image without one counts everywhere,
    and a weight of 1 makes no difference."""
    train = at.spec.train
    if not train.masked_loss:
        return
    bare = [record.image_path for record in at.records if not record.mask]
    if bare:
        yield Problem(
            f"train.masked_loss is on, but no mask for {name_some(bare)}",
            run("cutout") | set_to("train.masked_loss", False),
            "train.masked_loss",
        )
    if train.unmasked_weight == 1:
        yield Problem(
            "train.masked_loss has no effect with unmasked_weight = 1",
            unset("train.unmasked_weight") | set_to("train.masked_loss", False),
            "train.unmasked_weight",
        )


@rule("loss-weights-twice", "warning")
def find_two_weightings(at: Inspection) -> Iterator[Problem]:
    """min-SNR and the debiased estimate weigh the same noise levels: together they multiply."""
    train = at.spec.train
    if train.min_snr_gamma is not None and train.debiased_estimation_loss:
        yield Problem(
            "min_snr_gamma and debiased_estimation_loss are both on",
            unset("train.debiased_estimation_loss"),
            "train.debiased_estimation_loss",
        )


@rule("noise-offset-strong", "warning")
def find_strong_offset(at: Inspection) -> Iterator[Problem]:
    """Beyond about 0.2 a noise offset teaches flat colours in place of the subject."""
    offset = at.spec.train.noise_offset
    if offset is not None and offset > 0.2:
        yield Problem(
            f"noise_offset = {offset:g}, far from the usual 0.05 to 0.1",
            set_to("train.noise_offset", "0.05"),
            "train.noise_offset",
        )
