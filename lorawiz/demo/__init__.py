"""The demo's photographs, with captions and tags beside them as a user would have them."""

from pathlib import Path

PHOTOS = Path(__file__).with_name("photos")
TRIGGER = "zkw"
CLASS_WORD = "woman"
