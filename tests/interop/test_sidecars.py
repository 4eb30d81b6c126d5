"""Captions and tags that other tools left beside an image."""

from pathlib import Path

import pytest

from lorawiz.dataset.adding import Source
from lorawiz.errors import DatasetError
from lorawiz.interop.sidecars import read_sidecars, split_tags


def read(tmp_path: Path, **files: str) -> Source:
    for suffix, text in files.items():
        (tmp_path / f"a.{suffix}").write_text(text, encoding="utf-8")
    return read_sidecars(tmp_path / "a.jpg")


def test_caption_and_txt_are_caption_and_tags(tmp_path: Path) -> None:
    found = read(tmp_path, caption="a woman\n", txt="lyq, smile,  red coat, smile,\n")
    assert (found.caption, found.tags) == ("a woman", ("lyq", "smile", "red coat"))


def test_a_sentence_in_txt_is_a_caption(tmp_path: Path) -> None:
    found = read(tmp_path, txt="a woman in a red coat who smiles at the camera")
    assert (found.caption, found.tags) == ("a woman in a red coat who smiles at the camera", ())


def test_no_sidecars_are_no_words(tmp_path: Path) -> None:
    assert read(tmp_path) == Source(tmp_path / "a.jpg")


def test_a_byte_order_mark_is_not_part_of_the_first_tag(tmp_path: Path) -> None:
    assert read(tmp_path, txt="\ufefflyq, smile").tags == ("lyq", "smile")


def test_text_that_is_not_utf8_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.caption").write_bytes(b"one\ncaf\xe9\n")
    with pytest.raises(DatasetError, match=r"a\.caption:2: not UTF-8 \(byte 0xE9\)"):
        read_sidecars(tmp_path / "a.jpg")


def test_tags_are_split_once() -> None:
    assert split_tags("a, b,,c\nd, a ") == ("a", "b", "c", "d")
