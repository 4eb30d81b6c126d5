"""Steering a run: a request is a file in control/, which the trainer takes away.

The trainer looks after each step, and while it is paused. It answers each request in the journal:
`stop` by `end`, `pause` and `resume` by events of their names, `save` by `save`, `sample` by one
`sample` a prompt; or by a `warning` with the request's name that says why not.
"""

import os
from typing import Literal, cast, get_args

from lorawiz.runs.folder import RunFolder

Request = Literal["stop", "pause", "resume", "save", "sample"]
_REQUESTS = frozenset(get_args(Request))
_OPPOSITES: dict[Request, Request] = {"pause": "resume", "resume": "pause"}


def request(run: RunFolder, what: Request) -> None:
    """Ask the trainer for something; it acts after its present step. Raises OSError.

    Of `pause` and `resume` the later one counts.
    """
    run.control.mkdir(exist_ok=True)
    if what in _OPPOSITES:
        take_request(run, _OPPOSITES[what])
    (run.control / what).touch()


def list_requests(run: RunFolder) -> frozenset[Request]:
    """What is asked for and not yet taken up."""
    try:
        names = os.listdir(run.control)  # noqa: PTH208 - once a step: no Path a file
    except OSError:
        return frozenset()
    return frozenset(cast(Request, name) for name in names if name in _REQUESTS)


def take_request(run: RunFolder, what: Request) -> bool:
    """Whether `what` was asked for; the request is then gone. For the trainer."""
    try:
        (run.control / what).unlink()
    except FileNotFoundError:
        return False
    return True


def clear_requests(run: RunFolder) -> None:
    """Forget what was asked of an earlier life of the run."""
    if run.control.is_dir():
        for path in run.control.iterdir():
            path.unlink(missing_ok=True)
