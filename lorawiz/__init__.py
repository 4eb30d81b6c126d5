"""lorawiz: train a LoRA from a terminal, on a remote GPU box."""

__version__ = "0.1.0"
