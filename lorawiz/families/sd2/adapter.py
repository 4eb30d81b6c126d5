"""Stable Diffusion 2.x in torch: OpenCLIP ViT-H reads the prompts, its last layer left out.

transformers' form of the encoder has 23 layers, so that its last one is the original's
penultimate; clip_skip counts from there, as in sd-scripts.
"""

from lorawiz.families.latent_diffusion.adapter import LatentDiffusionAdapter
from lorawiz.families.latent_diffusion.text import TextEncoderPart
from lorawiz.families.sd2.card import CARD


class Sd2Adapter(LatentDiffusionAdapter):
    """See `lorawiz.families.adapter.Adapter`. At full size 192 + 138 LoRA modules."""

    card = CARD
    text_parts = (
        TextEncoderPart(
            part="text_encoder",
            prefix="cond_stage_model.model.",
            naming="openclip",
            padding_id=0,
            lora_prefix="lora_te",
            embedding_key="emb_params",
            lacks_last_layer=True,
        ),
    )


ADAPTER = Sd2Adapter()
