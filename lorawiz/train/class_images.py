"""Class images drawn by the base itself: what it knows of the class, kept while a LoRA learns.

Prior preservation as in Ruiz et al. 2023 (DreamBooth).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from lorawiz.families import load_adapter
from lorawiz.families.checkpoints import Checkpoint, find_checkpoint, inspect_checkpoint
from lorawiz.families.clip.reading import Reading
from lorawiz.families.resolution import resolve_base
from lorawiz.paths import Project
from lorawiz.spec import Spec
from lorawiz.train.sampling import SamplePrompt, draw_latents, save_picture

_FIRST_SEED = 1000
"""Above `sample.seed`: what a run draws as samples was not trained."""


@dataclass(frozen=True)
class ClassImage:
    """One picture and the prompt it was drawn for."""

    path: Path
    prompt: str


def draw_class_images(
    project: Project,
    spec: Spec,
    prompts: Sequence[str],
    count: int,
    on_progress: Callable[[int, int], None],
) -> list[ClassImage]:
    """`count` pictures, the prompts in turn, with the sampler and the size of [sample].

    They are left in work/class-images/; what is there already is not drawn again. Raises
    ModelError where the base cannot be loaded.
    """
    checkpoint = inspect_checkpoint(find_checkpoint(spec.base.checkpoint, project))
    spec = spec.model_copy(update={"base": resolve_base(spec.base, checkpoint)})
    folder = project.work / "class-images"
    wanted = [prompts[index % len(prompts)] for index in range(count)]
    images = [ClassImage(folder / _name(spec, p, index), p) for index, p in enumerate(wanted)]
    missing = {index: each for index, each in enumerate(images) if not each.path.exists()}
    if missing:
        _draw(checkpoint, _find_vae(project, spec), spec, missing, on_progress)
    return images


def _name(spec: Spec, prompt: str, index: int) -> str:
    """A file name that no other drawing has."""
    drawn_from = (
        index, prompt, spec.sample_size, spec.base.model_dump(mode="json"),
        spec.sample.model_dump(mode="json", exclude={"prompts", "every_n_epochs", "at_first"}),
    )  # fmt: skip
    digest = hashlib.sha256(json.dumps(drawn_from, sort_keys=True).encode()).hexdigest()
    return f"class-{index + 1:04d}-{digest[:12]}.png"


def _find_vae(project: Project, spec: Spec) -> Path | None:
    return find_checkpoint(spec.base.vae, project) if spec.base.vae else None


@torch.no_grad()
def _draw(
    checkpoint: Checkpoint,
    vae_path: Path | None,
    spec: Spec,
    missing: dict[int, ClassImage],
    on_progress: Callable[[int, int], None],
) -> None:
    adapter = load_adapter(spec.base.family)
    device = Accelerator().device
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    text_encoder = adapter.load_text_encoder(checkpoint, dtype).to(device)
    prompts = {spec.sample.negative_prompt, *(image.prompt for image in missing.values())}
    reading = Reading.of(spec).for_drawing(prompts, token=None)
    encoded = {
        prompt: adapter.encode_prompts(text_encoder, [prompt], reading)
        for prompt in sorted(prompts)
    }
    del text_encoder
    unet = adapter.load_unet(checkpoint, dtype).to(device)
    vae = adapter.load_vae(checkpoint, vae_path).to(device)
    negative = encoded[spec.sample.negative_prompt]
    vae_scale = adapter.card.vae_scale_of(checkpoint.size)
    for done, (index, image) in enumerate(missing.items()):
        on_progress(done, len(missing))
        prompt = SamplePrompt(_FIRST_SEED + index, image.prompt, encoded[image.prompt], negative)
        with torch.autocast(device.type, dtype, enabled=device.type == "cuda"):
            latents_BCHW = draw_latents(adapter, unet, prompt, spec, device, vae_scale)
        save_picture(adapter.decode_latents(vae, latents_BCHW.float()), image.path)
    on_progress(len(missing), len(missing))
