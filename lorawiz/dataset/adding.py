"""Bringing images into a project: byte for byte, hashed, checked, never moved or changed."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from lorawiz.dataset.images import BrokenImageError, is_image_name, probe_image
from lorawiz.dataset.records import (
    Dataset,
    ImageRecord,
    load_dataset,
    relative_image_path,
    save_dataset,
)
from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project, copy_atomically, file_sha256


@dataclass(frozen=True)
class Source:
    """An image to bring in, with the words that came with it."""

    path: Path
    caption: str = ""
    tags: tuple[str, ...] = ()


@dataclass
class AddReport:
    """What `add_images` did."""

    added: list[ImageRecord] = field(default_factory=list)
    """New lines of dataset.jsonl, the broken ones too."""
    known: list[Path] = field(default_factory=list)
    """Files whose bytes are in the dataset already."""

    @property
    def broken(self) -> list[ImageRecord]:
        return [record for record in self.added if record.status == "broken"]


def find_images(paths: Sequence[Path]) -> list[Path]:
    """All images in `paths`, folders searched in depth, sorted. Symlink loops end.

    A file named outright is taken whatever its name. Raises DatasetError for what is not there
    and when there is no image at all.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DatasetError(f"{visible_text(str(path))}: no such file or folder")
        found += _walk(path) if path.is_dir() else [path]
    if not found:
        shown = ", ".join(visible_text(str(path)) for path in paths)
        raise DatasetError(f"{shown}: no images in it", "images end in .jpg .png .webp .heic …")
    return list(dict.fromkeys(found))


def add_images(
    project: Project,
    sources: Sequence[Source],
    link: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> AddReport:
    """Copy (or link) `sources` into images/ and write their lines.

    The same bytes are added once. A name that is taken gets a number. What cannot be decoded
    gets a line with `status = "broken"` and the reason.
    """
    dataset = load_dataset(project.dataset)
    hashes = {record.sha256 for record in dataset.records}
    names = {record.image_path for record in dataset.records}
    report = AddReport()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        probed = pool.map(_probe, (source.path for source in sources))
        for done, (source, facts) in enumerate(zip(sources, probed, strict=True), 1):
            if facts.sha256 in hashes:
                report.known.append(source.path)
            else:
                hashes.add(facts.sha256)
                target = _place(project, source.path, names, link)
                names.add(target)
                record = replace(facts, image_path=target, caption=source.caption, tags=source.tags)
                report.added.append(record)
            on_progress(done, len(sources))
    _save(project, dataset, report)
    return report


def _save(project: Project, dataset: Dataset, report: AddReport) -> None:
    if report.added:
        save_dataset(project.dataset, dataset.with_records(report.added))


def _walk(folder: Path) -> list[Path]:
    return sorted(path for path in _iter_files(folder) if is_image_name(path))


def _iter_files(folder: Path) -> Iterator[Path]:
    # os.walk does not follow links to folders, so loops end
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in names if not name.startswith("."))


def _probe(path: Path) -> ImageRecord:
    if not path.is_file():  # pipes and devices are never opened
        raise DatasetError(f"{visible_text(str(path))}: not a regular file")
    try:
        sha256 = file_sha256(path)
    except OSError as error:
        raise DatasetError(f"{visible_text(str(path))}: {error.strerror}") from error
    try:
        facts = probe_image(path)
    except BrokenImageError as error:
        reason = error.message.partition(": ")[2]
        return ImageRecord("", sha256, 0, 0, status="broken", reason=reason)
    return ImageRecord("", sha256, facts.width, facts.height)


def _place(project: Project, source: Path, taken: set[str], link: bool) -> str:
    """Put the file under images/ and return its path as dataset.jsonl writes it."""
    project.images.mkdir(parents=True, exist_ok=True)
    if source.resolve().is_relative_to(project.images.resolve()):
        return relative_image_path(project, source.absolute())
    target = project.images / source.name
    number = 2
    while relative_image_path(project, target) in taken or os.path.lexists(target):
        if _same_file(source, target) and relative_image_path(project, target) not in taken:
            break  # copied by a run of `add` that was killed before it wrote the line
        target = project.images / f"{source.stem}-{number}{source.suffix}"
        number += 1
    if not os.path.lexists(target):
        if link:
            target.symlink_to(source.resolve())
        else:
            copy_atomically(source, target)
    return relative_image_path(project, target)


def _same_file(one: Path, other: Path) -> bool:
    return other.is_file() and file_sha256(one) == file_sha256(other)
