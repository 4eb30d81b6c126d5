"""Foreign TOML: whatever it holds, one kind of error that says where."""

import tarfile
import tomllib
from pathlib import Path

import pytest

from lorawiz.errors import SpecError
from lorawiz.spec.document import edit_text, load_spec


@pytest.fixture(scope="module")
def documents(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toml")
    with tarfile.open(corpora / "toml.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "toml" / "tests"


def failure_of(path: Path) -> str:
    """What loading `path` as a spec says; empty when it loads."""
    try:
        load_spec(path)
    except SpecError as error:
        return error.message
    return ""


def test_invalid_documents_are_refused_with_their_line(documents: Path) -> None:
    paths = sorted((documents / "invalid").rglob("*.toml"))
    assert len(paths) > 400
    python_takes = []
    for path in paths:
        message = failure_of(path)
        assert message.startswith(f"{path.name}:"), f"{path}: {message!r}"
        assert "Traceback" not in message
        where = message.removeprefix(f"{path.name}:").split(":")[0]
        if "not valid TOML" not in message and "not UTF-8" not in message:
            # newer TOML than the test's: what is in it is no spec of ours all the same
            tomllib.loads(path.read_text("utf-8"))
            python_takes.append(path.name)
        else:
            assert where.isdigit(), message
    assert len(python_takes) <= 5, python_takes


def test_valid_documents_are_read_and_their_keys_judged(documents: Path) -> None:
    paths = sorted((documents / "valid").rglob("*.toml"))
    assert len(paths) > 150
    num_newer = 0
    for path in paths:
        message = failure_of(path)
        if "not valid TOML" in message:
            # documents of TOML 1.1, which Python's reader does not know yet
            with pytest.raises(tomllib.TOMLDecodeError):
                tomllib.loads(path.read_text("utf-8"))
            num_newer += 1
        elif message:
            assert message.startswith(path.name), f"{path}: {message!r}"
    assert num_newer < 20


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_an_edit_of_a_foreign_comment_keeps_it(ending: str) -> None:
    text = ending.join(["# mine", "schema = 1 # one", "[train] # t", "seed = 7 # lucky", ""])
    assert edit_text(text, {"train.seed": "8"}) == text.replace("seed = 7", "seed = 8")
