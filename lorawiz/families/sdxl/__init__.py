"""Stable Diffusion XL: card.py says what it is, adapter.py runs it."""
