"""Optimizer and schedule tried out on one small matrix, before anything is loaded or cached.

`python -m lorawiz.train.trial` does it for `lorawiz check`: a spec on stdin, what is wrong with
it on the last line of stdout, as JSON.
"""

import json
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lorawiz.errors import LorawizError
from lorawiz.spec.document import build_spec
from lorawiz.spec.tables import Spec
from lorawiz.train.arguments import MISUSE, misuse
from lorawiz.train.network import find_lr_ratio
from lorawiz.train.optimizers import averaged_weights, make_optimizer
from lorawiz.train.rates import build_rates, effective_rate
from lorawiz.train.state import pack_optimizer
from lorawiz.train.trained import LearningGroup, Part

_SIDE = 64
"""64 × 64 is the smallest matrix that bitsandbytes keeps in 8 bits."""


def try_optimizer(spec: Spec, total_steps: int, device: torch.device) -> None:
    """Make two steps as the run would, and pack the state. Raises RunError for what is wrong."""
    groups = [
        LearningGroup(part, lr_weight, [nn.Parameter(torch.ones(_SIDE, _SIDE, device=device))])
        for part, lr_weight in _iter_rates(spec)
    ]
    weights = [group.weights[0] for group in groups]
    optimizer = make_optimizer(spec.train, groups, spec.textual_inversion.learning_rate)
    rates = build_rates(spec.train, optimizer, total_steps)
    for step in (1, 2):
        with _saying("train.lr_scheduler", spec.train.lr_scheduler):
            rates.set_rates(step)
        for weight in weights:
            weight.grad = torch.full_like(weight, 1e-3)
        with _saying("train.optimizer_args", spec.train.optimizer_type):
            optimizer.step()
            effective_rate(optimizer)
    with averaged_weights(optimizer):
        pack_optimizer({str(at): weight for at, weight in enumerate(weights)}, optimizer, rates)


def _iter_rates(spec: Spec) -> Iterator[tuple[Part, float]]:
    """Each part that is trained, with what multiplies its learning rate."""
    trained: dict[Part, bool] = {
        "unet": spec.trains_unet, "text_encoder": spec.trains_text_encoder,
        "textual_inversion": spec.trains_token,
    }  # fmt: skip
    for part in (part for part, is_trained in trained.items() if is_trained):
        # some optimizers take one rate alone: two groups of it are one rate still
        ratio = 1.0 if part == "textual_inversion" else find_lr_ratio(spec.network, part)
        yield from ((part, weight) for weight in sorted({1.0, ratio}))


@contextmanager
def _saying(key: str, name: str) -> Iterator[None]:
    try:
        yield
    except MISUSE as error:
        raise misuse(key, name, error, ()) from error


def main() -> None:
    spec = build_spec(tomllib.loads(sys.stdin.read()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = {}
    try:
        try_optimizer(spec, int(sys.argv[1]), device)
    except LorawizError as error:
        found = {"message": error.message, "hint": error.hint}
    # libraries print as they please: the answer is a line of its own
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
