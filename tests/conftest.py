"""What holds for every test: no network, no home folder, one thread; bases built once."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TEXTUAL_ANIMATIONS"] = "none"

# the same examples at each run, so that red means changed; HYPOTHESIS_PROFILE=explore draws new ones
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the screens' text goldens anew"
    )


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's folders."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LORAWIZ_HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    for name in ("LORAWIZ_MODELS", "LORAWIZ_TEMPLATES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to another machine is an error."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: object) -> None:
        local = isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1", "localhost")
        if self.family != socket.AF_UNIX and not local:
            raise AssertionError(f"a test connects to {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SD1.5 of random weights as a diffusers folder."""
    from lorawiz.families.random_base import build_random_base, save_folder

    folder = tmp_path_factory.mktemp("base") / "tiny"
    save_folder(build_random_base("tiny", seed=0), folder)
    return folder


@pytest.fixture(scope="session")
def tiny_single_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as `tiny_base` as one file in the original layout."""
    from lorawiz.families.random_base import build_random_base
    from tests.support.ldm import save_single_file

    path = tmp_path_factory.mktemp("base") / "tiny.safetensors"
    save_single_file(build_random_base("tiny", seed=0), path)
    return path


@pytest.fixture(scope="session")
def corpora() -> Iterator[Path]:
    """The folder of foreign inputs; tests that need it skip where it is not."""
    folder = os.environ.get("LORAWIZ_TEST_CORPORA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LORAWIZ_TEST_CORPORA names no folder of foreign inputs")
    yield Path(folder)
