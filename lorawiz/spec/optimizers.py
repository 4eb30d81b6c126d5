"""The optimizers that a spec may name: sd-scripts' names, and what is known of each.

Plain data, read by the check before a run, by the trainer and by the LoRA's metadata. A dotted
path of any other class is an optimizer of which nothing is known.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lorawiz.spec.training import TrainTable

Rates = tuple[str, float, float]
"""The learning rate to begin with, as it is typed, and the lowest and highest that are usual."""


@dataclass(frozen=True)
class Optimizer:
    """One optimizer, without its code."""

    class_path: str
    """The class by the module that defines it, as sd-scripts writes it into metadata."""
    extra: str
    """lorawiz's extra that brings its package."""
    state_bytes: float
    """What it keeps for each trained parameter in fp32, about."""
    rates: Rates | None = None
    """None: not known."""
    adapts_rate: bool = False
    """It finds its rate itself, one for all parts; the learning rate multiplies it."""
    is_schedule_free: bool = False
    """It averages its weights in place of a schedule, and draws and saves with the average."""
    refuses_zero_rate: bool = False
    """Its first step divides by the rate, which a warm-up lets begin at 0."""
    for_cuda: bool = False
    """Made for an NVIDIA GPU."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that make it what its name says."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that sd-scripts gives where the user gives none."""

    @property
    def package(self) -> str:
        """The top-level package that its class is imported from."""
        return self.class_path.partition(".")[0]


_ADAM: Rates = ("1e-4", 1e-6, 2e-3)
_LION: Rates = ("2e-5", 1e-7, 5e-4)
_SGD: Rates = ("1e-2", 1e-5, 2.0)
_FREE: Rates = ("5e-4", 1e-6, 1e-2)
_OWN: Rates = ("1.0", 0.2, 5.0)
_NESTEROV: dict[str, Any] = {"fixed": {"nesterov": True}, "defaults": {"momentum": 0.9}}
_DADAPT, _BNB = "dadaptation", "bitsandbytes.optim"

