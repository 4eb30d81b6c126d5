"""Layer names: those of diffusers and transformers, and those of the original files.

The original names are what single-file checkpoints hold (CompVis' latent-diffusion, Stability
AI's generative-models, OpenCLIP) and what SDXL LoRAs are keyed by. They are derived from a
model's config, so that every size and depth has them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_UNET_OUTER = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_VAE_RESNET = {"conv_shortcut": "nin_shortcut"}
_VAE_ATTENTION = {
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
}  # fmt: skip
_OPENCLIP_OUTER = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
_OPENCLIP_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


class Renaming:
    """Renames layers by the longest known beginning of their name; the rest stays."""

    def __init__(self, beginnings: Mapping[str, str]) -> None:
        self._beginnings = dict(beginnings)

    def __call__(self, name: str) -> str:
        """The other name of a layer or tensor. Unknown names stay as they are."""
        end = len(name)
        while end > 0:
            new = self._beginnings.get(name[:end])
            if new is not None:
                return new + name[end:]
            end = name.rfind(".", 0, end)
        return name


def unet_names(config: Mapping[str, Any]) -> Renaming:
    """From diffusers' names of a U-Net's layers to the original ones."""
    return Renaming({**_UNET_OUTER, **dict(_iter_unet_blocks(config))})


def vae_names(config: Mapping[str, Any]) -> Renaming:
    """From diffusers' names of a VAE's layers to the original ones."""
    return Renaming(dict(_iter_vae_blocks(config)))


def openclip_name(name: str) -> tuple[str, int | None]:
    """Where OpenCLIP's text transformer keeps a tensor of transformers' CLIP text model.

    `name` is without `text_model.`. Returns OpenCLIP's name, and which third of that tensor is
    meant where query, key and value are one matrix.
    """
    if name in _OPENCLIP_OUTER:
        return _OPENCLIP_OUTER[name], None
    _, _, layer, rest = name.split(".", 3)  # encoder.layers.N.…
    beginning, _, kind = rest.rpartition(".")
    block = f"transformer.resblocks.{layer}"
    if beginning in _OPENCLIP_LAYER:
        return f"{block}.{_OPENCLIP_LAYER[beginning]}.{kind}", None
    third = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj").index(beginning)
    return f"{block}.attn.in_proj_{kind}", third


def _iter_unet_blocks(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    num_layers = config["layers_per_block"]
    place = 1
    last = len(config["down_block_types"]) - 1
    for block in range(last + 1):
        for layer in range(num_layers):
            yield from _unet_layer(f"down_blocks.{block}", layer, f"input_blocks.{place}")
            place += 1
        if block < last:
            yield f"down_blocks.{block}.downsamplers.0.conv", f"input_blocks.{place}.0.op"
            place += 1
    yield from _unet_resnet("mid_block.resnets.0", "middle_block.0")
    yield "mid_block.attentions.0", "middle_block.1"
    yield from _unet_resnet("mid_block.resnets.1", "middle_block.2")
    for block, kind in enumerate(config["up_block_types"]):
        for layer in range(num_layers + 1):
            place = (num_layers + 1) * block + layer
            yield from _unet_layer(f"up_blocks.{block}", layer, f"output_blocks.{place}")
        behind = 2 if "CrossAttn" in kind else 1
        yield f"up_blocks.{block}.upsamplers.0.conv", f"output_blocks.{place}.{behind}.conv"


def _unet_layer(block: str, layer: int, original: str) -> Iterator[tuple[str, str]]:
    yield from _unet_resnet(f"{block}.resnets.{layer}", f"{original}.0")
    yield f"{block}.attentions.{layer}", f"{original}.1"


def _unet_resnet(name: str, original: str) -> Iterator[tuple[str, str]]:
    for part, new in _UNET_RESNET.items():
        yield f"{name}.{part}", f"{original}.{new}"


def _iter_vae_blocks(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    num_layers, num_blocks = config["layers_per_block"], len(config["block_out_channels"])
    for block in range(num_blocks):
        down, up = f"encoder.down_blocks.{block}", f"decoder.up_blocks.{block}"
        old_down, old_up = f"encoder.down.{block}", f"decoder.up.{num_blocks - 1 - block}"
        for layer in range(num_layers + 1):
            yield from _vae_resnet(f"{down}.resnets.{layer}", f"{old_down}.block.{layer}")
            yield from _vae_resnet(f"{up}.resnets.{layer}", f"{old_up}.block.{layer}")
        yield f"{down}.downsamplers.0", f"{old_down}.downsample"
        yield f"{up}.upsamplers.0", f"{old_up}.upsample"
    for side in ("encoder", "decoder"):
        for index in (0, 1):
            name = f"{side}.mid_block.resnets.{index}"
            yield from _vae_resnet(name, f"{side}.mid.block_{index + 1}")
        for part, new in _VAE_ATTENTION.items():
            yield f"{side}.mid_block.attentions.0.{part}", f"{side}.mid.attn_1.{new}"
        yield f"{side}.conv_norm_out", f"{side}.norm_out"


def _vae_resnet(name: str, original: str) -> Iterator[tuple[str, str]]:
    yield name, original
    for part, new in _VAE_RESNET.items():
        yield f"{name}.{part}", f"{original}.{new}"
