"""Stable Diffusion XL in torch: two text encoders, and the picture's framing as conditions.

Podell et al. 2023 (arXiv:2307.01952). Shape suffixes: B batch, T tokens, D width of the text.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lorawiz.families.adapter import LoraTarget
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.families.clip import END_ID
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.families.latent_diffusion.adapter import LatentDiffusionAdapter
from lorawiz.families.latent_diffusion.export import SDXL_FOLDER
from lorawiz.families.latent_diffusion.layer_names import unet_names
from lorawiz.families.latent_diffusion.targets import iter_unet_targets
from lorawiz.families.latent_diffusion.text import TextEncoderPart, encode
from lorawiz.families.sdxl.card import CARD


class TextEncoders(nn.Module):
    """OpenAI's CLIP ViT-L and OpenCLIP's ViT-bigG, which has a projection."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second


class SdxlAdapter(LatentDiffusionAdapter):
    """See `lorawiz.families.adapter.Adapter`. At full size 722 + 264 LoRA modules."""

    card = CARD
    folder = SDXL_FOLDER
    text_parts = (
        TextEncoderPart(
            part="text_encoder",
            prefix="conditioner.embedders.0.transformer.",
            naming="clip",
            padding_id=END_ID,
            lora_prefix="lora_te1",
            embedding_key="clip_l",
        ),
        TextEncoderPart(
            part="text_encoder_2",
            prefix="conditioner.embedders.1.model.",
            naming="openclip",
            padding_id=0,
            lora_prefix="lora_te2",
            embedding_key="clip_g",
        ),
    )

    def load_text_encoder(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        return TextEncoders(*self._load_text_parts(checkpoint, dtype)).eval()

    def build_text_encoder(self, checkpoint: Checkpoint) -> nn.Module:
        return TextEncoders(*self._build_text_parts(checkpoint)).eval()

    def encode_prompts(
        self, text_encoder: nn.Module, prompts: Sequence[str], reading: Reading
    ) -> TextConditioning:
        """The penultimate layer of both encoders, without the final norm, side by side.

        The pooled vector is the second one's, projected, of the first pass. As in sd-scripts,
        clip_skip is not read.
        """
        first, second = self._split_text_encoders(text_encoder)
        low = encode(first, self.text_parts[0], prompts, reading)
        high = encode(second, self.text_parts[1], prompts, reading)
        states = [each.join(each.outputs.hidden_states[-2]) for each in (low, high)]
        pooled_BD = high.first(high.outputs.text_embeds)
        return TextConditioning(torch.cat(states, dim=-1), pooled_BD)

    def predict_noise(
        self,
        unet: nn.Module,
        noisy_BCHW: Tensor,
        timesteps_B: Tensor,
        text: TextConditioning,
        framings: Sequence[Framing],
    ) -> Tensor:
        conditions = {
            "text_embeds": text.pooled_BD,
            "time_ids": list_framing_numbers(framings).to(noisy_BCHW.device),
        }
        predicted_BCHW: Tensor = unet(
            noisy_BCHW, timesteps_B, text.states_BTD, added_cond_kwargs=conditions,
            return_dict=False,
        )[0]  # fmt: skip
        return predicted_BCHW

    def iter_unet_targets(self, unet: nn.Module) -> Iterator[LoraTarget]:
        """Every Linear inside a Transformer2DModel, by its original name: 722 at full size."""
        config: Any = unet.config
        yield from iter_unet_targets(unet, unet_names(config))

    def _split_text_encoders(self, text_encoder: nn.Module) -> Sequence[nn.Module]:
        assert isinstance(text_encoder, TextEncoders)
        return text_encoder.first, text_encoder.second


def list_framing_numbers(framings: Sequence[Framing]) -> Tensor:
    """[B, 6] in fp32, rows before columns: original size, crop, target size, in pixels.

    Not in half precision, which has no 1,333.
    """
    numbers = [
        (*framing.original[::-1], *framing.crop_left_top[::-1], *framing.target[::-1])
        for framing in framings
    ]
    return torch.tensor(numbers, dtype=torch.float32)


ADAPTER = SdxlAdapter()
