"""What a LoRA reaches by default, under the keys that sd-scripts gives it.

Everything linear in the transformers: each Linear and 1×1 convolution inside a U-Net's
`Transformer2DModel`, and inside the attention and the MLP of a text encoder.
"""

from collections.abc import Callable, Iterator

from torch import nn

from lorawiz.families.adapter import LoraTarget


def iter_unet_targets(unet: nn.Module, rename: Callable[[str], str]) -> Iterator[LoraTarget]:
    """The U-Net's targets as `lora_unet_NAME`; `rename` turns diffusers' name into the file's."""
    for name, target in _iter_targets(unet, {"Transformer2DModel"}):
        yield _keyed(target, f"lora_unet_{rename(name)}")


def iter_text_targets(text_encoder: nn.Module, prefix: str) -> Iterator[LoraTarget]:
    """q, k, v, out_proj, fc1 and fc2 of each layer as `PREFIX_text_model_NAME`."""
    for name, target in _iter_targets(text_encoder, {"CLIPAttention", "CLIPMLP"}):
        # transformers has flattened some CLIP classes; files have the old name everywhere
        yield _keyed(target, f"{prefix}_text_model_{name.removeprefix('text_model.')}")


def _iter_targets(
    model: nn.Module, containers: set[str]
) -> Iterator[tuple[str, tuple[nn.Module, str]]]:
    for name, container in model.named_modules():
        if type(container).__name__ not in containers:
            continue
        for child_name, child in container.named_modules():
            if _is_target(child):
                path, _, attribute = child_name.rpartition(".")
                yield f"{name}.{child_name}", (container.get_submodule(path), attribute)


def _is_target(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1)
    return isinstance(module, nn.Linear)


def _keyed(target: tuple[nn.Module, str], name: str) -> LoraTarget:
    return LoraTarget(name.replace(".", "_"), *target)
