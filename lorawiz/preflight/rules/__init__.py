"""The rules, a file a subject; importing this package fills the table."""

from lorawiz.preflight.rules import (
    annotations,
    images,
    machine,
    models,
    schedule,
    settings,
    words,
)

__all__ = ["annotations", "images", "machine", "models", "schedule", "settings", "words"]
