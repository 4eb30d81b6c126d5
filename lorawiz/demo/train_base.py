"""Makes the demo's base model from openly licensed photographs, from nothing, on a CPU.

    pip install 'lorawiz[demo-base]'
    OMP_NUM_THREADS=1 python -m lorawiz.demo.train_base OUT

OUT becomes a diffusers folder in fp16. The same seed gives the same tensors on the same kind of
CPU with the same versions. The VAE is trained first, then the U-Net and the text encoder on its
latents: about half an hour.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from lorawiz.demo.making.autoencoder import (
    encode_all,
    save_half,
    train_autoencoder,
)
from lorawiz.demo.making.denoiser import CaptionedLatents, train_denoiser
from lorawiz.demo.making.model_card import write_model_card
from lorawiz.demo.making.photos import (
    TrainingPhoto,
    cut_patches,
    cut_views,
    load_training_photos,
)
from lorawiz.families.sd15.card import CARD

_NUM_PATCHES = 6144
_NUM_CUTS = 512


@dataclass(frozen=True)
class Schedule:
    """How long each part is trained, in optimizer steps."""

    num_vae_steps: int = 7200
    num_unet_steps: int = 2000


def train_base(photos: list[TrainingPhoto], folder: Path, schedule: Schedule, seed: int) -> None:
    """Train VAE, text encoder and U-Net on `photos` and write them to `folder`."""
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    configs = {
        part: json.loads((CARD.sizes["demo"].configs / f"{part}.json").read_text("utf-8"))
        for part in ("unet", "vae", "text_encoder")
    }
    patches_NYXC = cut_patches(photos, _NUM_PATCHES, seed)
    vae = train_autoencoder(configs["vae"], patches_NYXC, schedule.num_vae_steps, seed, _tell)
    # what is encoded with is what is shipped: weights rounded to fp16
    vae = vae.half().float()
    views = _encode_views(vae, photos, seed)
    unet, text_encoder = train_denoiser(configs, views, schedule.num_unet_steps, seed, _tell)
    for name, model in (("vae", vae), ("unet", unet), ("text_encoder", text_encoder)):
        save_half(model, folder / name)
    write_model_card(folder, seed=seed, **vars(schedule))


def _encode_views(
    vae: AutoencoderKL, photos: list[TrainingPhoto], seed: int
) -> list[CaptionedLatents]:
    views = []
    for photo_index, photo in enumerate(photos):
        for view_index, view in enumerate(photo.views):
            cuts_NYXC = cut_views(photo, view, _NUM_CUTS, [seed, 1, photo_index, view_index])
            views.append(CaptionedLatents(encode_all(vae, cuts_NYXC), view.captions, view.share))
    return views


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given: Any = parser.parse_args(arguments)
    train_base(load_training_photos(), given.folder, Schedule(), given.seed)


if __name__ == "__main__":
    main()
