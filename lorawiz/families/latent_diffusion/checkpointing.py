"""Gradient checkpointing: activations made again in the backward pass (Chen et al. 2016)."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.utils.checkpoint import checkpoint, noop_context_fn

from lorawiz.families.adapter import Contexts


def checkpoint_blocks(
    model: nn.Module, is_offloaded: bool, contexts: Contexts = noop_context_fn
) -> None:
    """Let each block of a U-Net or a text encoder keep its inputs alone.

    Where they are offloaded, they wait in the memory of the CPU, as sd-scripts'
    `cpu_offload_checkpointing` has it.
    """
    if isinstance(model, UNet2DConditionModel):
        model.enable_gradient_checkpointing(_Checkpoint(is_offloaded, contexts))
    else:
        settings = {"use_reentrant": False, "context_fn": contexts}
        model.gradient_checkpointing_enable(settings)  # type: ignore[operator]
    # both libraries checkpoint only in training mode; neither has dropout of its own here
    model.train()


class _Checkpoint:
    """Calls a block so that it keeps its inputs alone."""

    def __init__(self, is_offloaded: bool, contexts: Contexts) -> None:
        self._is_offloaded = is_offloaded
        self._contexts = contexts

    def __call__(self, block: Callable[..., Any], *inputs: Any) -> Any:
        # hooks of the checkpoint's own lie inside: what they drop never comes here
        with _wait_elsewhere(inputs[0]) if self._is_offloaded else nullcontext():
            return checkpoint(block, *inputs, use_reentrant=False, context_fn=self._contexts)


def _wait_elsewhere(like: Tensor) -> AbstractContextManager[Any]:
    """Inside, what is kept for the backward pass lies in the memory of the CPU."""
    if like.is_meta:  # nothing to copy: only its shape waits

        def pack(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
            return tensor.shape, tensor.dtype

        def unpack(kept: tuple[torch.Size, torch.dtype]) -> Tensor:
            return torch.empty(kept[0], dtype=kept[1], device="meta")

        return saved_tensors_hooks(pack, unpack)
    return save_on_cpu(pin_memory=like.is_cuda)
