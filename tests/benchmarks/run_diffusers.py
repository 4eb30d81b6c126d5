"""A loop as diffusers' train_text_to_image_lora.py has it, with PEFT, measured.

    python -m tests.benchmarks.run_diffusers OUT NUM_TIMED CHECKPOINT FAMILY SIZE_PX

Latents and text are drawn once and kept in memory, where the original encodes anew at each step:
what is measured is the U-Net's step alone, in its favour.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.step_meter import Finished, StepMeter

DIM = 16
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]
"""Those that sd-scripts reaches by default."""


def main() -> None:
    out, num_timed, checkpoint, family, size_px = sys.argv[1:]
    meter = StepMeter(Path(out), int(num_timed), before_count=lambda: None)
    try:
        train(meter, load_unet(Path(checkpoint), family), int(size_px) // 8)
    except Finished:
        return


def load_unet(checkpoint: Path, family: str) -> Any:
    """The U-Net as diffusers loads it from a single file; its config from lorawiz's folder."""
    from diffusers import UNet2DConditionModel

    from lorawiz.families import FAMILIES

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "unet").mkdir()
        configs = FAMILIES[family].sizes["full"].configs
        shutil.copy(configs / "unet.json", Path(folder) / "unet" / "config.json")
        return UNet2DConditionModel.from_single_file(
            str(checkpoint), config=folder, subfolder="unet", local_files_only=True
        )


def train(meter: StepMeter, unet: Any, side: int) -> None:
    """Steps without end: the meter ends them."""
    from accelerate import Accelerator
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from peft import LoraConfig

    accelerator = Accelerator()
    unet.requires_grad_(False)
    unet.add_adapter(
        LoraConfig(r=DIM, lora_alpha=DIM, init_lora_weights="gaussian", target_modules=TARGETS)
    )
    weights = [p for p in unet.parameters() if p.requires_grad]
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000
    )
    optimizer = torch.optim.AdamW(weights, lr=1e-4)
    rates = get_scheduler("constant", optimizer=optimizer)
    unet, optimizer, rates = accelerator.prepare(unet, optimizer, rates)
    unet.train()
    latents, text, conditions = draw_inputs(unet.config, side)
    while True:
        meter.begin_step()
        with accelerator.accumulate(unet):
            noise = torch.randn_like(latents)
            timesteps = torch.randint(0, 1000, (1,))
            noisy = scheduler.add_noise(latents, noise, timesteps)
            predicted = unet(
                noisy, timesteps, text, added_cond_kwargs=conditions, return_dict=False
            )[0]
            loss = torch.nn.functional.mse_loss(predicted.float(), noise.float())
            accelerator.gather(loss.repeat(1)).mean().item()
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            rates.step()
            optimizer.zero_grad()
        loss.detach().item()


def draw_inputs(config: Any, side: int) -> tuple[Tensor, Tensor, dict[str, Tensor] | None]:
    """Latents, text and SDXL's extra conditions for a batch of one."""
    latents = torch.randn(1, config.in_channels, side, side)
    text = torch.randn(1, 77, config.cross_attention_dim)
    if config.addition_embed_type != "text_time":
        return latents, text, None
    numbers = torch.tensor([[side * 8, side * 8, 0, 0, side * 8, side * 8]], dtype=torch.float32)
    return latents, text, {"text_embeds": torch.randn(1, 1280), "time_ids": numbers}


if __name__ == "__main__":
    main()
