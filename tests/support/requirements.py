"""Programs of the system that some tests need: without one they skip, or fail where it must be."""

import os
import shutil

import pytest

REQUIRE_VARIABLE = "LORAWIZ_TEST_REQUIRE"
"""A list such as `ssh,browser`: what the machine has to have."""


def need_program(what: str, *names: str) -> str:
    """The path of the first program that is there; else the test is skipped, or fails."""
    for name in names:
        path = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
        if path is not None:
            return path
    reason = f"{what} needs {' or '.join(names)}, which this machine lacks"
    if what in os.environ.get(REQUIRE_VARIABLE, "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)
