"""A model folder in the hub's layout, recognised without loading anything."""

import json
from pathlib import Path


def read_model_type(folder: Path) -> str:
    """`model_type` of the folder's config.json; empty where there is none that can be read."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(config.get("model_type", "")) if isinstance(config, dict) else ""
