"""Rules on what is trained: settings of one kind that another does not read."""

from collections.abc import Iterator

from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import set_to, unset
from lorawiz.preflight.inspection import Inspection

_LORA_KEYS = ("dim", "alpha", "dropout")


@rule("lora-settings-idle", "info")
def find_idle_lora_settings(at: Inspection) -> Iterator[Problem]:
    """Full fine-tuning changes the base itself: there is no rank, and nothing to scale."""
    network = at.spec.network
    idle = [key for key in _LORA_KEYS if key in network.model_fields_set]
    if idle and network.kind != "lora":
        yield Problem(
            f"{', '.join(idle)} without effect: network.kind = {network.kind!r}",
            unset(*(f"network.{key}" for key in idle)) | set_to("network.kind", "lora"),
            f"network.{idle[0]}",
        )


@rule("save-model-as-idle", "warning")
def find_idle_model_format(at: Inspection) -> Iterator[Problem]:
    """Only whole models can be diffusers folders; a LoRA is one file, which diffusers reads."""
    train = at.spec.train
    if train.save_model_as != "safetensors" and not at.spec.trains_full:
        yield Problem(
            f"save_model_as = {train.save_model_as!r} has no effect: a LoRA is one file",
            unset("train.save_model_as") | set_to("network.kind", "full"),
            "train.save_model_as",
        )
