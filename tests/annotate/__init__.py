"""Tests of the models that look at images, on photos and on tiny models of random weights."""
