"""The model card of the demo's base: what it is, what it was made from, how to make it again."""

import tomllib
from pathlib import Path

from lorawiz.demo.making.photos import SOURCES

_HEAD = """---
license: mit
library_name: diffusers
tags: [stable-diffusion, text-to-image]
---

# The demo's base model

A latent-diffusion model of the Stable Diffusion 1.x family in a size of its own: 64×64 pixels,
latents of 4×16×16, the real CLIP tokenizer, fp16. It was trained from nothing on the photographs
below, and on nothing else, so that `lorawiz demo` has a base that a LoRA can learn on within a
minute and a half on a CPU. It draws these few subjects from their captions. It knows nothing else:
it is no use for anything but the demo and tests, and it has never seen the demo's person.

Made by `python -m lorawiz.demo.train_base OUT` ({num_vae_steps} steps of the VAE,
{num_unet_steps} of U-Net and text encoder, seed {seed}). The weights are under
lorawiz's own licence (MIT). The photographs themselves are not part of lorawiz.

## Photographs

| photograph | by | licence | shipped as |
| --- | --- | --- | --- |
"""
_CC_BY = """
CC BY 2.0: https://creativecommons.org/licenses/by/2.0/. The two photographs under it were cut,
scaled, mirrored and changed in colour for training. NASA and the United States Navy do not endorse
this software.
"""


def write_model_card(folder: Path, num_vae_steps: int, num_unet_steps: int, seed: int) -> None:
    """Write README.md into the base's folder."""
    rows = [
        f"| {photo['title']} | {photo['author']} | {photo['licence']} "
        f"| `{photo['package']}/{photo['file']}` |"
        for photo in tomllib.loads(SOURCES.read_text("utf-8"))["photo"]
    ]
    head = _HEAD.format(num_vae_steps=num_vae_steps, num_unet_steps=num_unet_steps, seed=seed)
    (folder / "README.md").write_text(head + "\n".join(rows) + "\n" + _CC_BY, "utf-8")
