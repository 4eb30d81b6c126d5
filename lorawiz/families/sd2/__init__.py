"""Stable Diffusion 2.x: card.py says what it is, adapter.py runs it."""
