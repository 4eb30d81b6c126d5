"""How much memory a run will need, without a GPU and without loading anything.

Its phases are gone through on torch's meta device, where tensors have shapes and no memory, with
the modules, the loss and the backward pass that training has. What autocast would cast is cast.

    python -m lorawiz.train.forecast < QUESTION

QUESTION and the answers, a line of JSON each, are described in `lorawiz.preflight.forecasts`.
"""

import json
import sys
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from lorawiz.errors import LorawizError
from lorawiz.paths import Project
from lorawiz.spec.optimizers import find_optimizer
from lorawiz.train.autocasting import pretend_autocast
from lorawiz.train.live_bytes import LiveBytes, count_bytes
from lorawiz.train.precision import compute_dtype, weights_dtype
from lorawiz.train.rehearsal import META, Rehearsal, Scene, read_scene

_TRAINED_BYTES = 4
"""A moving average, and what a foreach optimizer makes while it steps, for each trained weight."""
_HALF = (
    nn.functional.linear, nn.functional.conv2d, nn.functional.scaled_dot_product_attention,
    torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.baddbmm,
)  # fmt: skip
_SINGLE = (nn.functional.layer_norm, nn.functional.group_norm, nn.functional.softmax)
"""What CUDA's autocast computes in half precision, and what in fp32 (torch.amp's op lists)."""


@dataclass(frozen=True)
class Phase:
    """A part of a run, and the most memory that is used in it, in bytes."""

    name: str
    peak_bytes: int


def forecast(scene: Scene, is_cuda: bool) -> list[Phase]:
    """The phases of a run in their order. Raises LorawizError for a base that cannot be read."""
    rehearsal = Rehearsal(scene, META, lambda: (nullcontext(), _AgainAsInTraining(scene)))
    vae = rehearsal.adapter.build_vae(scene.checkpoint, scene.vae)
    text_encoder = rehearsal.adapter.build_text_encoder(scene.checkpoint)
    text_encoder.to(weights_dtype(scene.spec, "text_encoder"))
    phases = [
        Phase("caching latents", _measure_encoding(rehearsal, vae)),
        Phase("caching text", count_bytes(text_encoder)),
        Phase("making a step", _measure_step(rehearsal, is_cuda)),
    ]
    if scene.spec.sample.prompts:
        phases.append(Phase("drawing samples", _measure_drawing(rehearsal, vae)))
    return phases


def _measure_encoding(rehearsal: Rehearsal, vae: nn.Module) -> int:
    width, height = rehearsal.scene.bucket
    live = LiveBytes()
    with torch.no_grad(), _CheapAttention(), live:
        rehearsal.adapter.encode_pixels(vae, torch.empty(1, 3, height, width, device=META))
    return count_bytes(vae) + live.peak


def _measure_step(rehearsal: Rehearsal, is_cuda: bool) -> int:
    """The peak of a step: forward and backward, or the optimizer's part of it."""
    live = LiveBytes()
    with _as_in_training(rehearsal.scene), live:
        rehearsal.accumulate_gradients()
        while_stepping = live.now
    if is_cuda:
        while_stepping += _count_trained(rehearsal) * _TRAINED_BYTES
    return _standing_bytes(rehearsal) + max(live.peak, while_stepping)


def _measure_drawing(rehearsal: Rehearsal, vae: nn.Module) -> int:
    """The peak of drawing one sample, with what trains beside it."""
    size, scale = rehearsal.scene.spec.sample_size, rehearsal.scene.vae_scale
    shape = (rehearsal.adapter.card.latent_channels, size[1] // scale, size[0] // scale)
    drawing, decoding = LiveBytes(), LiveBytes()
    with torch.no_grad(), _as_in_training(rehearsal.scene), drawing:
        rehearsal.predict(torch.empty(2, *shape, device=META), size)
    with torch.no_grad(), _CheapAttention(), decoding:
        rehearsal.adapter.decode_latents(vae, torch.empty(1, *shape, device=META))
    return _standing_bytes(rehearsal) + max(drawing.peak, decoding.peak + count_bytes(vae))


def _standing_bytes(rehearsal: Rehearsal) -> int:
    """Weights, what the optimizer keeps, and the moving average."""
    train = rehearsal.scene.spec.train
    kept = find_optimizer(train.optimizer_type).state_bytes
    kept += _TRAINED_BYTES if train.ema_decay is not None else 0
    weights = sum(count_bytes(model) for model in rehearsal.models)
    return weights + int(_count_trained(rehearsal) * kept)


def _count_trained(rehearsal: Rehearsal) -> int:
    return sum(weight.numel() for _, weight in rehearsal.trained.iter_weights())


class _AgainAsInTraining(AbstractContextManager[None]):
    """For a block that is made again in the backward pass, which has left the modes by then."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._entered = ExitStack()

    def __enter__(self) -> None:
        if not _get_current_function_mode_stack():  # type: ignore[no-untyped-call]
            self._entered.enter_context(_as_in_training(self._scene))

    def __exit__(self, *error: object) -> None:
        self._entered.close()


def _as_in_training(scene: Scene) -> ExitStack:
    stack = ExitStack()
    dtype = compute_dtype(scene.spec)
    stack.enter_context(_CheapAttention())
    if dtype != torch.float32:
        stack.enter_context(pretend_autocast(dtype))
        stack.enter_context(_PretendedAutocast(dtype))
    return stack


class _CheapAttention(TorchFunctionMode):
    """Attention as every device has it, which never holds the scores of all pairs: on the meta
    device torch would take the way that does."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is nn.functional.scaled_dot_product_attention and not kwargs:
            attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
            return attend(*args)[0]
        return func(*args, **(kwargs or {}))


class _PretendedAutocast(TorchFunctionMode):
    """Casts what CUDA's autocast would cast."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        wanted = self._dtype if func in _HALF else torch.float32 if func in _SINGLE else None
        if wanted is not None:
            args = tuple(_cast(value, wanted) for value in args)
            kwargs = {key: _cast(value, wanted) for key, value in kwargs.items()}
        return func(*args, **kwargs)


def _cast(value: Any, dtype: torch.dtype) -> Any:
    is_cast = isinstance(value, Tensor) and value.is_floating_point()
    return value.to(dtype) if is_cast else value


def main() -> None:
    """Answer each question that stdin asks as soon as the answer is known."""
    asked = json.load(sys.stdin)
    project = Project(Path(asked["project"]))
    for question in asked["questions"]:
        try:
            phases = forecast(read_scene(question, project), bool(asked["is_cuda"]))
            answer: dict[str, Any] = {"phases": [asdict(phase) for phase in phases]}
        except LorawizError as error:
            answer = {"message": error.message, "hint": error.hint}
        # libraries print as they please: an answer is a line of its own
        sys.stdout.write("\n" + json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
