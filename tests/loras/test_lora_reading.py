"""What a LoRA file says of itself, and whether training can go on from it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lorawiz.errors import ModelError
from lorawiz.loras.layout import Layer, Placed
from lorawiz.loras.reading import find_misfit, read_lora
from lorawiz.spec.network import Kind, NetworkTable

KEY = "lora_unet_mid_block_attentions_0_proj_in"
FILES: dict[Kind, dict[str, tuple[int, ...]]] = {
    "lora": {"lora_down.weight": (4, 8), "lora_up.weight": (6, 4)},
    "dora": {"lora_down.weight": (4, 8), "lora_up.weight": (6, 4), "dora_scale": (1, 8)},
    "loha": {"hada_w1_a": (6, 4), "hada_w1_b": (4, 8), "hada_w2_a": (6, 4), "hada_w2_b": (4, 8)},
    "lokr": {"lokr_w1": (2, 2), "lokr_w2_a": (3, 4), "lokr_w2_b": (4, 4)},
    "oft": {"oft_blocks": (2, 4, 4)},
}


def write(path: Path, kind: Kind, alpha: float = 2.0, dtype: torch.dtype = torch.float32) -> Path:
    tensors = {f"{KEY}.{name}": torch.zeros(shape) for name, shape in FILES[kind].items()}
    save_file({**tensors, f"{KEY}.alpha": torch.tensor(alpha, dtype=dtype)}, path)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", FILES)
def test_kind_rank_and_alpha_are_read(tmp_path: Path, kind: Kind, dtype: torch.dtype) -> None:
    file = read_lora(write(tmp_path / "a.safetensors", kind, 2.0, dtype))
    assert file.kind == kind
    assert file.ranks == {KEY: (4, 2.0)}


def test_without_an_alpha_it_is_the_rank(tmp_path: Path) -> None:
    save_file({f"{KEY}.lora_down.weight": torch.zeros(4, 8)}, tmp_path / "a.safetensors")
    assert read_lora(tmp_path / "a.safetensors").ranks == {KEY: (4, 4.0)}


def test_another_file_is_no_lora(tmp_path: Path) -> None:
    save_file({"unet.to_q.lora_A.weight": torch.zeros(4, 8)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="no LoRA with sd-scripts' or LyCORIS' names"):
        read_lora(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("settings", "said", "setting"),
    [
        ({"dim": 4}, "", None),
        ({"dim": 8}, "has rank 4 in lora_unet_mid", ("network.dim_from_weights", "true")),
        ({"dim": 4, "kind": "locon"}, "", None),
        (
            {"dim": 4, "kind": "dora"},
            "is a lora, and network.kind is dora",
            ("network.kind", "lora"),
        ),
    ],
)
def test_what_does_not_fit_is_said(
    tmp_path: Path, settings: dict[str, object], said: str, setting: tuple[str, str] | None
) -> None:
    table = NetworkTable.model_validate(settings)
    placed = [Placed(Layer(KEY, (6, 8), True), table.dim, 2.0, 1.0)]
    file = read_lora(write(tmp_path / "a.safetensors", "lora"))
    misfit = find_misfit(table, placed, file)
    assert (misfit.message if misfit else "").find(said) >= 0
    assert (misfit is None) == (not said)
    assert (misfit.setting if misfit else None) == setting


def test_layers_that_would_be_lost_are_said(tmp_path: Path) -> None:
    misfit = find_misfit(NetworkTable(), [], read_lora(write(tmp_path / "a.safetensors", "lora")))
    assert misfit is not None
    assert f"1 layer not trained here that would be lost, first {KEY}" in misfit.message
