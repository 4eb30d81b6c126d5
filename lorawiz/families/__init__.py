"""The base model families: a registry of cards, and their torch adapters on demand."""

from importlib import import_module
from typing import TYPE_CHECKING

from lorawiz.families.card import FamilyCard
from lorawiz.families.sd2.card import CARD as SD2
from lorawiz.families.sd15.card import CARD as SD15
from lorawiz.families.sdxl.card import CARD as SDXL

if TYPE_CHECKING:
    from lorawiz.families.adapter import Adapter

FAMILIES: dict[str, FamilyCard] = {card.name: card for card in (SD15, SD2, SDXL)}


def load_adapter(family: str) -> "Adapter":
    """The torch side of a family. Imports torch: only the trainer and the generator call this."""
    module = import_module(f"lorawiz.families.{FAMILIES[family].name}.adapter")
    adapter: Adapter = module.ADAPTER
    return adapter
