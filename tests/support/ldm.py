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
    (r"^add_embedding\.linear_1\.", "label_emb.0.0."),
    (r"^add_embedding\.linear_2\.", "label_emb.0.2."),
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


_OPENCLIP_TEXT = (
    (r"^text_model\.", ""),
    (r"^encoder\.layers\.", "transformer.resblocks."),
    (r"\.layer_norm(\d)\.", r".ln_\1."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"^embeddings\.token_embedding\.weight$", "token_embedding.weight"),
    (r"^embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^final_layer_norm\.", "ln_final."),
)


def save_single_file(
    parts: dict[str, Any], path: Path, dtype: torch.dtype = torch.float32, family: str = "sd15"
) -> None:
    """Write a base's parts into one .safetensors file."""
    state = single_file_state(parts, family)
    save_file({k: v.to(dtype).contiguous() for k, v in state.items()}, path)


def single_file_state(parts: dict[str, Any], family: str) -> dict[str, Tensor]:
    """The tensors of a single file, under the names that the family's files are published with."""
    state: dict[str, Tensor] = {}
    unet = parts["unet"].state_dict()
    for key, value in unet.items():
        state["model.diffusion_model." + unet_name(key, _starts_with_attention(unet))] = value
    for key, value in parts["vae"].state_dict().items():
        name = vae_name(key)
        is_attention = ".attn_1." in name and name.endswith("weight") and ".norm." not in name
        state["first_stage_model." + name] = value[..., None, None] if is_attention else value
    text = {key: part.state_dict() for key, part in parts.items() if key.startswith("text")}
    if family == "sd2":
        prefix = "cond_stage_model.model."
        state |= {prefix + k: v for k, v in openclip_state(text["text_encoder"]).items()}
        # the published file has the last layer, which no base reads, and a projection
        layers = [int(key.split(".")[2]) for key in text["text_encoder"] if "layers." in key]
        last = f"{prefix}transformer.resblocks.{max(layers)}."
        behind = f"{prefix}transformer.resblocks.{max(layers) + 1}."
        state |= {k.replace(last, behind): v + 1 for k, v in state.items() if k.startswith(last)}
        state[f"{prefix}text_projection"] = torch.ones(4, 4)
        state[f"{prefix}logit_scale"] = torch.tensor(1.0)
        return state
    prefix = "conditioner.embedders.0" if family == "sdxl" else "cond_stage_model"
    for key, value in text["text_encoder"].items():
        state[f"{prefix}.transformer.{text_name(key)}"] = value
    if family == "sdxl":
        second = openclip_state(text["text_encoder_2"])
        state |= {f"conditioner.embedders.1.model.{k}": v for k, v in second.items()}
    return state


def openclip_state(text_encoder: dict[str, Tensor]) -> dict[str, Tensor]:
    """A CLIP text encoder as OpenCLIP keeps it: query, key and value in one matrix."""
    state: dict[str, Tensor] = {}
    for key, value in text_encoder.items():
        if key == "text_projection.weight":
            state["text_projection"] = value.T
        elif ".q_proj." in key:
            three = [text_encoder[key.replace("q_proj", f"{name}_proj")] for name in "qkv"]
            name = _openclip_name(key).replace(".self_attn.q_proj.", ".attn.in_proj_")
            state[name] = torch.cat(three)
        elif ".k_proj." not in key and ".v_proj." not in key:
            state[_openclip_name(key)] = value
    return state


def _openclip_name(key: str) -> str:
    for pattern, replacement in _OPENCLIP_TEXT:
        key = re.sub(pattern, replacement, key)
    return key


def _starts_with_attention(unet: dict[str, Tensor]) -> bool:
    """Whether the first up block has attention, as SDXL's has."""
    return any(key.startswith("up_blocks.0.attentions.") for key in unet)


def unet_name(key: str, starts_with_attention: bool = False) -> str:
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
    # where the first up block has no attention, its upsampler comes one place earlier
    place = 2 if starts_with_attention else 1
    key = re.sub(
        r"^up_blocks\.(\d)\.upsamplers\.0\.conv\.",
        lambda m: f"output_blocks.{3 * int(m[1]) + 2}.{place if m[1] == '0' else 2}.conv.",
        key,
    )
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
