"""Writes layers.json of every family and size from its models: python -m tests.support.layers"""

import json
from typing import Any

import torch

from lorawiz.families import FAMILIES, load_adapter
from lorawiz.families.random_base import build_random_base
from lorawiz.families.sdxl.adapter import TextEncoders
from lorawiz.loras.layout import Layer, Part
from lorawiz.train.network import describe_layer


def list_layers(family: str, size: str) -> dict[Part, list[Layer]]:
    """What an adapter may reach, from models without weights."""
    adapter = load_adapter(family)
    with torch.device("meta"):
        parts = build_random_base(size, seed=0, family=family)
    return {
        "unet": [describe_layer(t) for t in adapter.iter_unet_targets(parts["unet"])],
        "text_encoder": [
            describe_layer(t) for t in adapter.iter_text_targets(text_encoders(parts))
        ],
    }


def text_encoders(parts: dict[str, Any]) -> Any:
    """As the family's adapter would load them."""
    second = parts.get("text_encoder_2")
    return parts["text_encoder"] if second is None else TextEncoders(parts["text_encoder"], second)


def main() -> None:
    for family, card in FAMILIES.items():
        for size, facts in card.sizes.items():
            rows = {
                part: [json.dumps([layer.key, layer.shape, layer.is_attention]) for layer in layers]
                for part, layers in list_layers(family, size).items()
            }
            parts = [f'"{part}": [\n' + ",\n".join(each) + "\n]" for part, each in rows.items()]
            (facts.configs / "layers.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
