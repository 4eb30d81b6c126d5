"""The images of a project in memory, and their edits: on the disk at once, merged with others'.

Knows nothing of Textual. What reads or writes files may be called from a thread; two such calls
wait for each other.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lorawiz.dataset import store
from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.words import PartWords
from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project
from lorawiz.spec import Spec
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.review.knowledge import Knowledge

_MAX_TRIES = 5
FileSign = tuple[int, int, int] | None
Change = Callable[[ImageRecord, PartWords | None], ImageRecord]
"""The record after an edit; it is told what the machine says, where that is known."""
About = Callable[[ImageRecord], object]
"""What of an image an edit is about: it is refused where that was changed elsewhere."""


class ChangedElsewhereError(DatasetError):
    """What is to be edited is not any more what was looked at; nothing was changed."""


class EditingSession:
    """The images of one project, and what is changed of them here and elsewhere."""

    def __init__(self, project: Project, spec: Spec) -> None:
        self.project, self.spec = project, spec
        self.records: list[ImageRecord] = []
        self.num_kept = 0
        self.knowledge = Knowledge()
        self.gave_way: Sequence[str] = ()
        """Images of which an edit was dropped lately: an editor had changed the same there."""
        self._places: dict[str, int] = {}
        self._mutex = threading.RLock()
        self._seen: tuple[FileSign, FileSign] = (None, None)

    def find(self, image_path: str) -> ImageRecord | None:
        """The image of that path as it is now."""
        place = self._places.get(image_path)
        return None if place is None else self.records[place]

    def count_tags(self) -> Counter[str]:
        """How many images have each tag."""
        return Counter(tag for record in self.records for tag in record.tags)

    def edit(
        self,
        what: str,
        records: Iterable[ImageRecord],
        change: Change,
        about: About | None = None,
    ) -> int:
        """Change images; it is on the disk when this returns. Returns how many are others now.

        An image that was changed elsewhere in the meantime is changed as it is now; where
        `about` gives something else for it than for the one in `records`, the whole edit is
        refused. Raises ChangedElsewhereError, DatasetError and OSError; nothing is changed then.
        """
        known = list(records)
        with self._mutex, store.dataset_lock(self.project):
            if self.is_changed_elsewhere():
                self._reload()
            found = self._find_again(known)
            _refuse_others(found, about)
            pairs = []
            for _, before in found:
                after = change(before, self.knowledge.machine.get(before.image_path))
                if before != after:
                    pairs.append((before, after))
            store.append_edit(self.project, what, pairs)
            self._seen = self._seen[0], _sign(self._journal)
            for before, after in pairs:
                self.records[self._places[after.image_path]] = after
                self.num_kept += after.keep - before.keep
        return len(pairs)

    def _find_again(self, known: Sequence[ImageRecord]) -> list[tuple[ImageRecord, ImageRecord]]:
        """(as it was looked at, as it is now) of those that are still there."""
        found = []
        for record in known:
            now = self.find(record.image_path)
            if now is not None:
                found.append((record, now))
        if known and not found:
            raise ChangedElsewhereError(
                tr("{images}: not in the dataset any more", images=name_images(known))
            )
        return found

    def undo(self) -> str:
        """Take the last edit back, and say which. Raises DatasetError when there is none."""
        return self._reverse(store.undo)

    def redo(self) -> str:
        """Do again what was undone last, and say what. Raises DatasetError when there is none."""
        return self._reverse(store.redo)

    def _reverse(self, reverse: Callable[[Project], store.Applied]) -> str:
        with self._mutex:
            applied = reverse(self.project)
            self._reload()
            self.gave_way = (*self.gave_way, *applied.gave_way)
        assert applied.header is not None
        return applied.header.what

    def is_changed_elsewhere(self) -> bool:
        """Whether the dataset or its journal are others than this session left them."""
        return self._sign() != self._seen

    def reload_if_changed(self) -> bool:
        """Take in what others changed; whether an image is another now. Raises DatasetError."""
        with self._mutex:
            if not self.is_changed_elsewhere():
                return False
            before = self.records
            self._reload()
            return before != self.records

    def take_given_way(self) -> Sequence[str]:
        """The images of which an edit was dropped since the last call."""
        with self._mutex:
            paths, self.gave_way = self.gave_way, ()
        return paths

    def on_reload(self) -> None:
        """The records are others now."""

    def _reload(self) -> None:
        """Read until nothing changes meanwhile; folding edits is such a change."""
        for _ in range(_MAX_TRIES):
            signature = self._sign()
            dataset, gave_way = store.fold_edits(self.project)
            self.gave_way = (*self.gave_way, *gave_way)
            if self._sign() == signature:
                break
        else:
            raise DatasetError(
                tr("dataset.jsonl is being written by another program"), tr("try again")
            )
        self.records = list(dataset.records)
        self._seen = signature
        self._places = {record.image_path: n for n, record in enumerate(self.records)}
        self.num_kept = sum(record.keep for record in self.records)
        self.on_reload()

    @property
    def _journal(self) -> Path:
        return self.project.private / "edits.jsonl"

    def _sign(self) -> tuple[FileSign, FileSign]:
        return _sign(self.project.dataset), _sign(self._journal)


def name_images(records: Sequence[ImageRecord]) -> str:
    """`IMG_0012.jpg`, or how many there are."""
    if len(records) == 1:
        return name_image(records[0].image_path)
    return tr_count(len(records), "{num} image", "{num} images")


def name_image(image_path: str) -> str:
    """The name at the end of a path, made visible."""
    return visible_text(image_path.rpartition("/")[2])


def _refuse_others(found: Sequence[tuple[ImageRecord, ImageRecord]], about: About | None) -> None:
    """Raises ChangedElsewhereError where something else would be overwritten."""
    if about is None:
        return
    others = [now for known, now in found if about(known) != about(now)]
    if others:
        raise ChangedElsewhereError(
            tr("{images}: changed elsewhere in the meantime", images=name_images(others)),
            tr("look at what is there now, then do it again"),
        )


def _sign(path: Path) -> FileSign:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
