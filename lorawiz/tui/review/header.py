"""The first line: where one is, what is shown, what happened last."""

from textual.content import Content

from lorawiz.errors import visible_text
from lorawiz.tui.language import tr
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.review.words import show_order
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.saying_line import SayingLine

_GAP = "  "


class ReviewHeader(SayingLine):
    """One line: the place, the counts, the filter, and at the right end what happened last."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self._session = session

    def render(self) -> Content:
        session, width = self._session, self.size.width
        text, tone = self.said
        said = Content.styled(text, STYLES[tone]).truncate(max(width // 2, 1), ellipsis=True)
        left = Content(_GAP).join(self._build_pieces(session))
        left = left.truncate(max(width - said.cell_length - len(_GAP), 1), ellipsis=True)
        return Content.assemble(
            left, " " * max(width - left.cell_length - said.cell_length, 0), said
        )

    def _build_pieces(self, session: ReviewSession) -> list[Content]:
        num, total = len(session.shown), len(session.records)
        rejected = tr("reject {num}", num=total - session.num_kept)
        pieces = [
            Content.styled(tr("Review"), "bold"),
            Content(f"{min(session.cursor + 1, num):>{len(str(num))}}/{num}"),
            Content.styled(tr("keep {num}", num=session.num_kept), STYLES["note"]),
            Content.styled(rejected, STYLES["note"]),
        ]
        if session.selected:
            selected = tr("selected {num}", num=len(session.selected))
            pieces.append(Content.styled(selected, STYLES["accent"]))
        if session.filter.text.strip():
            shown = tr("filter: {text}", text=visible_text(session.filter.text))
            pieces.append(Content.styled(shown, STYLES["accent"]))
        if session.order != "name" or session.is_reversed:
            order = show_order(session.order, session.is_reversed)
            pieces.append(Content.styled(tr("sort: {order}", order=order), STYLES["accent"]))
        return pieces
