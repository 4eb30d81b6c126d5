"""The rules, a file a subject; importing this package fills the table."""

from lorawiz.preflight.rules import (
    annotations,
    images,
    losses,
    machine,
    models,
    network,
    optimizers,
    products,
    prompt_weights,
    schedule,
    settings,
    subsets,
    validation,
    words,
)

__all__ = [
    "annotations",
    "images",
    "losses",
    "machine",
    "models",
    "network",
    "optimizers",
    "products",
    "prompt_weights",
    "schedule",
    "settings",
    "subsets",
    "validation",
    "words",
]
