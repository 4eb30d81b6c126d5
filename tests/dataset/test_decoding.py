"""The first look at a file, in a child process: what goes wrong there costs one file."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lorawiz.dataset.adding import add_images
from lorawiz.dataset.decoding import DecoderPool, look_at
from lorawiz.dataset.images import BrokenImageError
from lorawiz.dataset.records import load_dataset
from lorawiz.dataset.sources import Source
from tests.support.projects import make_project, save_photo

TROUBLE = """
import os, signal, sys, time
import lorawiz.dataset.decoding as room
real = room.look_at
def look_at(path):
    if path.name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.name.startswith("hang"):
        time.sleep(60)
    if path.name.startswith("big"):
        bytearray(room.MEMORY_LIMIT_BYTES)
    if path.name.startswith("loud"):
        os.write(1, b"native noise\\n")
    return real(path)
room.look_at = look_at
room.main()
"""
PROGRAM = (sys.executable, "-c", TROUBLE)


def test_a_child_sees_what_this_process_sees(tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "a.jpg", (120, 80))
    with DecoderPool() as pool:
        assert pool.look_at(photo) == look_at(photo)


def test_a_broken_file_is_told_in_the_same_words(tmp_path: Path) -> None:
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"no image")
    with pytest.raises(BrokenImageError) as here:
        look_at(torn)
    with DecoderPool() as pool, pytest.raises(BrokenImageError) as there:
        pool.look_at(torn)
    assert (there.value.message, there.value.hint) == (here.value.message, here.value.hint)


@pytest.mark.parametrize(("name", "said"), [
    ("crash.jpg", "crash.jpg: its decoder crashed"),
    ("hang.jpg", "hang.jpg: its decoder took more than 2 s"),
    ("big.jpg", "big.jpg: its decoder crashed"),
])  # fmt: skip
def test_trouble_costs_one_file(tmp_path: Path, name: str, said: str) -> None:
    bad, good = save_photo(tmp_path / name), save_photo(tmp_path / "good.jpg", seed=1)
    with DecoderPool(PROGRAM, limit_s=2.0) as pool:
        with pytest.raises(BrokenImageError, match=said):
            pool.look_at(bad)
        assert pool.look_at(good) == look_at(good)


def test_what_a_library_prints_is_no_answer(tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "loud.jpg")
    with DecoderPool(PROGRAM) as pool:
        assert pool.look_at(photo) == look_at(photo)
        assert pool.look_at(photo) == look_at(photo)


def test_threads_have_children_of_their_own_and_all_end(tmp_path: Path) -> None:
    photos = [save_photo(tmp_path / f"{i}.jpg", seed=i) for i in range(8)]
    with DecoderPool() as pool, ThreadPoolExecutor(3) as threads:
        looks = list(threads.map(pool.look_at, photos))
        children = list(pool._idle.queue)
    assert looks == [look_at(photo) for photo in photos]
    assert 1 <= len(children) <= 3
    assert all(child.returncode is not None for child in children)


def test_odd_names_reach_the_child(tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "plain.jpg")
    odd = tmp_path / os.fsdecode(b"a\nb\x1b\xff.jpg")
    photo.rename(odd)
    with DecoderPool() as pool:
        assert pool.look_at(odd).width == 96


def test_an_add_goes_on_behind_a_decoder_that_crashed(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", 0)
    names = ("a.jpg", "crash-1.jpg", "b.jpg", "crash-2.jpg", "c.jpg")
    sources = [Source(save_photo(tmp_path / name, seed=i)) for i, name in enumerate(names)]
    with DecoderPool(PROGRAM) as pool:
        add_images(project, sources, link=True, look_at=pool.look_at)
    told = {Path(r.image_path).name: r.reason for r in load_dataset(project.dataset).records}
    assert [name for name in names if not told[name]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert told["crash-1.jpg"] == "its decoder crashed"
