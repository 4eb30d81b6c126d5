"""What the review screen works on: the images in memory, the place in them, and their edits.

Knows nothing of Textual. What reads or writes files may be called from a thread; two such calls
wait for each other.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lorawiz.dataset import store
from lorawiz.dataset.filters import Filter, FilterFacts, parse_filter
from lorawiz.dataset.problems import ImageProblem
from lorawiz.dataset.prompts import longest_prompt
from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.words import PartWords
from lorawiz.errors import DatasetError
from lorawiz.families.clip.counting import count_prompt_tokens
from lorawiz.paths import Project
from lorawiz.spec import Spec
from lorawiz.tui.review.knowledge import Knowledge, find_problems, load_knowledge

_MAX_TRIES = 5
Signature = tuple[tuple[int, int, int] | None, tuple[int, int, int] | None]
Change = Callable[[ImageRecord, PartWords | None], ImageRecord]
"""The record after an edit; it is told what the machine says, where that is known."""


class ReviewSession:
    """The images of one project, a filter over them, a cursor and a selection."""

    def __init__(self, project: Project, spec: Spec, filter_text: str = "") -> None:
        """Reads the dataset. Raises DatasetError, FilterError and OSError."""
        self.project, self.spec = project, spec
        self.filter = parse_filter("")
        self.records: list[ImageRecord] = []
        self.shown: list[int] = []
        self.cursor = 0
        """Place in `shown`."""
        self.selected: set[str] = set()
        self.num_kept = 0
        self.knowledge = Knowledge()
        self.is_known = False
        self._places: dict[str, int] = {}
        self._mutex = threading.RLock()
        self._seen: Signature = (None, None)
        wanted = parse_filter(filter_text)
        self._reload()
        if filter_text.strip():
            if "finding" in filter_text or "face" in filter_text:
                self.load_knowledge()
            self.set_filter(wanted)

    # where one is

    @property
    def current(self) -> ImageRecord | None:
        return self.records[self.shown[self.cursor]] if self.shown else None

    def record_at(self, place: int) -> ImageRecord:
        """The image at a place of those shown."""
        return self.records[self.shown[place]]

    def move_to(self, place: int) -> bool:
        """Put the cursor there, or as near as there are images; whether it moved."""
        before, last = self.cursor, max(len(self.shown) - 1, 0)
        self.cursor = min(max(place, 0), last)
        return self.cursor != before

    def find_next(self, is_wanted: Callable[[ImageRecord], bool], step: int) -> int | None:
        """The next place, forward or backward, around the ends; None when there is no other."""
        num = len(self.shown)
        for distance in range(1, num):
            place = (self.cursor + step * distance) % num
            if is_wanted(self.record_at(place)):
                return place
        return None

    def build_bare_test(self) -> Callable[[ImageRecord], bool]:
        """Whether an image lacks tags, or a caption, where others have some."""
        use_captions = any(record.caption.strip() for record in self.records)
        use_tags = any(record.tags for record in self.records) or not use_captions

        def is_bare(record: ImageRecord) -> bool:
            lacks = (use_tags and not record.tags) or (use_captions and not record.caption.strip())
            return record.is_trained and lacks

        return is_bare

    def set_filter(self, wanted: Filter) -> None:
        """Show what matches; the cursor stays on its image, or goes to the next one shown."""
        current = self.shown[self.cursor] if self.shown else 0
        self.filter = wanted
        records = self.records
        if not wanted.text.strip():
            self.shown = list(range(len(records)))
        else:
            self.shown = [
                place
                for place, record in enumerate(records)
                if wanted.matches(self.facts_of(record))
            ]
        self.cursor = 0
        self.move_to(next((n for n, place in enumerate(self.shown) if place >= current), 0))
        if self.selected:
            self.selected &= {records[place].image_path for place in self.shown}

    def facts_of(self, record: ImageRecord) -> FilterFacts:
        """What a filter may ask."""
        codes = [problem.code for problem in self.problems_of(record)]
        faces = self.knowledge.faces
        num_faces = None
        if faces is not None and record.image_path in faces:
            least = self.spec.crop.min_score
            num_faces = sum(face[4] >= least for face in faces[record.image_path])
        return FilterFacts(record, codes, num_faces, self._count_tokens)

    def _count_tokens(self, record: ImageRecord) -> int:
        return count_prompt_tokens(longest_prompt(record, self.spec, count_prompt_tokens))

    def problems_of(self, record: ImageRecord) -> Sequence[ImageProblem]:
        """Findings of an image; that it is like one that was rejected is none."""
        found = self.knowledge.problems.get(record.image_path, ())
        return [each for each in found if self._is_trained(each.related_path)]

    def has_finding(self, record: ImageRecord) -> bool:
        """Whether there is something to decide about the image."""
        if not record.keep:
            return False
        return record.status == "broken" or bool(self.problems_of(record))

    def _is_trained(self, image_path: str | None) -> bool:
        if image_path is None:
            return True
        place = self._places.get(image_path)
        return place is not None and self.records[place].is_trained

    # what edits are about

    @property
    def targets(self) -> list[ImageRecord]:
        """The selected images, or the one at the cursor."""
        if self.selected:
            places = sorted(self._places[path] for path in self.selected if path in self._places)
            return [self.records[place] for place in places]
        return [self.current] if self.current is not None else []

    def toggle_selected(self) -> None:
        if self.current is not None:
            self.selected ^= {self.current.image_path}

    def select_shown(self) -> None:
        self.selected |= {self.records[place].image_path for place in self.shown}

    def count_tags(self) -> Counter[str]:
        """How many images have each tag."""
        return Counter(tag for record in self.records for tag in record.tags)

    # what reads and writes

    def load_knowledge(self) -> None:
        """Read what models and measurements say. Raises LorawizError and OSError."""
        knowledge = load_knowledge(self.project, self.spec, list(self.records))
        self.knowledge, self.is_known = knowledge, True

    def refresh_problems(self) -> None:
        """Look for problems anew: what is trained has changed. Raises LorawizError, OSError."""
        faces = self.knowledge.faces
        found = find_problems(self.project, self.spec, list(self.records), faces)
        self.knowledge = replace(self.knowledge, problems=found)

    def edit(self, what: str, records: Iterable[ImageRecord], change: Change) -> int:
        """Change images; it is on the disk when this returns. Returns how many are others now.

        An image that was changed elsewhere in the meantime is changed as it is now. Raises
        DatasetError and OSError; nothing is changed then.
        """
        paths = [record.image_path for record in records]
        with self._mutex, store.dataset_lock(self.project):
            if self.is_changed_elsewhere():
                self._reload()
            pairs = []
            for path in paths:
                if path in self._places:
                    before = self.records[self._places[path]]
                    pairs.append((before, change(before, self.knowledge.machine.get(path))))
            pairs = [(before, after) for before, after in pairs if before != after]
            store.append_edit(self.project, what, pairs)
            self._seen = self._seen[0], _sign(self._journal)
        for _, after in pairs:
            self.records[self._places[after.image_path]] = after
        self._count_kept()
        return len(pairs)

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

    def _reload(self) -> None:
        """Read until nothing changes meanwhile; folding edits is such a change."""
        for _ in range(_MAX_TRIES):
            signature = self._sign()
            records = store.read_dataset(self.project).records
            if self._sign() == signature:
                break
        else:
            raise DatasetError("dataset.jsonl is being written by another program", "try again")
        self.records = list(records)
        self._seen = signature
        self._places = {record.image_path: n for n, record in enumerate(self.records)}
        self._count_kept()
        self.selected &= self._places.keys()
        self.set_filter(self.filter)

    def _count_kept(self) -> None:
        self.num_kept = sum(record.keep for record in self.records)

    @property
    def _journal(self) -> Path:
        return self.project.private / "edits.jsonl"

    def _sign(self) -> Signature:
        return _sign(self.project.dataset), _sign(self._journal)


def _sign(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
