"""Captions and tags that other tools left beside an image."""

import json
import tarfile
from pathlib import Path

import pytest

from lorawiz.dataset.sources import Source
from lorawiz.interop import sidecars
from lorawiz.interop.sidecars import read_sidecars, split_tags


def read_one(image: Path) -> Source:
    [source] = read_sidecars([Source(image)])
    return source


def read(tmp_path: Path, **files: str | bytes) -> Source:
    for suffix, text in files.items():
        raw = text.encode("utf-8") if isinstance(text, str) else text
        (tmp_path / f"a.{suffix}").write_bytes(raw)
    return read_one(tmp_path / "a.jpg")


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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_parts_tags(tmp_path: Path, end: str) -> None:
    assert read(tmp_path, txt=f"lyq, smile{end}coat{end}").tags == ("lyq", "smile", "coat")
    assert read(tmp_path, caption=f"one{end}two{end}", txt="x").caption == "one\ntwo"


@pytest.mark.parametrize("odd", ["a\0b", "a\u2028b", "a\x85b", "a\x0bb", "a\u202eb", "x\ufffdy"])
def test_odd_characters_stay_inside_their_tag(tmp_path: Path, odd: str) -> None:
    assert read(tmp_path, txt=f"lyq, {odd}, smile").tags == ("lyq", odd, "smile")


def test_a_line_of_a_mebibyte_is_read_whole(tmp_path: Path) -> None:
    long = "x" * (1 << 20)
    assert read(tmp_path, txt=f"lyq, {long}").tags == ("lyq", long)
    assert read(tmp_path, caption=long).caption == long


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"one\ncaf\xe9\n", r"a.caption:2: not UTF-8 (byte 0xE9): iconv -f LATIN1"),
        ("猫".encode("shift-jis"), "not UTF-8"),
        ("lyq, café".encode("utf-16"), "a.caption: UTF-16, not UTF-8: iconv -f UTF-16"),
        ("lyq, smile".encode("utf-16-le"), "UTF-16"),
        ("lyq, smile".encode("utf-16-be"), "UTF-16"),
        (b"\xed\xa0\x80", "not UTF-8"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_text_that_is_not_utf8_leaves_the_image_without_words_and_says_why(
    tmp_path: Path, raw: bytes, said: str
) -> None:
    found = read(tmp_path, caption=raw, txt="lyq, smile")
    assert (found.caption, found.tags) == ("", ())
    assert said in found.unread
    assert (tmp_path / "a.caption").read_bytes() == raw


def test_a_file_of_words_without_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecars, "MAX_TEXT_BYTES", 1 << 20)
    assert "a.txt: longer than 1 MiB" in read(tmp_path, txt="x" * ((1 << 20) + 1)).unread


def test_accents_may_be_written_in_another_form(tmp_path: Path) -> None:
    (tmp_path / "caf\u00e9.txt").write_text("lyq")
    assert read_one(tmp_path / "cafe\u0301.jpg").tags == ("lyq",)


def test_a_name_with_dots_keeps_all_but_the_last(tmp_path: Path) -> None:
    (tmp_path / "v1.5.txt").write_text("lyq")
    assert read_one(tmp_path / "v1.5.jpg").tags == ("lyq",)


def test_a_folder_of_that_name_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    assert read_one(tmp_path / "a.jpg") == Source(tmp_path / "a.jpg")


def test_tags_are_split_once() -> None:
    assert split_tags("a, b,,c\nd, a ") == ("a", "b", "c", "d")


def test_foreign_texts_are_read_as_they_are_or_refused(corpora: Path, tmp_path: Path) -> None:
    with tarfile.open(corpora / "text.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    naughty: list[str] = json.loads(next(tmp_path.rglob("blns.json")).read_text("utf-8"))
    for words in naughty:
        caption = read(tmp_path, caption="\ufeff" + words).caption
        assert caption == words.replace("\r\n", "\n").replace("\r", "\n").strip()
    num_documents = 0
    for path in sorted((tmp_path / "text" / "utf8").rglob("*.txt")):
        (tmp_path / "a.caption").unlink(missing_ok=True)
        found = read(tmp_path, caption=path.read_bytes())
        num_documents += 1
        assert bool(found.caption) != bool(found.unread), path
        assert "\ufffd" not in found.caption or b"\xef\xbf\xbd" in path.read_bytes()
    assert num_documents >= 20
