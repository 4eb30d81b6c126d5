"""Captions and tags that other tools left beside an image: `.caption` and `.txt`."""

from pathlib import Path

from lorawiz.dataset.adding import Source
from lorawiz.errors import DatasetError, visible_text

_TAG_WORDS = 4
"""A tag has at most this many words; a caption's clauses are longer."""


def read_sidecars(image: Path) -> Source:
    """The image with what stands beside it.

    `.caption` is a caption. `.txt` is tags, as the WD14 taggers write them, unless it reads like
    a sentence and there is no `.caption`. Raises DatasetError for text that is not UTF-8.
    """
    caption = _read(image, ".caption")
    text = _read(image, ".txt")
    if text and not caption and not _looks_like_tags(text):
        return Source(image, caption=text)
    return Source(image, caption=caption, tags=split_tags(text))


def split_tags(text: str) -> tuple[str, ...]:
    """A comma list as tags: trimmed, none empty, none twice."""
    parts = (part.strip() for part in text.replace("\n", ",").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _looks_like_tags(text: str) -> bool:
    parts = split_tags(text)
    return all(len(part.split()) <= _TAG_WORDS for part in parts)


def _read(image: Path, suffix: str) -> str:
    path = image.with_suffix(suffix)
    if not path.is_file():
        return ""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"{visible_text(str(path))}:{line}: not UTF-8 (byte 0x{raw[error.start]:02X})",
            f"iconv -f LATIN1 -t UTF-8 {visible_text(path.name)} > fixed.txt, or save it as UTF-8",
        ) from error
