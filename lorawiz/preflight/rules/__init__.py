"""The rules, a file a subject; importing this package fills the table."""

from lorawiz.preflight.rules import images, machine, models, schedule, settings, words

__all__ = ["images", "machine", "models", "schedule", "settings", "words"]
