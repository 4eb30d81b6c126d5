"""The edits of the review screen: each asks for what it needs, and is on the disk at once."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.words import add_tags, move_first, remove_tags, rename_tag, set_caption
from lorawiz.errors import visible_text
from lorawiz.tui.review.session import Change, ReviewSession
from lorawiz.tui.screens.asking import (
    PickScreen,
    Remark,
    TextScreen,
    find_hidden,
    restore_hidden,
)
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.screens.dialogs import Choice, ChoiceScreen
from lorawiz.wording import show_count


class EditingScreen(BaseScreen[None]):
    """Turns keys into edits of the image at the cursor, or of those selected."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_keep", "keep/reject", tooltip="keep or reject"),
        Binding("c", "caption", "caption", tooltip="edit the caption"),
        Binding("t", "add_tags", "tags", tooltip="add tags"),
        Binding("x", "remove_tag", "take out", tooltip="take a tag out"),
        Binding("r", "rename_tag", "rename", show=False, tooltip="rename a tag"),
        Binding("F", "move_first", "first", show=False, tooltip="move a tag first"),
        Binding("u,ctrl+z", "undo", "undo", tooltip="undo, as often as there are edits"),
        Binding("ctrl+r,ctrl+y", "redo", "redo", show=False, tooltip="redo"),
    ]

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self.session = session

    def say(self, text: str) -> None:
        """Tell what was done."""
        raise NotImplementedError

    def show_all(self) -> None:
        """Draw everything that may have changed."""
        raise NotImplementedError

    def note_new_training(self) -> None:
        """Which images are trained, or what of them, has changed."""
        raise NotImplementedError

    async def edit(self, what: str, records: Sequence[ImageRecord], change: Change) -> None:
        """Change images; `what` is how it is told here and by `lorawiz undo`."""
        num_changed = await self.work(lambda: self.session.edit(what, records, change))
        if num_changed is not None:
            self.say(what if num_changed else "that changes nothing")
        self.show_all()

    async def action_toggle_keep(self) -> None:
        targets = self.session.targets
        keep = not any(record.keep for record in targets)
        if len(targets) < 2:
            await self._set_keep(targets, keep)
            return
        verb = "Keep" if keep else "Reject"
        num_others = sum(record.keep != keep for record in targets)
        question = f"{verb} {show_count(len(targets), 'image')}?"
        if num_others < len(targets):
            question += f" {len(targets) - num_others} are so already."
        yes = Choice("y", f"yes: {verb.lower()} them; u takes it back", True)

        async def obey(is_sure: bool | None) -> None:
            if is_sure:
                await self._set_keep(targets, keep)

        self.app.push_screen(
            ChoiceScreen(question, [yes, Choice("n", "no: change nothing", False)]), obey
        )

    async def _set_keep(self, targets: Sequence[ImageRecord], keep: bool) -> None:
        what = f"{'keep' if keep else 'reject'} {name_images(targets)}"
        await self.edit(what, targets, lambda record, _machine: replace(record, keep=keep))
        self.note_new_training()

    def action_caption(self) -> None:
        targets = self.session.targets
        if not targets:
            return
        captions = {record.caption for record in targets}
        before = captions.pop() if len(captions) == 1 else ""
        hidden = find_hidden(before)

        def remark(typed: str) -> Remark:
            if len(targets) == 1:
                return "note", ""
            num = sum(record.caption != restore_hidden(typed, hidden) for record in targets)
            return "note", f"changes {num} of {len(targets)} images"

        async def obey(typed: str | None) -> None:
            if typed is not None:
                text = restore_hidden(typed, hidden)
                what = f"caption of {name_images(targets)}"
                await self.edit(what, targets, lambda record, _machine: set_caption(record, text))

        title = f"caption of {name_images(targets)}"
        self.app.push_screen(TextScreen(title, visible_text(before), remark=remark), obey)

    def action_add_tags(self) -> None:
        targets = self.session.targets
        if not targets:
            return
        words = self.session.count_tags().most_common()
        as_stored = {visible_text(word): word for word, _ in words}

        def read(typed: str) -> list[str]:
            pieces = [piece.strip() for piece in typed.split(",")]
            return [as_stored.get(piece, piece) for piece in pieces if piece]

        def remark(typed: str) -> Remark:
            new = set(read(typed))
            num = sum(not new <= set(record.tags) for record in targets)
            if not new or len(targets) == 1:
                return "note", "a comma between two tags"
            return "note", f"changes {num} of {len(targets)} images"

        async def obey(typed: str | None) -> None:
            tags = read(typed or "")
            if tags:
                what = f"add {_show_tags(tags)} to {name_images(targets)}"
                await self.edit(
                    what, targets, lambda record, known: add_tags(record, tags, machine=known)
                )

        title = f"add tags to {name_images(targets)}"
        self.app.push_screen(TextScreen(title, "", words, remark), obey)

    def action_remove_tag(self) -> None:
        async def obey(tag: str, targets: Sequence[ImageRecord]) -> None:
            what = f"take {_show_tags([tag])} out of {name_images(targets)}"
            await self.edit(
                what, targets, lambda record, known: remove_tags(record, [tag], machine=known)
            )

        self._pick_tag("take which tag out of", obey)

    def action_rename_tag(self) -> None:
        async def ask(tag: str, targets: Sequence[ImageRecord]) -> None:
            async def obey(typed: str | None) -> None:
                new = as_stored.get((typed or "").strip(), (typed or "").strip())
                if new:
                    what = f"rename {_show_tags([tag])} to {_show_tags([new])} in "
                    await self.edit(
                        what + name_images(targets),
                        targets,
                        lambda record, known: rename_tag(record, tag, new, machine=known),
                    )

            words = self.session.count_tags().most_common()
            as_stored = {visible_text(word): word for word, _ in words}
            title = f"rename {_show_tags([tag])} in {name_images(targets)} to"
            self.app.push_screen(TextScreen(title, visible_text(tag), words, _refuse_comma), obey)

        self._pick_tag("rename which tag in", ask)

    def action_move_first(self) -> None:
        async def obey(tag: str, targets: Sequence[ImageRecord]) -> None:
            what = f"move {_show_tags([tag])} first in {name_images(targets)}"
            await self.edit(what, targets, lambda record, _machine: move_first(record, [tag]))

        self._pick_tag("move which tag first in", obey)

    def _pick_tag(
        self, what: str, then: Callable[[str, Sequence[ImageRecord]], Awaitable[None]]
    ) -> None:
        """Ask for one of the targets' tags; `then` gets it and the targets that have it."""
        targets = self.session.targets
        counts = Counter(tag for record in targets for tag in record.tags)
        if not counts:
            self.say("no tags here; t adds some")
            return
        # an image's own order, or the most frequent first
        ordered = (
            list(targets[0].tags) if len(targets) == 1 else [t for t, _ in counts.most_common()]
        )
        notes = [
            (tag, "" if len(targets) == 1 else show_count(counts[tag], "image")) for tag in ordered
        ]

        async def obey(tag: str | None) -> None:
            if tag is not None:
                await then(tag, [record for record in targets if tag in record.tags])

        self.app.push_screen(PickScreen(f"{what} {name_images(targets)}?", notes), obey)

    async def action_undo(self) -> None:
        await self._reverse(self.session.undo)

    async def action_redo(self) -> None:
        await self._reverse(self.session.redo)

    async def _reverse(self, reverse: Callable[[], str]) -> None:
        what = await self.work(reverse)
        if what is not None:
            self.say(what)
        self.show_all()
        self.note_new_training()


def name_images(records: Sequence[ImageRecord]) -> str:
    """`IMG_0012.jpg`, or how many there are."""
    if len(records) == 1:
        return visible_text(records[0].image_path.rpartition("/")[2])
    return show_count(len(records), "image")


def _show_tags(tags: Sequence[str]) -> str:
    return ", ".join(visible_text(tag) for tag in tags)


def _refuse_comma(typed: str) -> Remark:
    return ("error", "one tag only, without a comma") if "," in typed else ("note", "")
