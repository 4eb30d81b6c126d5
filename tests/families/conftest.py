"""The tiny base of each family, built once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lorawiz.families import FAMILIES, load_adapter
from lorawiz.families.adapter import Adapter
from lorawiz.families.checkpoints import Checkpoint, inspect_checkpoint
from lorawiz.families.random_base import build_random_base, save_folder
from tests.support.ldm import save_single_file


@dataclass(frozen=True)
class TinyFamily:
    """A family with its tiny base in memory, as a diffusers folder and as a single file."""

    name: str
    adapter: Adapter
    parts: dict[str, Any]
    folder: Path
    single_file: Path

    @property
    def checkpoints(self) -> tuple[Checkpoint, Checkpoint]:
        return inspect_checkpoint(self.folder), inspect_checkpoint(self.single_file)


@pytest.fixture(scope="session", params=sorted(FAMILIES))
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TinyFamily:
    """Runs a test once for each family."""
    return _build(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory: pytest.TempPathFactory) -> TinyFamily:
    return _build("sdxl", tmp_path_factory.mktemp("sdxl"))


def _build(family: str, folder: Path) -> TinyFamily:
    parts = build_random_base("tiny", seed=0, family=family)
    save_folder(parts, folder / "tiny")
    save_single_file(parts, folder / "tiny.safetensors", family=family)
    return TinyFamily(
        family, load_adapter(family), parts, folder / "tiny", folder / "tiny.safetensors"
    )
