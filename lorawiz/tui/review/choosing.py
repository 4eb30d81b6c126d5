"""Which images are shown and in which order, which are selected, which are compared."""

from collections.abc import Callable

from lorawiz.dataset.filters import Filter, FilterError, parse_filter
from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import visible_text
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.language import tr
from lorawiz.tui.review.framing import FramingScreen
from lorawiz.tui.review.ordering import NEEDS_KNOWLEDGE, Order
from lorawiz.tui.review.words import ORDER_KEYS, show_order
from lorawiz.tui.screens.asking import PickScreen, Remark, TextScreen
from lorawiz.tui.screens.dialogs import Choice, ChoiceScreen

_EXAMPLE = 'tag:smile -tag:solo caption:"red" tokens:>75 blur:>50 keep:no finding:* (a or b)'


class ChoosingScreen(FramingScreen):
    """Filters, sorts, finds, selects, and opens the screens that work on what is chosen."""

    image_widget: ImageWidget | None

    def go_to(self, place: int) -> None:
        """Move the cursor."""
        raise NotImplementedError

    def show_marks(self) -> None:
        """Draw what is selected."""
        raise NotImplementedError

    def action_filter(self) -> None:
        text = self.session.filter.text
        self.app.push_screen(TextScreen(tr("filter"), text, remark=_read_filter), self.set_filter)

    async def set_filter(self, text: str | None) -> None:
        """Show what a filter text means; None leaves everything as it is."""
        if text is None:
            return
        session = self.session

        def apply() -> Filter:
            wanted = parse_filter(text)
            if not session.is_known and wanted.text.strip():
                session.load_knowledge()
            session.set_filter(wanted)
            return wanted

        if await self.work(apply) is not None:
            self.say("")
        self.show_all()

    def action_sort(self) -> None:
        session = self.session
        now = session.order
        choices = []
        for order, key in ORDER_KEYS.items():
            turns = order == now and not session.is_reversed
            choices.append(Choice(key, show_order(order, turns), (order, turns)))
        choices.append(Choice("escape", tr("as it is"), (now, session.is_reversed)))
        self.app.push_screen(ChoiceScreen(tr("Sort the images:"), choices), self._set_order)

    async def _set_order(self, chosen: tuple[Order, bool] | None) -> None:
        session = self.session
        if chosen is None or chosen == (session.order, session.is_reversed):
            return
        order, is_reversed = chosen

        def apply() -> None:
            if order in NEEDS_KNOWLEDGE and not session.is_known:
                session.load_knowledge()
            session.set_order(order, is_reversed)

        await self.work(apply)
        self.show_all()

    def action_find(self) -> None:
        session = self.session
        paths = [session.record_at(place).image_path for place in range(len(session.shown))]
        places = {path.removeprefix("images/"): n for n, path in enumerate(paths)}
        names = [(name, "") for name in places]

        def obey(name: str | None) -> None:
            if name is not None:
                self.go_to(places[name])

        self.app.push_screen(PickScreen(tr("go to which image?"), names), obey)

    def action_next_finding(self, step: int) -> None:
        nothing = tr("no other image with a finding")
        self._jump(self.session.has_finding, step, nothing)

    def action_next_bare(self) -> None:
        nothing = tr("no other image without tags or caption")
        self._jump(self.session.build_bare_test(), 1, nothing)

    def _jump(self, is_wanted: Callable[[ImageRecord], bool], step: int, nothing: str) -> None:
        place = self.session.find_next(is_wanted, step)
        if place is None:
            self.say(nothing)
        else:
            self.go_to(place)

    def action_select(self) -> None:
        self.session.toggle_selected()
        self.show_marks()

    def action_select_to_here(self) -> None:
        self.session.select_to_here()
        self.show_marks()

    def action_select_shown(self) -> None:
        self.session.select_shown()
        self.show_marks()

    async def action_compare(self) -> None:
        session = self.session
        if not session.is_known and len(session.selected) < 2:
            await self.work(session.load_knowledge)
        current = session.current
        assert current is not None
        selected = session.targets if len(session.selected) > 1 else []
        images = selected or session.find_alike(current)
        if len(images) < 2:
            self.say(tr("none is like it; v selects some"))
            return
        from lorawiz.tui.review.comparing import CompareImagesScreen

        screen = CompareImagesScreen(session, images, self.image_widget)
        self.app.push_screen(screen, self._come_back)

    def _come_back(self, _result: None) -> None:
        self.show_all()
        self.note_new_training()

    def action_tags(self) -> None:
        from lorawiz.tui.tags.screen import TagsScreen

        async def obey(text: str | None) -> None:
            self.note_new_training()
            if text:
                await self.set_filter(text)
            self.show_all()

        self.app.push_screen(TagsScreen(self.session), obey)


def _read_filter(text: str) -> Remark:
    try:
        parse_filter(text)
    except FilterError as error:
        return "error", visible_text(error.message) + (f" · {error.hint}" if error.hint else "")
    return "note", _EXAMPLE
