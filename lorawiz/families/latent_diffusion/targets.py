"""What a LoRA may reach, under the keys that sd-scripts gives it.

By default everything linear in the transformers: each Linear and 1×1 convolution inside a U-Net's
`Transformer2DModel`, and inside the attention and the MLP of a text encoder. With convolutions,
also each convolution and Linear of a U-Net's residual blocks and of its resampling.
"""

from collections.abc import Callable, Iterator

from torch import nn

from lorawiz.families.adapter import LoraTarget

_TRANSFORMERS = {"Transformer2DModel"}
_CONVOLUTIONS = {"ResnetBlock2D", "Downsample2D", "Upsample2D"}
_TEXT = {"CLIPAttention", "CLIPMLP"}


def iter_unet_targets(unet: nn.Module, rename: Callable[[str], str]) -> Iterator[LoraTarget]:
    """The U-Net's targets as `lora_unet_NAME`, those in transformers first.

    `rename` turns diffusers' name into the file's.
    """
    for name, parent, attribute in _iter_targets(unet, _TRANSFORMERS):
        yield LoraTarget(_key("lora_unet", rename(name)), parent, attribute)
    for name, parent, attribute in _iter_targets(unet, _CONVOLUTIONS):
        yield LoraTarget(_key("lora_unet", rename(name)), parent, attribute, is_attention=False)


def iter_text_targets(text_encoder: nn.Module, prefix: str) -> Iterator[LoraTarget]:
    """q, k, v, out_proj, fc1 and fc2 of each layer as `PREFIX_text_model_NAME`."""
    for name, parent, attribute in _iter_targets(text_encoder, _TEXT):
        # transformers has flattened some CLIP classes; files have the old name everywhere
        key = _key(prefix, f"text_model.{name.removeprefix('text_model.')}")
        yield LoraTarget(key, parent, attribute)


def _iter_targets(model: nn.Module, containers: set[str]) -> Iterator[tuple[str, nn.Module, str]]:
    for name, container in model.named_modules():
        if type(container).__name__ not in containers:
            continue
        for child_name, child in container.named_modules():
            if _is_target(child):
                path, _, attribute = child_name.rpartition(".")
                yield f"{name}.{child_name}", container.get_submodule(path), attribute


def _is_target(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | nn.Conv2d)


def _key(prefix: str, name: str) -> str:
    return f"{prefix}_{name}".replace(".", "_")
