"""Checkpoints are found by name and recognised by content; pickles are never opened."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from lorawiz.errors import ModelError
from lorawiz.families.checkpoints import adopt_checkpoint, find_checkpoint, inspect_checkpoint
from lorawiz.paths import Project, model_sha256


def write_safetensors(path: Path, shapes: dict[str, list[int]]) -> Path:
    """A whole file of zeros with these shapes, in fp16."""
    header, offset = {}, 0
    for key, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[key] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    raw = json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(offset))
    return path


UNET = "model.diffusion_model.input_blocks.0.0.weight"
CONTEXT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
TEXT = "cond_stage_model.transformer.text_model.final_layer_norm.weight"


def test_a_single_file_is_recognised_by_its_shapes(tmp_path: Path) -> None:
    path = write_safetensors(
        tmp_path / "m.safetensors", {UNET: [320, 4, 3, 3], CONTEXT: [320, 768], TEXT: [768]}
    )
    found = inspect_checkpoint(path)
    assert (found.family, found.size, found.layout) == ("sd15", "full", "single")
    assert found.num_bytes == path.stat().st_size


def test_a_diffusers_folder_is_recognised(tiny_base: Path) -> None:
    found = inspect_checkpoint(tiny_base)
    assert (found.family, found.size, found.layout) == ("sd15", "tiny", "diffusers")


def test_a_lora_is_not_taken_for_a_base(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "l.safetensors", {"lora_unet_x.lora_down.weight": [1, 1]})
    with pytest.raises(ModelError, match="a LoRA, not a base checkpoint"):
        inspect_checkpoint(path)


@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors", "model.jpg"])
def test_a_pickle_is_refused_by_content_and_never_run(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", f"cos\nsystem\n(S'touch {canary}'\ntR.")
    with pytest.raises(ModelError, match="pickled checkpoint") as caught:
        inspect_checkpoint(path)
    assert "weights_only=True" in caught.value.hint
    assert not canary.exists()


@pytest.mark.parametrize("keep", [0, 4, 8, 20, 200, -1])
def test_every_truncation_is_refused(tmp_path: Path, keep: int) -> None:
    path = write_safetensors(
        tmp_path / "m.safetensors", {UNET: [320, 4, 3, 3], CONTEXT: [320, 768], TEXT: [768]}
    )
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"cut off|not a safetensors|promises"):
        inspect_checkpoint(path)


@pytest.mark.parametrize(
    "raw",
    [
        (2**63).to_bytes(8, "little") + b"{}",
        (101_000_000).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"\xff\xfe",
        (60).to_bytes(8, "little") + b'{"a":{"dtype":"F16","shape":[1],"data_offsets":[4,6]}}      ' + bytes(6),
        (60).to_bytes(8, "little") + b'{"a":{"dtype":"F16","shape":[1],"data_offsets":[0]}}        ' + bytes(6),
        (40).to_bytes(8, "little") + b"[" * 40,
    ],
)  # fmt: skip
def test_a_malformed_header_is_a_sentence(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(raw)
    with pytest.raises(ModelError):
        inspect_checkpoint(path)


def test_a_name_is_looked_up_in_the_project_then_in_lorawiz_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "p")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "m.safetensors").write_bytes(b"shared")
    monkeypatch.setenv("LORAWIZ_MODELS", os.pathsep.join([str(tmp_path / "none"), str(shared)]))
    assert find_checkpoint("m.safetensors", project) == shared / "m.safetensors"
    project.models.mkdir(parents=True)
    (project.models / "m.safetensors").write_bytes(b"own")
    assert find_checkpoint("m.safetensors", project) == project.models / "m.safetensors"


def test_a_missing_name_lists_the_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="models") as caught:
        find_checkpoint("m.safetensors", Project(tmp_path))
    assert "m.safetensors: no such model" in caught.value.message


def test_a_hub_id_that_is_not_here_names_the_files_to_get(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not on this machine") as caught:
        find_checkpoint("someone/some-model", Project(tmp_path))
    assert "models/someone/some-model/" in caught.value.hint
    assert "text_encoder/" in caught.value.hint


def test_adopting_a_path_links_it_and_gives_its_hash(tmp_path: Path, tiny_base: Path) -> None:
    project = Project(tmp_path)
    name, sha256 = adopt_checkpoint(str(tiny_base), project)
    assert name == tiny_base.name
    assert (project.models / name).resolve() == tiny_base.resolve()
    assert sha256 == model_sha256(tiny_base)


def test_adopting_another_file_of_the_same_name_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    project = Project(tmp_path)
    (project.models / tiny_base.name).mkdir(parents=True)
    with pytest.raises(ModelError, match="is there already"):
        adopt_checkpoint(str(tiny_base), project)
