"""Stable Diffusion 1.x in torch: OpenAI's CLIP ViT-L reads the prompts."""

from lorawiz.families.clip import END_ID
from lorawiz.families.latent_diffusion.adapter import LatentDiffusionAdapter
from lorawiz.families.latent_diffusion.text import TextEncoderPart
from lorawiz.families.sd15.card import CARD


class Sd15Adapter(LatentDiffusionAdapter):
    """See `lorawiz.families.adapter.Adapter`. At full size 192 + 72 LoRA modules."""

    card = CARD
    text_parts = (
        TextEncoderPart(
            part="text_encoder",
            prefix="cond_stage_model.transformer.",
            naming="clip",
            padding_id=END_ID,
            lora_prefix="lora_te",
            embedding_key="emb_params",
        ),
    )


ADAPTER = Sd15Adapter()
