"""Stable Diffusion XL: what it is, without torch."""

from pathlib import Path

from lorawiz.families.card import FamilyCard, FamilySize, LoraNames

_CONFIGS = Path(__file__).with_name("configs")
_NAMES = LoraNames(
    "stable-diffusion-xl-v1-base/lora",
    "sdxl_base_v1-0",
    implementation="https://github.com/Stability-AI/generative-models",
)

CARD = FamilyCard(
    name="sdxl",
    title="Stable Diffusion XL",
    parts=("unet", "vae", "text_encoder", "text_encoder_2"),
    names={"epsilon": _NAMES, "v_prediction": _NAMES},
    vae_scale=8,
    latent_channels=4,
    latent_factor=0.13025,
    prediction="epsilon",
    resolution=1024,
    side_multiple=32,
    reads_clip_skip=False,
    sizes={
        "full": FamilySize(
            _CONFIGS / "full",
            unet_width=320,
            context_dim=2048,
            num_parameters=(2_567_463_684, 817_720_320, 83_653_863),
            activation_bytes=0.69e9,
            checkpointed_bytes=0.072e9,
        ),
        "tiny": FamilySize(
            _CONFIGS / "tiny",
            unet_width=32,
            context_dim=96,
            num_parameters=(3_564_484, 4_838_880, 516_519),
            activation_bytes=0.026e9,
            checkpointed_bytes=0.0051e9,
        ),
    },
)
