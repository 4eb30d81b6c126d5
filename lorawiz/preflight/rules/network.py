"""Rules on what is trained: layers, blocks, and the LoRA that training goes on from."""

from collections.abc import Iterator
from importlib.util import find_spec

from lorawiz.errors import ModelError, visible_text
from lorawiz.loras.layout import find_idle_patterns, find_wrong_lengths
from lorawiz.loras.reading import LoraFile, find_misfit
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import by_hand, set_all, set_to, unset
from lorawiz.preflight.inspection import Inspection
from lorawiz.spec.memory_settings import STORED_KINDS


@rule("stored-weights-refused", "error")
def find_refused_storage(at: Inspection) -> Iterator[Problem]:
    """dora, loha, lokr and oft compute with the base's weights themselves, which few bits have not;
    full fine-tuning trains them."""
    train, kind = at.spec.train, at.spec.network.kind
    for key in ("fp8_base", "nf4_base"):
        if getattr(train, key) and kind not in (*STORED_KINDS, "none"):
            yield Problem(
                f"{key} with network.kind = {kind}",
                set_to(f"train.{key}", False) | set_to("network.kind", "lora"),
                f"train.{key}",
            )


@rule("stored-weights-missing", "error", "machine")
def find_missing_storage(at: Inspection) -> Iterator[Problem]:
    """nf4 is bitsandbytes' format."""
    if at.spec.train.nf4_base and find_spec("bitsandbytes") is None:
        yield Problem(
            "nf4_base needs bitsandbytes, which is not installed here",
            set_all({"train.nf4_base": "false", "train.fp8_base": "true"})
            | by_hand(
                "pip install 'lorawiz[cuda]'", "a program does not replace itself while it runs"
            ),
            "train.nf4_base",
        )


@rule("block-list-length", "error")
def find_wrong_block_lists(at: Inspection) -> Iterator[Problem]:
    """A list with a number for each block has to have as many as the base has blocks."""
    for key, expected in find_wrong_lengths(at.spec.network, at.family):
        given = len(getattr(at.spec.network, key))
        yield Problem(
            f"{key} has {given} numbers, and {at.family} has {expected} of these blocks",
            unset(f"network.{key}") | by_hand(f"give {expected} numbers", "only you know which"),
            f"network.{key}",
        )


@rule("target-idle", "error")
def find_idle_targets(at: Inspection) -> Iterator[Problem]:
    """A pattern that fits no layer is a typing error: nothing, or too much, would be trained."""
    for pattern in find_idle_patterns(at.spec.network, at.layers):
        yield Problem(
            f"targets: {visible_text(pattern)} fits no layer of {at.family}; names look like "
            f"{at.layers[0].key}",
            unset("network.targets"),
            "network.targets",
        )


@rule("network-empty", "error")
def find_empty_network(at: Inspection) -> Iterator[Problem]:
    """Ranks of 0, learning rates of 0 and targets may leave nothing to train."""
    if not at.spec.network.has_adapter:
        return
    is_sound = not find_wrong_lengths(at.spec.network, at.family)
    if is_sound and not at.placed and not isinstance(at.weights, ModelError):
        yield Problem(
            "no layer is left to train: see targets, block_dims and the lr_weights",
            unset(*(f"network.{key}" for key in _LEAVING_OUT if getattr(at.spec.network, key))),
            "network",
        )


_LEAVING_OUT = (
    "targets", "block_dims", "conv_block_dims", "down_lr_weight", "mid_lr_weight", "up_lr_weight",
    "block_lr_zero_threshold",
)  # fmt: skip


@rule("network-setting-idle", "warning")
def find_idle_settings(at: Inspection) -> Iterator[Problem]:
    """Settings of blocks and convolutions do nothing where there are no ranks for them."""
    table = at.spec.network
    needs = {
        "block_alphas": bool(table.block_dims),
        "conv_block_alphas": bool(table.conv_block_dims),
        "conv_alpha": table.reaches_convolutions,
        "block_lr_zero_threshold": any(
            (table.down_lr_weight, table.mid_lr_weight, table.up_lr_weight)
        ),
    }
    for key, is_used in needs.items():
        if getattr(table, key) and not is_used:
            yield Problem(
                f"{key} has no effect without {_NEEDED[key]}",
                unset(f"network.{key}"),
                f"network.{key}",
            )


_NEEDED = {
    "block_alphas": "block_dims",
    "conv_block_alphas": "conv_block_dims",
    "conv_alpha": "conv_dim",
    "block_lr_zero_threshold": "down_lr_weight, mid_lr_weight or up_lr_weight",
}


@rule("weights-unusable", "error", "machine")
def find_unusable_weights(at: Inspection) -> Iterator[Problem]:
    """The LoRA to go on from must be there, and be one of this network."""
    if isinstance(at.weights, ModelError):
        fix = unset("network.weights") | by_hand("name another file", "only you know which")
        yield Problem(at.weights.message, fix, "network.weights")
    elif isinstance(at.weights, LoraFile):
        misfit = find_misfit(at.spec.network, at.placed, at.weights)
        if misfit:
            fix = unset("network.weights")
            fix = set_to(*misfit.setting) | fix if misfit.setting else fix
            yield Problem(misfit.message, fix, "network.weights")
