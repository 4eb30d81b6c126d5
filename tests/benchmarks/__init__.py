"""Measurements, run by hand: `python -m tests.benchmarks.full_size_step`."""
