"""Stable Diffusion 1.x: what it is, without torch."""

from pathlib import Path

from lorawiz.families.card import FamilyCard, FamilySize, LoraNames

_CONFIGS = Path(__file__).with_name("configs")
_ARCHITECTURE = "stable-diffusion-v1/lora"

CARD = FamilyCard(
    name="sd15",
    title="Stable Diffusion 1.x",
    parts=("unet", "vae", "text_encoder"),
    names={
        "epsilon": LoraNames(_ARCHITECTURE, "sd_v1"),
        "v_prediction": LoraNames(_ARCHITECTURE, "sd_v1_v"),
    },
    vae_scale=8,
    latent_channels=4,
    latent_factor=0.18215,
    prediction="epsilon",
    resolution=512,
    side_multiple=64,
    sizes={
        "full": FamilySize(
            _CONFIGS / "full",
            unet_width=320,
            context_dim=768,
            num_parameters=(859_520_964, 123_060_480, 83_653_863),
            activation_bytes=0.36e9,
            checkpointed_bytes=0.111e9,
        ),
        # for tests: random weights, built in seconds
        "tiny": FamilySize(
            _CONFIGS / "tiny",
            unet_width=32,
            context_dim=32,
            num_parameters=(3_222_692, 1_600_672, 516_519),
            activation_bytes=0.034e9,
            checkpointed_bytes=0.0107e9,
        ),
        # trained: demo/base
        "demo": FamilySize(
            _CONFIGS / "demo",
            unet_width=48,
            context_dim=32,
            num_parameters=(5_297_508, 1_600_672, 428_871),
            activation_bytes=0.131e9,
            checkpointed_bytes=0.051e9,
            vae_scale=4,
        ),
    },
)
