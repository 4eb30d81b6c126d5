"""Pictures from base and LoRA, and grids to compare them in."""
