"""The list of tags: which are shown, in which order, where the cursor is, what is selected."""

from lorawiz.dataset.tag_report import TagCount, TagReport
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.tags.rows import SORTS, Insight, Mark, Sort, find_marks, order_counts


class TagListing:
    """The tags of what is trained, as the table shows them."""

    def __init__(self, session: ReviewSession) -> None:
        self.session = session
        self.report = TagReport([])
        self.counts: tuple[TagCount, ...] = ()
        """All tags, most frequent first."""
        self.rows: list[TagCount] = []
        """Those of the table, as it shows them."""
        self.insight = Insight()
        self.sort: Sort = "count"
        self.wanted = ""
        """What is typed to find tags."""
        self.cursor = 0
        self.chosen: dict[str, None] = {}
        """Selected tags, in the order in which they were selected."""

    @property
    def trigger(self) -> str:
        return self.session.spec.project.trigger.strip()

    @property
    def current(self) -> TagCount | None:
        rows = self.rows  # may be replaced by a thread that counts
        return rows[min(self.cursor, len(rows) - 1)] if rows else None

    @property
    def operands(self) -> tuple[str, ...]:
        """The selected tags, or the one at the cursor."""
        if self.chosen:
            return tuple(self.chosen)
        return (self.current.tag,) if self.current is not None else ()

    def move_to(self, place: int) -> bool:
        """Put the cursor there, or as near as there are tags; whether it moved."""
        before, last = self.cursor, max(len(self.rows) - 1, 0)
        self.cursor = min(max(place, 0), last)
        return self.cursor != before

    def toggle_chosen(self) -> None:
        if self.current is None:
            return
        if self.current.tag in self.chosen:
            del self.chosen[self.current.tag]
        else:
            self.chosen[self.current.tag] = None

    def set_sort(self, sort: Sort) -> None:
        self.sort = sort
        self._order()

    def next_sort(self) -> Sort:
        return SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]

    def find(self, wanted: str) -> None:
        """Narrow the table to what fits; the cursor goes to the best."""
        self.wanted = wanted
        self._order()
        if wanted.strip():
            self.cursor = 0

    def marks_of(self, count: TagCount) -> tuple[Mark, ...]:
        return find_marks(count, self.insight, self.trigger)

    @property
    def words(self) -> list[tuple[str, int]]:
        """To complete from: the dataset's tags with their counts, then the tagger's words."""
        counts = [(count.tag, count.num_images) for count in self.counts]
        own = {tag for tag, _ in counts}
        return counts + [(word, 0) for word in self.insight.vocabulary if word not in own]

    def _order(self) -> None:
        """Sort anew; the cursor stays on its tag, or where it was."""
        current = self.current
        rows = order_counts(self.counts, self.sort, self.wanted)
        places = {count.tag: place for place, count in enumerate(rows)}
        self.rows = rows
        self.move_to(places.get(current.tag, self.cursor) if current is not None else 0)

    def recount(self) -> None:
        """Count the tags of what is trained anew."""
        trained = [record for record in self.session.records if record.is_trained]
        report = TagReport(trained, self.trigger)
        self.counts, self.report = report.counts, report
        there = {count.tag for count in self.counts}
        self.chosen = {tag: None for tag in self.chosen if tag in there}
        self._order()
