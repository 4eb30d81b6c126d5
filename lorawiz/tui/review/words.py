"""What orders are called."""

from lorawiz.tui.language import tr
from lorawiz.tui.review.ordering import Order

ORDER_KEYS: dict[Order, str] = {
    "name": "n", "findings": "w", "sharpness": "s", "face": "f", "tokens": "t", "tags": "g",
}  # fmt: skip
"""The key that chooses each order where one is asked for."""


def show_order(order: Order, is_reversed: bool) -> str:
    """`sharpness, least first`."""
    usual, other = {
        "name": (tr("name"), tr("name, last first")),
        "findings": (tr("findings first"), tr("findings last")),
        "sharpness": (tr("least sharp first"), tr("sharpest first")),
        "face": (tr("smallest face first"), tr("largest face first")),
        "tokens": (tr("most tokens first"), tr("fewest tokens first")),
        "tags": (tr("fewest tags first"), tr("most tags first")),
    }[order]
    return other if is_reversed else usual
