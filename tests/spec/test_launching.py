"""How processes and machines are counted."""

import pytest
from pydantic import ValidationError

from lorawiz.spec import Spec


def test_a_step_adds_up_the_batches_of_all_processes() -> None:
    launch = {"num_processes": 4, "num_machines": 2, "main_process_ip": "10.0.0.1"}
    spec = Spec.model_validate({"launch": launch, "train": {"gradient_accumulation_steps": 3}})
    assert (spec.batches_per_step, spec.launch.processes_here) == (12, 2)


@pytest.mark.parametrize(
    ("launch", "said"),
    [
        ({"num_processes": 3, "num_machines": 2, "main_process_ip": "a"}, "not a multiple"),
        ({"num_processes": 2, "num_machines": 2}, "set main_process_ip"),
    ],
)
def test_machines_that_cannot_meet_are_refused(launch: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Spec.model_validate({"launch": launch})
