"""Writing a model in the original (LDM) single-file layout, as checkpoints are published.

The inverse of what lorawiz reads through diffusers; kept apart from it, so that a mistake in
one is not hidden by the same mistake in the other.
"""

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

_UNET_OUTER = (
    (r"^time_embedding\.linear_1\.", "time_embed.0."),
    (r"^time_embedding\.linear_2\.", "time_embed.2."),
    (r"^conv_in\.", "input_blocks.0.0."),
    (r"^conv_norm_out\.", "out.0."),
    (r"^conv_out\.", "out.2."),
    (r"^mid_block\.resnets\.0\.", "middle_block.0."),
    (r"^mid_block\.attentions\.0\.", "middle_block.1."),
    (r"^mid_block\.resnets\.1\.", "middle_block.2."),
)
_UNET_RESNET = (
    (".norm1.", ".in_layers.0."),
    (".conv1.", ".in_layers.2."),
    (".norm2.", ".out_layers.0."),
    (".conv2.", ".out_layers.3."),
    (".time_emb_proj.", ".emb_layers.1."),
    (".conv_shortcut.", ".skip_connection."),
)
_VAE_INNER = (
    (".downsamplers.0.", ".downsample."),
    (".upsamplers.0.", ".upsample."),
    ("mid_block.resnets.0.", "mid.block_1."),
    ("mid_block.resnets.1.", "mid.block_2."),
    ("mid_block.attentions.0.", "mid.attn_1."),
    (".conv_norm_out.", ".norm_out."),
    (".conv_shortcut.", ".nin_shortcut."),
)
_VAE_ATTENTION = (
    (".group_norm.", ".norm."),
    (".to_q.", ".q."),
    (".to_k.", ".k."),
    (".to_v.", ".v."),
    (".to_out.0.", ".proj_out."),
)


def save_single_file(parts: dict[str, Any], path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write unet, vae and text_encoder into one .safetensors file."""
    state: dict[str, Tensor] = {}
    for key, value in parts["unet"].state_dict().items():
        state["model.diffusion_model." + unet_name(key)] = value
    for key, value in parts["vae"].state_dict().items():
        name = vae_name(key)
        is_attention = ".attn_1." in name and name.endswith("weight") and ".norm." not in name
        state["first_stage_model." + name] = value[..., None, None] if is_attention else value
    for key, value in parts["text_encoder"].state_dict().items():
        state["cond_stage_model.transformer." + text_name(key)] = value
    save_file({k: v.to(dtype).contiguous() for k, v in state.items()}, path)


def unet_name(key: str) -> str:
    """The LDM name of a diffusers U-Net key."""
    for pattern, replacement in _UNET_OUTER:
        key = re.sub(pattern, replacement, key)
    key = re.sub(r"^down_blocks\.(\d)\.(resnets|attentions)\.(\d)\.", _down, key)
    key = re.sub(
        r"^down_blocks\.(\d)\.downsamplers\.0\.conv\.",
        lambda m: f"input_blocks.{3 * (int(m[1]) + 1)}.0.op.",
        key,
    )
    key = re.sub(r"^up_blocks\.(\d)\.(resnets|attentions)\.(\d)\.", _up, key)
    key = re.sub(r"^up_blocks\.(\d)\.upsamplers\.0\.conv\.", _upsampler, key)
    if "transformer_blocks" not in key:
        for old, new in _UNET_RESNET:
            key = key.replace(old, new)
    return key


def vae_name(key: str) -> str:
    """The LDM name of a diffusers VAE key."""
    for old, new in _VAE_INNER:
        key = key.replace(old, new)
    if ".attn_1." in key:
        for old, new in _VAE_ATTENTION:
            key = key.replace(old, new)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.(\d)\.", r"encoder.down.\1.block.\2.", key)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.", r"encoder.down.\1.", key)
    key = re.sub(
        r"decoder\.up_blocks\.(\d)\.resnets\.(\d)\.",
        lambda m: f"decoder.up.{3 - int(m[1])}.block.{m[2]}.",
        key,
    )
    return re.sub(r"decoder\.up_blocks\.(\d)\.", lambda m: f"decoder.up.{3 - int(m[1])}.", key)


def text_name(key: str) -> str:
    """The published name of a CLIP key, whichever layout transformers has."""
    return key if key.startswith("text_model.") else f"text_model.{key}"


def _down(match: re.Match[str]) -> str:
    kind = 0 if match[2] == "resnets" else 1
    return f"input_blocks.{3 * int(match[1]) + int(match[3]) + 1}.{kind}."


def _up(match: re.Match[str]) -> str:
    kind = 0 if match[2] == "resnets" else 1
    return f"output_blocks.{3 * int(match[1]) + int(match[3])}.{kind}."


def _upsampler(match: re.Match[str]) -> str:
    block = int(match[1])
    # the first up block has no attention, so its upsampler comes one place earlier
    return f"output_blocks.{3 * block + 2}.{1 if block == 0 else 2}.conv."
