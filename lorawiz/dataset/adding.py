"""Bringing images into a project: byte for byte, hashed, checked, never moved or changed.

Threads read, copy and decode; the main thread alone names files and writes lines. The dataset is
written every few seconds, so a kill loses moments, and what was copied is known again.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from lorawiz.dataset.archives import Archive
from lorawiz.dataset.decoding import LookAt, look_at
from lorawiz.dataset.facts import PictureFacts, append_facts
from lorawiz.dataset.names import name_key, numbered_name
from lorawiz.dataset.parallel import map_in_order
from lorawiz.dataset.records import ImageRecord, relative_image_path
from lorawiz.dataset.sources import Brought, Source, SourceReader, lies_in
from lorawiz.dataset.store import add_records, read_dataset
from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project, file_sha256
from lorawiz.wording import show_bytes

_SAVE_EVERY_S = 10.0
_SAVE_SHARE = 20
"""Between two saves there is at least so many times what a save takes: 5 % of the time."""
_TEMPORARY = ".adding-"
_LEFTOVER_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that did not come in."""

    path: str
    reason: str


@dataclass
class AddReport:
    """What `add_images` did."""

    added: list[ImageRecord] = field(default_factory=list)
    """New lines of dataset.jsonl, the broken ones too."""
    mended: list[ImageRecord] = field(default_factory=list)
    """Lines of broken images that can be decoded now."""
    known: list[str] = field(default_factory=list)
    """Files whose bytes are in the dataset already."""
    skipped: list[Skipped] = field(default_factory=list)
    """Files that could not be read."""
    wordless: list[Skipped] = field(default_factory=list)
    """Images that came in without the words beside them, and why."""
    renamed: list[tuple[str, str]] = field(default_factory=list)
    """(file, image path) where the name was taken."""

    @property
    def is_complete(self) -> bool:
        """Whether every file and its words could be read."""
        return not self.skipped and not self.wordless

    @property
    def broken(self) -> list[ImageRecord]:
        return [record for record in self.added if record.status == "broken"]


def add_images(
    project: Project,
    sources: Sequence[Source],
    link: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    look_at: LookAt = look_at,
    subset: str = "",
) -> AddReport:
    """Copy (or link) `sources` into images/, or images/SUBSET/, and write their lines.

    The same bytes are added once. A name that is taken gets a number; names are taken whatever
    their ending, case or Unicode form, as masks and sidecars go by the name alone. What cannot
    be decoded gets a line with `status = "broken"` and the reason; what cannot be read is
    skipped. Raises DatasetError, and OSError (a full disk): what was added by then stays.
    """
    if link and any(source.member for source in sources):
        raise DatasetError(
            "--link: what lies in a zip file cannot be linked to", "leave --link out, or unzip it"
        )
    with ExitStack() as stack:
        archives = _open_archives(stack, sources)
        _check_space(project, archives, sources)
        adding = _Adding(project, subset)
        stack.enter_context(adding.saved_at_the_end())
        folder = None if link else stack.enter_context(_temporary_folder(project))
        reader = SourceReader(project, archives, folder, adding.hashes, look_at)
        brought = stack.enter_context(closing(map_in_order(reader.bring, sources)))
        for done, (source, each) in enumerate(zip(sources, brought, strict=True), 1):
            adding.take(source, each)
            adding.save_when_due()
            on_progress(done, len(sources))
    return adding.report


