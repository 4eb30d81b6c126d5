"""Two runs side by side: their curves, figures and settings."""
