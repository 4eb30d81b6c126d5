"""A base model of random weights: for tests, benchmarks and the demo. Seconds to build.

`python -m lorawiz.families.random_base OUT --family sdxl --size tiny` writes a diffusers folder.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from lorawiz.families import FAMILIES
from lorawiz.families.latent_diffusion.loading import make_model, read_config


def build_random_base(size: str, seed: int, family: str = "sd15") -> dict[str, Any]:
    """The components by their folders' names, with weights drawn from `seed`."""
    card = FAMILIES[family]
    configs = card.sizes[size].configs
    values = {part: read_config(configs / f"{part}.json") for part in card.parts}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {part: make_model(part, config) for part, config in values.items()}


def save_folder(parts: dict[str, Any], folder: Path) -> None:
    """Write the components as a diffusers folder."""
    for name, model in parts.items():
        model.save_pretrained(folder / name, safe_serialization=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", choices=sorted(FAMILIES), default="sd15")
    parser.add_argument("--size", choices=("full", "tiny"), default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    save_folder(build_random_base(given.size, given.seed, given.family), given.folder)


if __name__ == "__main__":
    main()
