"""Randomness as a pure function: nothing random has a hidden state that a resume could lose."""

import hashlib


def derive_seed(seed: int, *parts: str | int) -> int:
    """A 63-bit seed for one purpose, such as ("noise", epoch, image).

    The same seed and parts give the same number on every machine and version of Python.
    """
    text = "\0".join([str(seed), *map(str, parts)])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
