"""Stable Diffusion 1.x: card.py says what it is, adapter.py runs it."""
