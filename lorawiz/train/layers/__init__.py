"""The kinds of layers that are put beside a frozen one, by `network.kind`."""

from lorawiz.spec.network import Kind
from lorawiz.train.layers.base import AdapterLayer
from lorawiz.train.layers.dora import DoraLayer
from lorawiz.train.layers.loha import LohaLayer
from lorawiz.train.layers.lokr import LokrLayer
from lorawiz.train.layers.lora import LoraLayer
from lorawiz.train.layers.oft import OftLayer

LAYERS: dict[Kind, type[AdapterLayer]] = {
    "lora": LoraLayer,
    "locon": LoraLayer,
    "dora": DoraLayer,
    "loha": LohaLayer,
    "lokr": LokrLayer,
    "oft": OftLayer,
}

__all__ = ["LAYERS", "AdapterLayer", "LoraLayer"]
