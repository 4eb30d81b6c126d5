"""Steering a run: a request is a file in control/, which the trainer takes away."""

from typing import Literal

from lorawiz.runs.folder import RunFolder

Request = Literal["stop"]


def request(run: RunFolder, what: Request) -> None:
    """Ask the trainer for something; it acts after its present step."""
    run.control.mkdir(exist_ok=True)
    (run.control / what).touch()


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
