"""The actions of the tags screen: each is prepared and shown first, and done with enter."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from lorawiz.errors import LorawizError, visible_text
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.screens.asking import Remark, TextScreen
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.tags.actions import TagAction, name_tags
from lorawiz.tui.tags.model import TagsModel
from lorawiz.tui.theme import Tone

WHILE_PREPARED = {"confirm", "drop", "skip", "help", "prepared_rule"}
"""The actions there are while one is prepared; the others are there while none is."""
_WITH_TAGS = {"images", "delete", "rename", "first", "absorb"}


class TagCommands(BaseScreen[str]):
    """Turns keys into prepared actions, and prepared actions into edits and rules."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "confirm", "do it", tooltip="do what the preview shows"),
        Binding("enter", "images", "images", tooltip="show the images that have the tag"),
        Binding("d", "delete", "delete", tooltip="delete the tag from all images"),
        Binding("r", "rename", "rename", tooltip="rename the tag in all images"),
        Binding("m", "merge", "merge", tooltip="merge the selected tags into one"),
        Binding("a", "add", "add", tooltip="add tags to the selected images, or those shown"),
        Binding("f", "first", "first", tooltip="move the tag first where it is"),
        Binding("i", "absorb", "absorb", tooltip="absorb the tag into the trigger"),
        Binding("I", "absorb_all", "identity", tooltip="go through all id? tags"),
        Binding("R", "prepared_rule", "rule or by hand", tooltip="as a rule, or by hand"),
        Binding("n", "skip", "next one", tooltip="leave this tag, go to the next"),
        Binding("R", "rule", "rule", tooltip="make a rule of what was done last"),
        Binding("u,ctrl+z", "undo", "undo", tooltip="undo, with the rule where there was one"),
        Binding("ctrl+r,ctrl+y", "redo", "redo", show=False, tooltip="redo"),
        Binding("escape,q", "drop", "drop it", tooltip="change nothing"),
        Binding("escape", "back", "back", tooltip="back: finding, selection, then leave"),
        Binding("q,ctrl+q,ctrl+c", "quit", show=False, tooltip="leave; everything is saved"),
    ]

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self.session = session
        self.model = TagsModel(session)

    def say(self, text: str, tone: Tone = "note") -> None:
        """Tell what was done, or why not."""
        raise NotImplementedError

    def show_all(self) -> None:
        """Draw everything that may have changed."""
        raise NotImplementedError

    def learn(self) -> None:
        """Find out in the background what takes longer than counting."""
        raise NotImplementedError

    def complain(self, error: LorawizError | OSError) -> None:
        self.say(visible_text(str(error)).replace(visible_text("\n"), "\n"), "error")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in ACTIONS:
            return super().check_action(action, parameters)
        is_prepared = self.model.prepared is not None
        if action == "skip":
            return is_prepared and bool(self.model.queue)
        if is_prepared or action in WHILE_PREPARED:
            return (is_prepared and action in WHILE_PREPARED) or action == "help"
        if action == "merge":
            return len(self.model.chosen) > 1
        return action not in _WITH_TAGS or bool(self.model.rows)

    # preparing

    async def prepare(self, action: TagAction, as_rule: bool = False) -> None:
        """Show what an action will do; where it cannot be a rule, say so and offer it by hand."""
        prepare = self.model.prepare_rule if as_rule else self.model.prepare
        await self.attempt(lambda: prepare(action))
        self.show_all()

    async def attempt(self, job: Callable[[], None]) -> bool:
        """Whether a job in a thread went well; else it is said why not."""

        def do() -> bool:
            job()
            return True

        return bool(await self.work(do))

    async def action_delete(self) -> None:
        if self.model.operands:
            await self.prepare(TagAction("delete", self.model.operands))

    async def action_first(self) -> None:
        if self.model.operands:
            await self.prepare(TagAction("first", self.model.operands))

    async def action_rename(self) -> None:
        tags = self.model.operands
        if not tags:
            return
        if len(tags) > 1:
            self.action_merge()
            return
        self._ask_new_name(
            tags, visible_text(tags[0]), tr("rename {tags} to", tags=name_tags(tags))
        )

    def action_merge(self) -> None:
        tags = self.model.operands
        counts = {count.tag: count.num_images for count in self.model.counts}
        most = max(tags, key=lambda tag: counts.get(tag, 0))
        self._ask_new_name(tags, visible_text(most), tr("merge {tags} into", tags=name_tags(tags)))

    def _ask_new_name(self, tags: tuple[str, ...], value: str, title: str) -> None:
        words = self.model.words
        as_stored = {visible_text(word): word for word, _ in reversed(words)}
        counts = dict(words)

        def read(typed: str) -> str:
            return as_stored.get(typed.strip(), typed.strip())

        def remark(typed: str) -> Remark:
            new = read(typed)
            if "," in typed and new not in counts:
                return "error", tr("one tag only, without a comma")
            if counts.get(new) and new not in tags:
                said = tr_count(counts[new], "is there in {num} image", "is there in {num} images")
                return "note", said
            return "note", ""

        async def obey(typed: str | None) -> None:
            new = read(typed or "")
            olds = tuple(tag for tag in tags if tag != new)
            if new and olds:
                await self.prepare(TagAction("rename", olds, new))

        self.app.push_screen(TextScreen(title, value, words, remark), obey)

    def action_add(self) -> None:
        """Ask which tags; those that are selected here, or the one at the cursor, are proposed."""
        chosen = self.model.operands
        words = self.model.words
        as_stored = {visible_text(word): word for word, _ in reversed(words)}
        proposed = ", ".join(map(visible_text, chosen))
        paths = self._find_selected_paths()

        def read(typed: str) -> tuple[str, ...]:
            if typed == proposed:  # a tag may have a comma in it
                return chosen
            pieces = [piece.strip() for piece in typed.split(",")]
            return tuple(dict.fromkeys(as_stored.get(piece, piece) for piece in pieces if piece))

        def remark(typed: str) -> Remark:
            num = len(TagAction("add", read(typed), image_paths=paths).find_targets(records))
            return "note", tr_count(num, "changes {num} image", "changes {num} images")

        async def obey(typed: str | None) -> None:
            tags = read(typed or "")
            if tags:
                await self.prepare(TagAction("add", tags, image_paths=paths))

        records = self.session.records
        num_images = len(records) if paths is None else len(paths)
        title = tr_count(num_images, "add tags to {num} image", "add tags to {num} images")
        self.app.push_screen(TextScreen(title, proposed, words, remark), obey)

    def _find_selected_paths(self) -> frozenset[str] | None:
        """The images that are selected, else those that the review shows; None for all."""
        session = self.session
        if session.selected:
            return frozenset(session.selected)
        if session.filter.text.strip():
            return frozenset(session.records[place].image_path for place in session.shown)
        return None

    # the identity assistant

    async def action_absorb(self) -> None:
        await self._absorb(self.model.operands)

    async def _absorb(self, tags: Sequence[str]) -> None:
        try:
            action = self.model.build_absorb(tags)
        except LorawizError as error:
            self.complain(error)
            return
        if action.tags:
            await self.prepare(action, as_rule=True)
        else:
            self.say(tr("that is the trigger itself"))

    async def action_absorb_all(self) -> None:
        if not self.model.start_queue():
            self.say(tr("no tags that nearly all images have and that belong to the person"))
            return
        await self._absorb(self.model.queue[:1])
        self._end_queue_without_preview()

    async def action_skip(self) -> None:
        self.model.prepared = None
        following = self.model.skip_queued()
        if following is not None:
            await self._absorb([following])
        self._end_queue_without_preview()
        self.show_all()

    def _end_queue_without_preview(self) -> None:
        if self.model.prepared is None:
            self.model.drop()

    # rules

    async def action_prepared_rule(self) -> None:
        prepared = self.model.prepared
        assert prepared is not None
        await self.prepare(prepared.action, as_rule=prepared.plan is None)

    async def action_rule(self) -> None:
        if self.model.last is None:
            self.say(tr("nothing to make a rule of yet: d, r, m, a, f or i prepare something"))
            return
        await self.prepare(self.model.last, as_rule=True)

    # doing

    async def action_confirm(self) -> None:
        what = await self.work(self.model.confirm)
        if what is None:  # it may look other by now; what cannot be done any more is dropped
            if not await self._try_quietly():
                self.model.drop()
            self.show_all()
            return
        self.say(what, "accent")
        if self.model.queue:
            await self.action_skip()
        self.show_all()
        self.learn()

    async def _try_quietly(self) -> bool:
        """Look again at what is prepared; the first complaint is the one that stays."""

        def look() -> bool:
            try:
                self.model.prepare_again()
            except LorawizError:
                return False
            return self.model.prepared is not None

        return bool(await self.work(look))

    def action_drop(self) -> None:
        self.model.drop()
        self.say("")
        self.show_all()

    async def action_undo(self) -> None:
        await self._reverse(self.model.undo)

    async def action_redo(self) -> None:
        await self._reverse(self.model.redo)

    async def _reverse(self, reverse: Callable[[], str]) -> None:
        what = await self.work(reverse)
        if what is not None:
            self.say(visible_text(what), "accent")
            self.learn()
        self.show_all()


ACTIONS = WHILE_PREPARED | {
    binding.action for binding in TagCommands.BINDINGS if isinstance(binding, Binding)
}
"""What these keys do."""
