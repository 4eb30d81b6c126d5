"""All that is trained beside the base, by kohya's keys: injected, counted, saved and put back."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from lorawiz.errors import RunError
from lorawiz.families.adapter import LoraTarget
from lorawiz.loras.file import RawTensor
from lorawiz.loras.layout import Layer, Placed, place_adapters
from lorawiz.spec.network import NetworkTable
from lorawiz.train.layers import LAYERS, AdapterLayer, LoraLayer
from lorawiz.train.layers.base import Settings
from lorawiz.train.raw_tensors import to_raw
from lorawiz.train.trained import LearningGroup, Part, fits


class LoraNetwork:
    """All layers of one adapter, by kohya's key. See `lorawiz.train.trained.Trained`."""

    def __init__(
        self, table: NetworkTable, ranks: Mapping[str, tuple[int, float]] | None = None
    ) -> None:
        """`ranks` maps keys to (dim, alpha) where another file decides them."""
        self._table = table
        self._ranks = ranks
        self.layers: dict[str, AdapterLayer] = {}
        self._parts: dict[str, Part] = {}
        self._lr_weights: dict[str, float] = {}

    def inject(self, part: Part, targets: Iterable[LoraTarget], device: torch.device) -> None:
        """Put a layer in place of every target. Draws from torch's global generator."""
        by_key = {target.key: target for target in targets}
        layers = [describe_layer(target) for target in by_key.values()]
        for placed in place_adapters(self._table, layers, self._ranks):
            target = by_key[placed.layer.key]
            layer = self._make(target.module, placed)
            for weight in layer.weights.values():
                weight.data = weight.data.to(device)
            setattr(target.parent, target.attribute, layer)
            self.layers[target.key] = layer
            self._parts[target.key] = part
            self._lr_weights[target.key] = placed.lr_weight

    def _make(self, base: nn.Module, placed: Placed) -> AdapterLayer:
        return LAYERS[self._table.kind](base, Settings.of(self._table, placed))

    def iter_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every trained matrix by name, in a fixed order."""
        for key, layer in self.layers.items():
            for name, weight in layer.weights.items():
                yield f"{key}.{name}", weight

    def list_groups(self) -> list[LearningGroup]:
        """The trained matrices by learning rate; the U-Net's come first."""
        groups: dict[tuple[Part, float], list[nn.Parameter]] = {}
        parts: tuple[Part, ...] = ("unet", "text_encoder")
        for part in parts:
            for key, layer in self.layers.items():
                if self._parts[key] != part:
                    continue
                for name, weight in layer.weights.items():
                    ratio = find_lr_ratio(self._table, part) if name in layer.second else 1.0
                    groups.setdefault((part, self._lr_weights[key] * ratio), []).append(weight)
        return [LearningGroup(part, factor, each) for (part, factor), each in groups.items()]

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `iter_weights` gave. Names and shapes must be the same."""
        for name, weight in self.iter_weights():
            weight.data.copy_(tensors[name].reshape(weight.shape))

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over a file's tensors; layers that it has not start as new ones.

        Raises RunError for tensors of other shapes than here.
        """
        for key, layer in self.layers.items():
            for name, weight in layer.weights.items():
                given = tensors.get(f"{key}.{name}")
                if given is None:
                    continue
                if given.numel() != weight.numel():
                    raise RunError(
                        f"network.weights: {key}.{name} is {list(given.shape)}, here it is "
                        f"{list(weight.shape)}",
                        "take it out: lorawiz unset network.weights",
                    )
                weight.data.copy_(given.reshape(weight.shape))

    def set_training(self, training: bool) -> None:
        """Dropout on or off."""
        for layer in self.layers.values():
            layer.training = training

    def limit_norms(self) -> int | None:
        """After a step: scale down what `scale_weight_norms` finds too large. Returns how many.

        None where it is not set.

        Max-norm regularisation as in sd-scripts: both matrices by the root of the excess.
        """
        most = self._table.scale_weight_norms
        if most is None:
            return None
        layers = [layer for layer in self.layers.values() if isinstance(layer, LoraLayer)]
        return int(torch.stack([layer.limit_norm(most) for layer in layers]).sum())

    def fits(self, dtype: torch.dtype) -> bool:
        """Whether every weight is finite when it is rounded to `dtype`."""
        return fits(self, dtype)

    def export(self, dtype: torch.dtype) -> dict[str, RawTensor]:
        """The file's tensors: the keys and shapes of its kind, and `.alpha` for each layer."""
        return {
            f"{key}.{name}": to_raw(tensor, dtype)
            for key, layer in self.layers.items()
            for name, tensor in layer.tensors().items()
        }


def find_lr_ratio(table: NetworkTable, part: Part) -> float:
    """How much faster the second matrices learn: LoRA+ (Hayou et al. 2024, arXiv:2402.12354)."""
    own = table.loraplus_unet_lr_ratio if part == "unet" else table.loraplus_text_encoder_lr_ratio
    return own or table.loraplus_lr_ratio or 1.0


def describe_layer(target: LoraTarget) -> Layer:
    """A target without its module."""
    module = target.module
    assert isinstance(module, nn.Linear | nn.Conv2d)
    return Layer(target.key, tuple(module.weight.shape), target.is_attention)
