"""The learning rate over a run, against transformers' schedules."""

import pytest
import torch
from transformers import get_scheduler

from lorawiz.spec.document import build_spec
from lorawiz.spec.training import TrainTable
from lorawiz.train.optimizers import lr_factor, set_learning_rate, warmup_steps


@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warmup", [0, 5])
def test_schedules_are_those_of_transformers(name: str, warmup: int) -> None:
    table = TrainTable(lr_scheduler=name, lr_warmup_steps=float(warmup))  # type: ignore[arg-type]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = "constant_with_warmup" if name == "constant" else name
    scheduler = get_scheduler(theirs, optimizer, num_warmup_steps=warmup, num_training_steps=20)
    for step in range(1, 21):
        assert lr_factor(table, step, 20) == pytest.approx(
            optimizer.param_groups[0]["lr"], abs=1e-9
        )
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("setting", "steps"), [(0.0, 0), (0.05, 10), (0.999, 199), (1.0, 1), (30.0, 30)]
)
def test_a_warmup_below_one_is_a_share_of_all_steps(setting: float, steps: int) -> None:
    assert warmup_steps(TrainTable(lr_warmup_steps=setting), 200) == steps


def test_each_part_keeps_its_own_rate() -> None:
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "base_lr": 2.0},
        {"params": [torch.nn.Parameter(torch.zeros(1))], "base_lr": 1.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    assert set_learning_rate(optimizer, 0.5) == 1.0
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 0.5]


def test_the_spec_takes_whole_numbers_for_rates() -> None:
    assert build_spec({"train": {"lr_warmup_steps": 5}}).train.lr_warmup_steps == 5.0
