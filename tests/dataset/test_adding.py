"""`lorawiz add`: byte for byte, nothing moved, broken ones told."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from lorawiz.dataset import adding as adding_module
from lorawiz.dataset import decoding as decoding_module
from lorawiz.dataset import sources as sources_module
from lorawiz.dataset.adding import AddReport, add_images
from lorawiz.dataset.facts import load_facts
from lorawiz.dataset.finding_images import find_images
from lorawiz.dataset.images import BrokenImageError, decode_image
from lorawiz.dataset.names import numbered_name
from lorawiz.dataset.records import load_dataset
from lorawiz.dataset.sources import Source
from lorawiz.errors import DatasetError
from lorawiz.paths import Project, file_sha256
from tests.support.projects import save_photo


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for index in range(3):
        save_photo(folder / f"IMG_{index}.jpg", (80 + index, 60), seed=index)
    return folder


def report_of(project: Project, *paths: Path, link: bool = False) -> AddReport:
    return add_images(project, find_images(paths).sources, link)


def add(project: Project, *paths: Path, link: bool = False) -> list[str]:
    return [record.image_path for record in report_of(project, *paths, link=link).added]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_images_come_in_byte_for_byte_and_stay_where_they_were(
    project: Project, photos: Path
) -> None:
    before = {path.name: file_sha256(path) for path in photos.iterdir()}
    assert add(project, photos) == ["images/IMG_0.jpg", "images/IMG_1.jpg", "images/IMG_2.jpg"]
    assert {path.name: file_sha256(path) for path in photos.iterdir()} == before
    for record in load_dataset(project.dataset).records:
        assert file_sha256(project.root / record.image_path) == record.sha256
        assert record.width - 80 == int(record.image_path[-5])


def test_what_is_no_ones_to_decide_yet_stays_at_its_defaults(
    project: Project, photos: Path
) -> None:
    add(project, photos)
    assert set(json.loads(project.dataset.read_text().splitlines()[0])) == {
        "image_path", "caption", "tags", "width", "height", "sha256",
    }  # fmt: skip


def test_the_copy_keeps_its_time_and_is_readable_like_other_files(
    project: Project, photos: Path
) -> None:
    os.utime(photos / "IMG_0.jpg", ns=(10**18, 10**18))
    (photos / "IMG_0.jpg").chmod(0o400)
    add(project, photos)
    umask = os.umask(0)
    os.umask(umask)
    status = (project.images / "IMG_0.jpg").stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (10**18, 0o666 & ~umask)


def test_the_same_bytes_are_added_once(project: Project, photos: Path) -> None:
    add(project, photos)
    (photos / "copy.jpg").write_bytes((photos / "IMG_0.jpg").read_bytes())
    assert add(project, photos) == []
    assert len(load_dataset(project.dataset).records) == 3


def test_the_same_bytes_twice_in_one_go_are_added_once(project: Project, photos: Path) -> None:
    (photos / "copy.jpg").write_bytes((photos / "IMG_0.jpg").read_bytes())
    report = report_of(project, photos)
    assert (len(report.added), report.known) == (3, [str(photos / "copy.jpg")])
    assert files_in(project.images) == ["IMG_0.jpg", "IMG_1.jpg", "IMG_2.jpg"]


def test_another_image_of_the_same_name_gets_a_number(
    project: Project, photos: Path, tmp_path: Path
) -> None:
    add(project, photos)
    other = save_photo(tmp_path / "other" / "IMG_0.jpg", seed=9)
    report = report_of(project, other)
    assert [record.image_path for record in report.added] == ["images/IMG_0-2.jpg"]
    assert report.renamed == [(str(other), "images/IMG_0-2.jpg")]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.jpg", "a.png"], ["a.jpg", "a-2.png"]),
        (["A.jpg", "a.jpg"], ["A.jpg", "a-2.jpg"]),
        (["e\u0301.jpg", "\u00e9.jpg"], ["e\u0301.jpg", "\u00e9-2.jpg"]),
        (["STRASSE.jpg", "straße.jpg"], ["STRASSE.jpg", "straße-2.jpg"]),
        (["x" * 251 + ".jpg", "X" * 251 + ".jpg"], ["x" * 251 + ".jpg", "X" * 249 + "-2.jpg"]),
        (["é" * 125 + ".jpg", "é" * 125 + ".png"], ["é" * 125 + ".jpg", "é" * 124 + "-2.png"]),
    ],
)
def test_names_that_collide_somewhere_are_numbered(
    project: Project, tmp_path: Path, names: list[str], expected: list[str]
) -> None:
    for seed, name in enumerate(names):
        save_photo(tmp_path / str(seed) / name, seed=seed)
    assert add(project, tmp_path / "0", tmp_path / "1") == [f"images/{name}" for name in expected]
    assert files_in(project.images) == sorted(expected)


@pytest.mark.parametrize(
    "name",
    ["a\nb.jpg", "\x1b]52;c;x\x07.jpg", "a\u202egpj.exe.jpg", " .jpg", "-rf.jpg", "a\\b.jpg",
     "a\u2028b.jpg", "a'\"$(x).jpg", "dot..jpg", os.fsdecode(b"caf\xe9\xff.jpg")],
)  # fmt: skip
def test_odd_names_are_kept_and_read_again(project: Project, tmp_path: Path, name: str) -> None:
    save_photo(tmp_path / "in.jpg").rename(tmp_path / name)
    assert add(project, tmp_path / name) == [f"images/{name}"]
    [record] = load_dataset(project.dataset).records
    assert file_sha256(project.root / record.image_path) == record.sha256


def test_a_broken_image_gets_a_line_with_the_reason(project: Project, photos: Path) -> None:
    (photos / "IMG_1.jpg").write_bytes(b"not an image")
    add(project, photos)
    broken = [r for r in load_dataset(project.dataset).records if r.status == "broken"]
    assert [r.image_path for r in broken] == ["images/IMG_1.jpg"]
    assert broken[0].reason.startswith("not an image")
    assert (photos / "IMG_1.jpg").read_bytes() == b"not an image"
    assert len(load_dataset(project.dataset).trained) == 2


def test_a_broken_image_is_mended_by_adding_it_again(
    project: Project, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise BrokenImageError(f"{path.name}: needs the extra 'heif'")

    with monkeypatch.context() as patch:
        patch.setattr(decoding_module, "decode_image", fail)
        report_of(project, photos / "IMG_0.jpg")
        assert report_of(project, photos / "IMG_0.jpg").known == [str(photos / "IMG_0.jpg")]
    report = report_of(project, photos / "IMG_0.jpg")
    assert [record.image_path for record in report.mended] == ["images/IMG_0.jpg"]
    [record] = load_dataset(project.dataset).records
    assert (record.status, record.reason, record.width) == ("ok", "", 80)
    assert files_in(project.images) == ["IMG_0.jpg"]
    assert load_facts(project, [record])


def test_links_point_at_the_originals(project: Project, photos: Path) -> None:
    add(project, photos, link=True)
    link = project.images / "IMG_0.jpg"
    assert link.is_symlink()
    assert link.resolve() == (photos / "IMG_0.jpg").resolve()
    assert add(project, project.images) == []


def test_images_that_lie_in_the_project_already_are_not_copied(project: Project) -> None:
    save_photo(project.images / "deep" / "a.jpg")
    assert add(project, project.images) == ["images/deep/a.jpg"]
    assert [path.name for path in project.images.rglob("*.jpg")] == ["a.jpg"]


def test_a_file_that_was_replaced_in_place_does_not_take_over_the_old_line(
    project: Project, photos: Path
) -> None:
    add(project, photos)
    before = project.dataset.read_bytes()
    save_photo(project.images / "IMG_0.jpg", seed=9)
    report = report_of(project, project.images)
    assert [each.reason for each in report.skipped] == [
        "not the file that was added: add it under another name"
    ]
    assert (report.added, project.dataset.read_bytes()) == ([], before)


def test_hand_written_words_survive_a_second_add(project: Project, photos: Path) -> None:
    add(project, photos)
    text = project.dataset.read_text().replace('"caption": ""', '"caption": "mine"', 1)
    project.dataset.write_text(text)
    save_photo(photos / "new.jpg", seed=8)
    assert add(project, photos) == ["images/new.jpg"]
    assert load_dataset(project.dataset).records[0].caption == "mine"


def test_a_line_that_is_edited_while_images_come_in_keeps_the_edit(
    project: Project, photos: Path
) -> None:
    add(project, photos)

    def edit(done: int, total: int) -> None:
        text = project.dataset.read_text().replace('"caption": ""', '"caption": "mine"', 1)
        project.dataset.write_text(text)

    new = save_photo(photos / "new.jpg", seed=8)
    add_images(project, [Source(new)], on_progress=edit)
    records = load_dataset(project.dataset).records
    assert [record.caption for record in records] == ["mine", "", "", ""]


def test_files_that_cannot_be_read_are_told_and_the_rest_comes_in(
    project: Project, photos: Path, tmp_path: Path
) -> None:
    os.mkfifo(photos / "pipe.jpg")
    (photos / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (photos / "loop.jpg").symlink_to(photos / "loop.jpg")
    (photos / "zero.jpg").symlink_to("/dev/zero")
    report = report_of(project, photos)
    assert len(report.added) == 3
    assert {Path(each.path).name: each.reason for each in report.skipped} == {
        "gone.jpg": "not there",
        "loop.jpg": "not there",
        "pipe.jpg": "not a regular file",
        "zero.jpg": "not a regular file",
    }
    assert not report.is_complete


def test_a_file_that_is_swapped_for_a_pipe_is_not_waited_for(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    sources = [Source(tmp_path / "a.jpg")]
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    assert [each.reason for each in add_images(project, sources).skipped] == ["not a regular file"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_told(project: Project, photos: Path) -> None:
    (photos / "IMG_1.jpg").chmod(0)
    report = report_of(project, photos)
    assert [each.reason for each in report.skipped] == ["Permission denied"]


def test_a_read_error_skips_one_file(
    project: Project, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TornFile(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    @contextmanager
    def open_torn(path: Path) -> Iterator[BinaryIO]:
        if path.name == "IMG_1.jpg":
            yield TornFile()
        else:
            with open_regular(path) as file:
                yield file

    open_regular = sources_module._open_regular
    monkeypatch.setattr(sources_module, "_open_regular", open_torn)
    report = report_of(project, photos)
    assert [each.reason for each in report.skipped] == ["Input/output error"]
    assert len(report.added) == 2


def test_a_full_disk_leaves_what_was_added_and_no_rubbish(
    project: Project, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sources_module._write_copy

    def fill_disk(copy: Path, chunks: object) -> str:
        digest = write(copy, chunks)  # type: ignore[arg-type]
        if copy.stat().st_size == (photos / "IMG_2.jpg").stat().st_size:
            raise OSError(errno.ENOSPC, "No space left on device", str(copy))
        return digest

    save_photo(photos / "IMG_2.jpg", (300, 300), seed=2)
    monkeypatch.setattr(sources_module, "_write_copy", fill_disk)
    with pytest.raises(OSError, match="No space left"):
        report_of(project, photos)
    assert files_in(project.images) == ["IMG_0.jpg", "IMG_1.jpg"]
    assert len(load_dataset(project.dataset).records) == 2
    monkeypatch.setattr(sources_module, "_write_copy", write)
    assert add(project, photos) == ["images/IMG_2.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("limit_bytes", [0, 1000, 3000, 20_000])
def test_a_file_that_cannot_grow_is_a_sentence(
    project: Project, photos: Path, limit_bytes: int
) -> None:
    save_photo(photos / "large.png", (200, 200))
    project.root.mkdir()
    (project.root / "lorawiz.toml").write_text("schema = 1\n")
    code = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))\n"
        "from lorawiz.cli.main import main\n"
        "main()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, "add", str(photos)],
        cwd=project.root, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert told.returncode == 2, told.stderr
    assert "Traceback" not in told.stderr
    assert "File too large" in told.stderr
    assert not [name for name in files_in(project.images) if name.startswith(".")]
    records = load_dataset(project.dataset).records
    assert {r.image_path for r in records} <= {f"images/{n}" for n in files_in(project.images)}
    assert len(add(project, photos)) == 4 - len(records)


def test_a_kill_at_any_moment_leaves_a_whole_dataset_and_the_next_add_goes_on(
    tmp_path: Path,
) -> None:
    photos = tmp_path / "photos"
    for index in range(60):
        save_photo(photos / f"{index:03d}.jpg", (40, 40), seed=index)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from lorawiz.dataset import adding\n"
        "from lorawiz.dataset.finding_images import find_images\n"
        "from lorawiz.paths import Project\n"
        "adding._SAVE_EVERY_S = 0.0\n"
        "adding._SAVE_SHARE = 0\n"
        "print('ready', flush=True)\n"
        "sources = find_images([Path(sys.argv[2])]).sources\n"
        "adding.add_images(Project(Path(sys.argv[1])), sources)\n"
    )
    partly = 0
    for trial in range(8):
        project = Project(tmp_path / f"project-{trial}")
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(project.root), str(photos)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        wanted = trial * 7
        deadline = time.monotonic() + 30
        while child.poll() is None and time.monotonic() < deadline:
            if project.images.is_dir() and len(list(project.images.glob("*.jpg"))) >= wanted:
                break
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        before = load_dataset(project.dataset).records
        partly += 0 < len(before) < 60
        add(project, photos)
        assert len(load_dataset(project.dataset).records) == 60
        assert len(list(project.images.glob("*.jpg"))) == 60
    assert partly


def test_an_interrupt_keeps_what_was_added(project: Project, photos: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_images(project, find_images([photos]).sources, on_progress=interrupt)
    assert len(load_dataset(project.dataset).records) == 2
    assert files_in(project.images) == ["IMG_0.jpg", "IMG_1.jpg"]
    assert add(project, photos) == ["images/IMG_2.jpg"]


def test_an_add_that_was_killed_before_its_line_was_written_can_be_repeated(
    project: Project, photos: Path
) -> None:
    add(project, photos)
    project.dataset.unlink()
    assert len(add(project, photos)) == 3
    assert files_in(project.images) == ["IMG_0.jpg", "IMG_1.jpg", "IMG_2.jpg"]


def test_what_a_killed_add_left_is_swept_when_it_is_old(
    project: Project, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.images / ".adding-left").mkdir(parents=True)
    add(project, photos / "IMG_0.jpg")
    assert (project.images / ".adding-left").exists()
    monkeypatch.setattr(adding_module, "_LEFTOVER_AFTER_S", -1.0)
    add(project, photos / "IMG_1.jpg")
    assert not (project.images / ".adding-left").exists()


def test_a_thousand_images_of_one_name_take_no_longer_than_others(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    def count(name: str, number: int) -> str:
        nonlocal tried
        tried += 1
        return numbered_name(name, number)

    monkeypatch.setattr(adding_module, "numbered_name", count)
    for index in range(100):
        save_photo(tmp_path / "in" / str(index) / "image.png", (8, 8), seed=index)
    assert len(add(project, tmp_path / "in")) == 100
    assert tried == 100


def test_facts_are_there_after_an_add(project: Project, photos: Path) -> None:
    add(project, photos)
    assert len(load_facts(project, load_dataset(project.dataset).records)) == 3


def test_an_image_is_decoded_once(
    project: Project, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def count(path: Path) -> object:
        decoded.append(path)
        return decode_image(path)

    monkeypatch.setattr(decoding_module, "decode_image", count)
    add(project, photos)
    add(project, photos)
    assert len(decoded) == 3


def test_words_that_nobody_would_dare_to_type_come_back_as_they_were(
    project: Project, corpora: Path, tmp_path: Path
) -> None:
    with tarfile.open(corpora / "text.tar.gz") as archive:
        archive.extractall(tmp_path / "text", filter="data")
    naughty: list[str] = json.loads(next(tmp_path.rglob("blns.json")).read_text("utf-8"))
    assert len(naughty) > 500
    sources = [
        Source(save_photo(tmp_path / "in" / f"{i:04d}.png", (4, 4), seed=i), words, (words, "tag"))
        for i, words in enumerate(naughty)
    ]
    add_images(project, sources)
    records = load_dataset(project.dataset).records
    assert [record.caption for record in records] == naughty
    assert [record.tags for record in records] == [(words, "tag") for words in naughty]


def test_an_image_of_a_name_that_is_a_folder_gets_a_number(project: Project, photos: Path) -> None:
    (project.images / "IMG_0.jpg").mkdir(parents=True)
    assert add(project, photos / "IMG_0.jpg") == ["images/IMG_0-2.jpg"]


def test_linking_to_what_lies_in_a_zip_file_is_refused(project: Project, photos: Path) -> None:
    archive = Path(shutil.make_archive(str(photos.parent / "photos"), "zip", photos))
    with pytest.raises(DatasetError, match="in a zip file cannot be linked"):
        report_of(project, archive, link=True)
    assert not project.root.exists()
