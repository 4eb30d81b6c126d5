"""Rules on the images that are held out of training."""

from collections.abc import Iterator

from lorawiz.dataset.holdout import split_records
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import Fix, set_to, unset
from lorawiz.preflight.inspection import Inspection
from lorawiz.wording import show_count

_KEYS = ("validation.every_n_epochs", "validation.every_n_steps")
_NUM_SEEDS = 100
"""Among so many seeds there is nearly always one that holds out what the split says."""
_MOST_IMAGES = 10_000
"""With more, every seed does; and hashing them so often would take long."""


@rule("validation-empty", "warning")
def find_empty_validation(at: Inspection) -> Iterator[Problem]:
    """Each image is drawn for itself, so that a small share of few images can be none at all."""
    table = at.spec.validation
    if table.split > 0 and at.records and not at.split.held_out:
        yield Problem(
            f"validation.split = {table.split:g} holds out none of "
            f"{show_count(len(at.records), 'image')}",
            _find_better_seed(at) | unset("validation.split"),
            "validation.split",
        )


@rule("validation-too-much", "warning")
def find_too_much_validation(at: Inspection) -> Iterator[Problem]:
    """Each image is drawn for itself, so that of few images much more than the share can be held
    out: what is held out is not learnt."""
    table = at.spec.validation
    num_wanted, num = table.split * len(at.records), len(at.split.held_out)
    if num > 1.5 * num_wanted and num >= num_wanted + 2:
        yield Problem(
            f"{num} of {show_count(len(at.records), 'image')} are held out; "
            f"validation.split = {table.split:g} means about {max(1, round(num_wanted))}",
            _find_better_seed(at) | set_to("validation.split", f"{table.split / 2:g}"),
            "validation.split",
        )


@rule("validation-never", "warning")
def find_unmeasured_validation(at: Inspection) -> Iterator[Problem]:
    """Held-out images that are measured at the end alone cannot show when learning turned into
    memorising."""
    table = at.spec.validation
    if table.split > 0 and not (table.every_n_epochs or table.every_n_steps):
        yield Problem(
            f"validation.split = {table.split:g}, but no interval: measured at the end alone",
            set_to("validation.every_n_epochs", 1) | unset("validation.split"),
            "validation.split",
        )


@rule("validation-idle", "warning")
def find_idle_validation(at: Inspection) -> Iterator[Problem]:
    """Without held-out images there is nothing to measure."""
    table = at.spec.validation
    idle = [key for key in _KEYS if getattr(table, key.partition(".")[2])]
    if table.split == 0 and idle:
        yield Problem(
            f"{' and '.join(idle)} without effect: validation.split is 0",
            set_to("validation.split", 0.1) | unset(*idle),
            idle[0],
        )


def _find_better_seed(at: Inspection) -> Fix:
    """A seed that holds out as many images as the split says."""
    table, records = at.spec.validation, at.records
    num_wanted = max(1, round(table.split * len(records)))
    seeds = range(_NUM_SEEDS) if len(records) <= _MOST_IMAGES else range(0)
    for seed in seeds:
        changed = {"validation": table.model_copy(update={"seed": seed})}
        split = split_records(at.spec.model_copy(update=changed), records)
        if len(split.held_out) == num_wanted and split.trained:
            return set_to("validation.seed", seed)
    return Fix(())
