"""File names of images: which of them collide somewhere, and how long they may be."""

import os
import unicodedata

MAX_NAME_BYTES = 255
"""The longest file name that usual file systems take."""
_MAX_SUFFIX_BYTES = 32


def name_key(image_path: str) -> str:
    """What two image paths have in common that collide somewhere: case, Unicode form, ending.

    Masks and sidecars go by the name without its ending, and some disks see no difference
    between cases, or between an accent of its own and one that is part of the letter.
    """
    stem, _ = os.path.splitext(image_path)  # noqa: PTH122 - Path() would drop parts such as "."
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())


def numbered_name(name: str, number: int) -> str:
    """`name` for 1, `name-2` and so on, cut to what a file system takes."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    if len(os.fsencode(suffix)) > _MAX_SUFFIX_BYTES:  # a sentence with a dot in it
        stem, suffix = name, ""
    ending = suffix if number == 1 else f"-{number}{suffix}"
    while stem and len(os.fsencode(stem + ending)) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return (stem or "image") + ending
