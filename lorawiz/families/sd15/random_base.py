"""A base model of random weights: for tests, benchmarks and the demo. Seconds to build.

`python -m lorawiz.families.sd15.random_base OUT --size tiny` writes a diffusers folder.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from lorawiz.families.sd15.card import CARD


def build_random_base(size: str, seed: int) -> dict[str, Any]:
    """The components (unet, vae, text_encoder) with weights drawn from `seed`."""
    configs = CARD.sizes[size].configs
    values = {
        part: json.loads((configs / f"{part}.json").read_text("utf-8"))
        for part in ("unet", "vae", "text_encoder")
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {
            "unet": UNet2DConditionModel.from_config(values["unet"]),
            "vae": AutoencoderKL.from_config(values["vae"]),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**values["text_encoder"])),
        }


def save_folder(parts: dict[str, Any], folder: Path) -> None:
    """Write the components as a diffusers folder."""
    for name, model in parts.items():
        model.save_pretrained(folder / name, safe_serialization=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=sorted(CARD.sizes), default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    save_folder(build_random_base(arguments.size, arguments.seed), arguments.folder)


if __name__ == "__main__":
    main()
