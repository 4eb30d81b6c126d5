"""The demo's photographs, with captions and tags as a user would have them, and its base model.

The base has never seen the person in the photographs: base/README.md says what it has seen.
"""

from pathlib import Path

PHOTOS = Path(__file__).with_name("photos")
"""Eight crops of one portrait."""
PORTRAITS = tuple(PHOTOS / f"astronaut-{number:02d}.jpg" for number in (2, 4, 8))
"""Those that the demo trains on: head and shoulders, so that 64 pixels show them."""
TRIGGER = "zkw"
CLASS_WORD = "woman"
BASE = Path(__file__).with_name("base")
"""A diffusers folder of the sd15 family in its own small size, in fp16."""
BASE_NAME = "lorawiz-demo-sd15"
KNOWN_SUBJECTS = (
    "a photo of a woman",
    "a photo of a man",
    "a photo of a cat",
    "a photo of a cup of coffee",
    "a photo of a rocket",
    "a photo of a temple",
    "a photo of a flower",
)
"""Prompts whose subject the base has learned."""
