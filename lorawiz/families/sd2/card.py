"""Stable Diffusion 2.x: what it is, without torch."""

from pathlib import Path

from lorawiz.families.card import FamilyCard, FamilySize, LoraNames

_CONFIGS = Path(__file__).with_name("configs")

CARD = FamilyCard(
    name="sd2",
    title="Stable Diffusion 2.x",
    parts=("unet", "vae", "text_encoder"),
    names={
        "epsilon": LoraNames("stable-diffusion-v2-512/lora", "sd_v2"),
        "v_prediction": LoraNames("stable-diffusion-v2-768-v/lora", "sd_v2_v"),
    },
    vae_scale=8,
    latent_channels=4,
    latent_factor=0.18215,
    # the 768 px bases; the 512 px ones predict noise, which their tensors do not show
    prediction="v_prediction",
    resolution=768,
    side_multiple=64,
    is_v2=True,
    sizes={
        "full": FamilySize(
            _CONFIGS / "full",
            unet_width=320,
            context_dim=1024,
            num_parameters=(865_910_724, 340_387_840, 83_653_863),
            activation_bytes=0.36e9,
            checkpointed_bytes=0.111e9,
        ),
        "tiny": FamilySize(
            _CONFIGS / "tiny",
            unet_width=32,
            context_dim=64,
            num_parameters=(3_277_988, 3_234_112, 516_519),
            activation_bytes=0.034e9,
            checkpointed_bytes=0.0107e9,
        ),
    },
)
