"""A diffusers U-Net whose frozen blocks keep less for the backward pass and launch fewer kernels.

Only the class of a block changes, so weights, names, hooks and `.to()` stay diffusers'. What is
left out does nothing here: divisions by one, and copies of what is made again in `recomputing`.
A block that is set up in another way than Stable Diffusion's stays as it is.
"""

from typing import Any

from diffusers.models.activations import GEGLU
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from lorawiz.train.recomputing import geglu, norm_silu


class LeanResnet(ResnetBlock2D):  # type: ignore[misc]
    """A ResnetBlock2D that keeps the inputs of its norms alone."""

    def forward(self, input_tensor: Tensor, temb: Tensor, *_: Any, **__: Any) -> Tensor:
        """Both [B, C, H, W] and the timestep's [B, D]; [B, C', H, W] comes out."""
        hidden = self.conv1(norm_silu(input_tensor, self.norm1))
        time: Tensor = self.time_emb_proj(nn.functional.silu(temb))
        hidden = self.conv2(norm_silu(hidden + time[:, :, None, None], self.norm2))
        skipped = input_tensor if self.conv_shortcut is None else self.conv_shortcut(input_tensor)
        total: Tensor = skipped + hidden
        return total


class LeanGeglu(GEGLU):  # type: ignore[misc]
    """A GEGLU that keeps the projection alone."""

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        return geglu(self.proj(hidden_states))


class LeanAttnProcessor(AttnProcessor2_0):  # type: ignore[misc]
    """torch's attention between the four projections, and nothing else."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        if attention_mask is not None:
            masked: Tensor = super().__call__(
                attn, hidden_states, encoder_hidden_states, attention_mask, *args, **kwargs
            )
            return masked
        read = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        heads = [
            projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for projected in (attn.to_q(hidden_states), attn.to_k(read), attn.to_v(read))
        ]
        mixed = nn.functional.scaled_dot_product_attention(*heads)
        out: Tensor = attn.to_out[0](mixed.transpose(1, 2).flatten(2))
        return out


def make_lean(model: nn.Module) -> int:
    """Swap the classes of all blocks of `model` that can be. Returns their number."""
    count = 0
    module: Any
    for module in model.modules():
        if type(module) is ResnetBlock2D and _is_plain_resnet(module):
            module.__class__ = LeanResnet
        elif type(module) is GEGLU:
            module.__class__ = LeanGeglu
        elif type(module) is Attention and _is_plain_attention(module):
            module.set_processor(LeanAttnProcessor())
        else:
            continue
        count += 1
    return count


def _is_plain_resnet(block: ResnetBlock2D) -> bool:
    return (
        block.time_embedding_norm == "default"
        and block.time_emb_proj is not None
        and not block.skip_time_act
        and block.upsample is None
        and block.downsample is None
        and block.output_scale_factor == 1.0
        and block.dropout.p == 0.0
        and isinstance(block.nonlinearity, nn.SiLU)
    )


def _is_plain_attention(attention: Attention) -> bool:
    absent = ("spatial_norm", "group_norm", "norm_cross", "norm_q", "norm_k", "added_kv_proj_dim")
    has_more = any(getattr(attention, name, None) is not None for name in absent)
    return (
        type(attention.processor) is AttnProcessor2_0
        and not has_more
        and not attention.residual_connection
        and attention.rescale_output_factor == 1.0
        and attention.to_out[1].p == 0.0
    )