class _Adding:
    """The main thread's part: names, lines, and when to write them."""

    def __init__(self, project: Project, subset: str) -> None:
        dataset = read_dataset(project)
        self._folder = project.images / subset
        self.report = AddReport()
        # what was broken is looked at again: a decoder may have been installed since
        self._broken = {r.sha256: r for r in dataset.records if r.status == "broken"}
        self.hashes = {record.sha256 for record in dataset.records} - self._broken.keys()
        self._project = project
        self._images = project.images.resolve()
        self._listed = {record.image_path for record in dataset.records}
        self._names = {name_key(record.image_path) for record in dataset.records}
        self._next_numbers: dict[str, int] = {}
        self._facts: list[tuple[str, PictureFacts]] = []
        self._unsaved: list[ImageRecord] = []
        self._next_save = time.monotonic() + _SAVE_EVERY_S

    def take(self, source: Source, brought: Brought) -> None:
        """Give what a thread brought its name and line."""
        if brought.skipped:
            self.report.skipped.append(Skipped(source.shown, brought.skipped))
            return
        in_place = self._find_in_place(source)
        is_known = brought.sha256 in self.hashes or brought.sha256 in self._broken
        if in_place in self._listed and not is_known:
            # its line holds words that may not fit the new picture, and that somebody wrote
            self.report.skipped.append(
                Skipped(source.shown, "not the file that was added: add it under another name")
            )
            return
        old = self._broken.pop(brought.sha256, None)
        if brought.sha256 in self.hashes or (old is not None and brought.reason):
            self.report.known.append(source.shown)
            _discard(brought)
        elif old is not None:
            mended = replace(
                old, width=brought.width, height=brought.height, status="ok", reason=""
            )
            self.report.mended.append(mended)
            self._unsaved.append(mended)
            _discard(brought)
        else:
            added = self._add(source, brought, in_place)
            self.report.added.append(added)
            self._unsaved.append(added)
        if brought.facts is not None and brought.sha256 not in self.hashes:
            self._facts.append((brought.sha256, brought.facts))
        self.hashes.add(brought.sha256)

    def _add(self, source: Source, brought: Brought, in_place: str | None) -> ImageRecord:
        if source.unread:
            self.report.wordless.append(Skipped(source.shown, source.unread))
        image_path = in_place or self._place(source, brought)
        self._listed.add(image_path)
        self._names.add(name_key(image_path))
        return ImageRecord(
            image_path, brought.sha256, brought.width, brought.height,
            caption=source.caption, tags=source.tags,
            status="broken" if brought.reason else "ok", reason=brought.reason,
        )  # fmt: skip

    def save_when_due(self) -> None:
        """Write the dataset when it is time; the larger it is, the more seldom."""
        begin = time.monotonic()
        if begin < self._next_save:
            return
        self._save()
        end = time.monotonic()
        self._next_save = end + max(_SAVE_EVERY_S, _SAVE_SHARE * (end - begin))

    @contextmanager
    def saved_at_the_end(self) -> Iterator[None]:
        """Keep what was added whatever happens."""
        try:
            yield
        except BaseException:
            with suppress(OSError, DatasetError):  # what ended the work is what is told
                self._save()
            raise
        self._save()

    def _save(self) -> None:
        if self._unsaved:
            add_records(self._project, self._unsaved)
            self._unsaved.clear()
        with suppress(OSError):  # a cache: `check` measures what is missing
            append_facts(self._project, self._facts)
        self._facts.clear()

    def _find_in_place(self, source: Source) -> str | None:
        """The image path of a file that lies under images/ already."""
        if source.member or not lies_in(source.path, self._images):
            return None
        below = source.path.parent.resolve().relative_to(self._images)
        return relative_image_path(self._project, self._project.images / below / source.name)

    def _place(self, source: Source, brought: Brought) -> str:
        """Put the file under images/ and return its path as dataset.jsonl writes it."""
        for name in self._iter_names(source.name):
            target = self._folder / name
            image_path = relative_image_path(self._project, target)
            if self._put(source, brought, target, image_path):
                if name != source.name:
                    self.report.renamed.append((source.shown, image_path))
                return image_path
        raise AssertionError("names do not end")

    def _put(self, source: Source, brought: Brought, target: Path, image_path: str) -> bool:
        """Whether the file could get this name."""
        if image_path in self._listed:
            return False
        if os.path.lexists(target):
            # copied by an `add` that was killed before it wrote the line?
            if not target.is_file() or file_sha256(target) != brought.sha256:
                return False
            _discard(brought)
        elif brought.file is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.path.resolve())
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            return _move(brought.file, target)
        return True

    def _iter_names(self, name: str) -> Iterator[str]:
        """`name`, then `name-2` and so on, from where the last one of this name ended."""
        key = name_key(name)
        while True:
            number = self._next_numbers.get(key, 1)
            self._next_numbers[key] = number + 1
            numbered = numbered_name(name, number)
            image_path = relative_image_path(self._project, self._folder / numbered)
            if name_key(image_path) not in self._names:
                yield numbered


def _open_archives(stack: ExitStack, sources: Sequence[Source]) -> dict[Path, Archive]:
    paths = dict.fromkeys(source.path for source in sources if source.member)
    return {path: stack.enter_context(Archive(path)) for path in paths}


def _check_space(
    project: Project, archives: dict[Path, Archive], sources: Sequence[Source]
) -> None:
    """Refuse zip files that say themselves that they do not fit."""
    needed = {path: 0 for path in archives}
    for source in sources:
        if source.member:
            needed[source.path] += archives[source.path].size_bytes(source.member)
    if not needed:
        return
    project.images.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(project.images).free
    for path, num_bytes in needed.items():
        if num_bytes > free:
            raise DatasetError(
                f"{visible_text(str(path))}: unpacks to {show_bytes(num_bytes)}, and "
                f"{show_bytes(free)} are free",
                "free some space, or unzip elsewhere and add --link the folder",
            )


@contextmanager
def _temporary_folder(project: Project) -> Iterator[Path]:
    """Where copies wait for their names, on the disk that they stay on."""
    project.images.mkdir(parents=True, exist_ok=True)
    for left in project.images.glob(f"{_TEMPORARY}*"):
        # ctime cannot be set: what has not changed for an hour belongs to nobody
        if time.time() - left.lstat().st_ctime > _LEFTOVER_AFTER_S:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=project.images) as name:
        yield Path(name)


def _discard(brought: Brought) -> None:
    if brought.file is not None:
        brought.file.unlink()


def _move(file: Path, target: Path) -> bool:
    """Give the file its name unless another process has taken it. Whether it got it."""
    try:
        target.hardlink_to(file)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        file.replace(target)
        return True
    file.unlink()
    return True