OPTIMIZERS: dict[str, Optimizer] = {
    "AdamW": Optimizer("torch.optim.adamw.AdamW", "train", 8, _ADAM),
    "AdamW8bit": Optimizer(f"{_BNB}.adamw.AdamW8bit", "cuda", 2.1, _ADAM, for_cuda=True),
    "PagedAdamW": Optimizer(f"{_BNB}.adamw.PagedAdamW", "cuda", 8, _ADAM, for_cuda=True),
    "PagedAdamW8bit": Optimizer(f"{_BNB}.adamw.PagedAdamW8bit", "cuda", 2.1, _ADAM, for_cuda=True),
    "PagedAdamW32bit": Optimizer(f"{_BNB}.adamw.PagedAdamW32bit", "cuda", 8, _ADAM, for_cuda=True),
    "Lion": Optimizer("lion_pytorch.lion_pytorch.Lion", "optimizers", 4, _LION),
    "Lion8bit": Optimizer(f"{_BNB}.lion.Lion8bit", "cuda", 1.1, _LION, for_cuda=True),
    "PagedLion8bit": Optimizer(f"{_BNB}.lion.PagedLion8bit", "cuda", 1.1, _LION, for_cuda=True),
    "SGDNesterov": Optimizer("torch.optim.sgd.SGD", "train", 4, _SGD, **_NESTEROV),
    "SGDNesterov8bit": Optimizer(
        f"{_BNB}.sgd.SGD8bit", "cuda", 1.1, _SGD, for_cuda=True, **_NESTEROV
    ),
    "DAdaptation": Optimizer(
        f"{_DADAPT}.experimental.dadapt_adam_preprint.DAdaptAdamPreprint",
        "optimizers", 12, _OWN, adapts_rate=True,
    ),
    "DAdaptAdamPreprint": Optimizer(
        f"{_DADAPT}.experimental.dadapt_adam_preprint.DAdaptAdamPreprint",
        "optimizers", 12, _OWN, adapts_rate=True,
    ),
    "DAdaptAdaGrad": Optimizer(
        f"{_DADAPT}.dadapt_adagrad.DAdaptAdaGrad", "optimizers", 12, _OWN, adapts_rate=True
    ),
    "DAdaptAdam": Optimizer(
        f"{_DADAPT}.dadapt_adam.DAdaptAdam", "optimizers", 12, _OWN, adapts_rate=True
    ),
    "DAdaptAdan": Optimizer(
        f"{_DADAPT}.dadapt_adan.DAdaptAdan", "optimizers", 20, _OWN, adapts_rate=True
    ),
    "DAdaptAdanIP": Optimizer(
        f"{_DADAPT}.experimental.dadapt_adan_ip.DAdaptAdanIP",
        "optimizers", 20, _OWN, adapts_rate=True,
    ),
    "DAdaptLion": Optimizer(
        f"{_DADAPT}.dadapt_lion.DAdaptLion", "optimizers", 8, _OWN, adapts_rate=True
    ),
    "DAdaptSGD": Optimizer(
        f"{_DADAPT}.dadapt_sgd.DAdaptSGD",
        "optimizers", 12, _OWN, adapts_rate=True, refuses_zero_rate=True,
    ),
    "Prodigy": Optimizer("prodigyopt.prodigy.Prodigy", "optimizers", 16, _OWN, adapts_rate=True),
    "AdaFactor": Optimizer(
        "transformers.optimization.Adafactor", "train", 0.5, _ADAM, defaults={"relative_step": True}
    ),
    "AdamWScheduleFree": Optimizer(
        "schedulefree.adamw_schedulefree.AdamWScheduleFree",
        "optimizers", 8, _FREE, is_schedule_free=True,
    ),
    "RAdamScheduleFree": Optimizer(
        "schedulefree.radam_schedulefree.RAdamScheduleFree",
        "optimizers", 8, _FREE, is_schedule_free=True,
    ),
    "SGDScheduleFree": Optimizer(
        "schedulefree.sgd_schedulefree.SGDScheduleFree",
        "optimizers", 4, ("1.0", 1e-4, 10.0), is_schedule_free=True,
    ),
}  # fmt: skip
"""By sd-scripts' name."""


def find_optimizer(name: str) -> Optimizer:
    """The optimizer behind `train.optimizer_type`; a dotted path is counted as Adam's size."""
    return OPTIMIZERS.get(name) or Optimizer(name, "", 8)


def find_name(given: str, known: Mapping[str, object], what: str, example: str) -> str:
    """The known name that `given` is but for its case, or `given` itself where it is dotted.

    Raises ValueError with the nearest name.
    """
    by_lower = {name.lower(): name for name in known}
    if (name := by_lower.get(given.lower())) is not None:
        return name
    if len(parts := given.split(".")) > 1 and all(part.isidentifier() for part in parts):
        return given
    nearest = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.6)
    if nearest:
        raise ValueError(f"no {what} is called {given!r}; did you mean {by_lower[nearest[0]]}?")
    names = ", ".join(known)
    raise ValueError(f"no {what} is called {given!r}: {names}, or a class such as {example}")


def is_missing(optimizer: Optimizer) -> bool:
    """Whether its package is not installed here; nothing is imported."""
    try:
        return find_spec(optimizer.package) is None
    except ValueError:  # of the program itself
        return True


def optimizer_arguments(train: "TrainTable") -> dict[str, Any]:
    """What the class is given beside weights and rates: sd-scripts' defaults, then the spec's.

    Lists become tuples, as `betas` wants them.
    """
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in train.optimizer_args.items()}
    return {**find_optimizer(train.optimizer_type).defaults, **given}


def sets_own_rate(train: "TrainTable") -> bool:
    """Whether Adafactor's relative step takes the place of learning rates and schedule."""
    return train.optimizer_type == "AdaFactor" and bool(optimizer_arguments(train)["relative_step"])
