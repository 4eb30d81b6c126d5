"""What the review screen works on: which images it shows, the place in them, the selection.

Knows nothing of Textual. What reads or writes files may be called from a thread; two such calls
wait for each other.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace

from lorawiz.dataset.filters import Filter, FilterFacts, parse_filter
from lorawiz.dataset.problems import ImageProblem
from lorawiz.dataset.prompts import longest_prompt
from lorawiz.dataset.records import ImageRecord
from lorawiz.families.clip.counting import prompt_counter
from lorawiz.paths import Project
from lorawiz.spec import Spec
from lorawiz.tui.review.editing_session import EditingSession
from lorawiz.tui.review.knowledge import load_knowledge, look_at_images
from lorawiz.tui.review.ordering import Measure, Order, measure_face, sort_places

_WORST_IS_MOST: frozenset[Order] = frozenset({"findings", "tokens"})


class ReviewSession(EditingSession):
    """The images of one project, a filter over them, their order, a cursor and a selection."""

    def __init__(self, project: Project, spec: Spec, filter_text: str = "") -> None:
        """Reads the dataset. Raises DatasetError, FilterError and OSError."""
        super().__init__(project, spec)
        self.filter = parse_filter("")
        self.order: Order = "name"
        self.is_reversed = False
        self.shown: list[int] = []
        self.cursor = 0
        """Place in `shown`."""
        self.selected: set[str] = set()
        self.is_known = False
        self._anchor: str | None = None
        """Where a range begins: the image that was selected, or not any more, last."""
        self._paths: list[str] = []
        """Of the records, as they were when they were looked through last."""
        wanted = parse_filter(filter_text)
        self._reload()
        if filter_text.strip():
            if "finding" in filter_text or "face" in filter_text or "blur" in filter_text:
                self.load_knowledge()
            self.set_filter(wanted)

    # where one is

    @property
    def current(self) -> ImageRecord | None:
        return next(iter(self.list_window(min(self.cursor, len(self.shown) - 1), 1)), None)

    def record_at(self, place: int) -> ImageRecord:
        """The image at a place of those shown."""
        return self.records[self.shown[place]]

    def list_window(self, first: int, num: int) -> list[ImageRecord]:
        """Some of the images shown; fewer at the end."""
        shown, records = self.shown, self.records  # a thread may put others in their place
        return [records[each] for each in shown[first : first + num] if each < len(records)]

    def move_to(self, place: int) -> bool:
        """Put the cursor there, or as near as there are images; whether it moved."""
        before, last = self.cursor, max(len(self.shown) - 1, 0)
        self.cursor = min(max(place, 0), last)
        return self.cursor != before

    def find_place(self, image_path: str) -> int | None:
        """The place of an image among those shown."""
        wanted = self._places.get(image_path)
        return next((n for n, place in enumerate(self.shown) if place == wanted), None)

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

    # what is shown, and how

    def set_filter(self, wanted: Filter) -> None:
        """Show what matches; the cursor stays on its image, or goes to the next one shown."""
        current = self.shown[self.cursor] if self.cursor < len(self.shown) else 0
        self.filter = wanted
        self._show_anew(current)

    def set_order(self, order: Order, is_reversed: bool = False) -> None:
        """Sort what is shown: the worst first, or last; the cursor goes to the first one."""
        self.order, self.is_reversed = order, is_reversed
        self._show_anew(-1)
        self.cursor = 0

    def _show_anew(self, current: int) -> None:
        records = self.records
        shown = list(range(len(records)))
        if self.filter.text.strip():
            matches = self.filter.matches
            shown = [place for place in shown if matches(self.facts_of(records[place]))]
        if self.order != "name":
            falls = (self.order in _WORST_IS_MOST) != self.is_reversed
            shown = sort_places(shown, records, self._build_measure(), falls)
        elif self.is_reversed:
            shown.reverse()
        self.cursor, self.shown = 0, shown
        there = next((n for n, place in enumerate(shown) if place == current), None)
        if there is None and self.order == "name" and not self.is_reversed:
            there = next((n for n, place in enumerate(shown) if place > current), 0)
        self.move_to(there or 0)
        if self.selected:
            self.selected &= {records[place].image_path for place in shown}

    def _build_measure(self) -> Measure:
        knowledge, least = self.knowledge, self.spec.crop.min_score
        measures: dict[Order, Measure] = {
            "findings": self._count_findings,
            "sharpness": lambda record: knowledge.sharpness.get(record.image_path),
            "face": lambda record: measure_face(record, knowledge, least),
            "tokens": self.count_tokens,
            "tags": lambda record: len(record.tags),
        }
        return measures[self.order]

    def facts_of(self, record: ImageRecord) -> FilterFacts:
        """What a filter may ask."""
        codes = [problem.code for problem in self.problems_of(record)]
        faces = self.knowledge.faces
        num_faces = None
        if faces is not None and record.image_path in faces:
            least = self.spec.crop.min_score
            num_faces = sum(face[4] >= least for face in faces[record.image_path])
        sharpness = self.knowledge.sharpness.get(record.image_path)
        return FilterFacts(record, codes, num_faces, self.count_tokens, sharpness)

    def count_tokens(self, record: ImageRecord) -> int:
        """Of the longest prompt that it can get."""
        measure = prompt_counter(self.spec)
        return measure(longest_prompt(record, self.spec, measure))

    def _count_findings(self, record: ImageRecord) -> int:
        if not record.keep:
            return 0
        return len(self.problems_of(record)) + (record.status == "broken")

    def problems_of(self, record: ImageRecord) -> Sequence[ImageProblem]:
        """Findings of an image; that it is like one that was rejected is none."""
        found = self.knowledge.problems.get(record.image_path, ())
        return [each for each in found if self._is_trained(each.related_path)] if found else ()

    def has_finding(self, record: ImageRecord) -> bool:
        """Whether there is something to decide about the image."""
        return self._count_findings(record) > 0

    def _is_trained(self, image_path: str | None) -> bool:
        record = None if image_path is None else self.find(image_path)
        return image_path is None or (record is not None and record.is_trained)

    def find_alike(self, record: ImageRecord) -> list[ImageRecord]:
        """The image and those that look like it, best ones first; only itself where none do."""
        root = self._find_root(record.image_path)
        paths = [root]
        paths += [path for path in self.knowledge.problems if self._find_root(path) == root]
        found = [self.find(path) for path in dict.fromkeys(paths)]
        alike = [each for each in found if each is not None]
        return alike if record in alike else [record]

    def _find_root(self, image_path: str) -> str:
        """The image at the end of a chain of those that each is like."""
        seen = {image_path}
        while True:
            related = next(
                (
                    each.related_path
                    for each in self.knowledge.problems.get(image_path, ())
                    if each.related_path is not None and each.related_path not in seen
                ),
                None,
            )
            if related is None:
                return image_path
            seen.add(related)
            image_path = related

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
            self._anchor = self.current.image_path

    def select_to_here(self) -> None:
        """Select all from where v was pressed last to the cursor; that alone without such."""
        if self.current is None:
            return
        begin = self.find_place(self._anchor) if self._anchor is not None else None
        first, last = sorted((self.cursor if begin is None else begin, self.cursor))
        self.selected |= {self.record_at(place).image_path for place in range(first, last + 1)}
        self._anchor = self.current.image_path

    def select_shown(self) -> None:
        self.selected |= {self.records[place].image_path for place in self.shown}

    # what reads

    def load_knowledge(self) -> None:
        """Read what models and measurements say. Raises LorawizError and OSError."""
        knowledge = load_knowledge(self.project, self.spec, list(self.records))
        self.knowledge, self.is_known = knowledge, True

    def refresh_problems(self) -> None:
        """Look for problems anew: what is trained has changed. Raises LorawizError, OSError."""
        faces = self.knowledge.faces
        looked = look_at_images(self.project, self.spec, list(self.records), faces)
        self.knowledge = replace(
            self.knowledge, problems=looked.problems, sharpness=looked.sharpness
        )

    def on_reload(self) -> None:
        """The same images stay shown; where there are others, all are looked through anew."""
        paths = [record.image_path for record in self.records]
        if paths != self._paths:
            before = self._paths[self.shown[self.cursor]] if self.shown else None
            self.selected &= self._places.keys()
            self._paths = paths
            self._show_anew(0 if before is None else _find_near(paths, before))


def _find_near(paths: Sequence[str], wanted: str) -> int:
    """The place of `wanted` in sorted paths, or of what comes behind it."""
    return bisect_left(paths, wanted)
