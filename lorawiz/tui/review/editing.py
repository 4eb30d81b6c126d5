"""The edits of the review screen: each asks for what it needs, and is on the disk at once."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.words import add_tags, move_first, remove_tags, rename_tag, set_caption
from lorawiz.errors import LorawizError, visible_text
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.review.editing_session import (
    About,
    Change,
    ChangedElsewhereError,
    name_image,
    name_images,
)
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.screens.asking import (
    PickScreen,
    Remark,
    TextScreen,
    find_hidden,
    restore_hidden,
)
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.screens.dialogs import Choice, ChoiceScreen

_MANY = 100
"""From so many images on, that an edit is under way is said."""


class EditingScreen(BaseScreen[None]):
    """Turns keys into edits of the image at the cursor, or of those selected."""

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

    async def edit(
        self,
        what: str,
        records: Sequence[ImageRecord],
        change: Change,
        about: About | None = None,
    ) -> bool:
        """Change images; `what` is how it is told here and by `lorawiz undo`.

        False where it was refused: what it is about was changed elsewhere in the meantime.
        """
        was_refused = False

        def job() -> int:
            nonlocal was_refused
            try:
                return self.session.edit(what, records, change, about)
            except ChangedElsewhereError:
                was_refused = True
                raise

        if len(records) >= _MANY:
            self.say(tr("{what}…", what=what))
        num_changed = await self.work(job)
        if num_changed is not None:
            self.say(what if num_changed else tr("that changes nothing"))
        self.tell_given_way()
        self.show_all()
        return not was_refused

    def tell_given_way(self) -> None:
        """Say of which images an edit was dropped, because an editor changed the same."""
        paths = self.session.take_given_way()
        if not paths:
            return
        named = name_image(paths[0])
        others = len(paths) - 1
        if others:
            named = tr_count(others, "{name} and {num} more", "{name} and {num} more", name=named)
        self.complain(
            LorawizError(
                tr("{images}: an editor changed the same at the same time", images=named),
                tr("what it wrote holds; the edit made here is only in .lorawiz/edits.jsonl"),
            )
        )

    async def action_toggle_keep(self) -> None:
        targets = self.session.targets
        keep = not any(record.keep for record in targets)
        if len(targets) < 2:
            await self.set_keep(targets, keep)
            return
        num_so = sum(record.keep == keep for record in targets)
        num = len(targets)
        if keep:
            question = tr("Keep {num} images?", num=num)
            answer = tr("yes: keep them; u takes it back")
        else:
            question = tr("Reject {num} images?", num=num)
            answer = tr("yes: reject them; u takes it back")
        if num_so:
            question += " " + tr("{num} are so already.", num=num_so)
        yes, no = Choice("y", answer, True), Choice("n", tr("no: change nothing"), False)

        async def obey(is_sure: bool | None) -> None:
            if is_sure:
                await self.set_keep(targets, keep)

        self.app.push_screen(ChoiceScreen(question, [yes, no]), obey)

    async def set_keep(self, targets: Sequence[ImageRecord], keep: bool) -> None:
        """Use images for training, or not."""
        images = name_images(targets)
        what = tr("keep {images}", images=images) if keep else tr("reject {images}", images=images)
        await self.edit(what, targets, lambda record, _machine: replace(record, keep=keep))
        self.note_new_training()

    def action_caption(self) -> None:
        self._ask_caption(self.session.targets)

    def _ask_caption(self, targets: Sequence[ImageRecord], typed: str | None = None) -> None:
        """Ask for a caption; `typed` is what was answered before, and was refused."""
        captions = {record.caption for record in targets}
        before = captions.pop() if len(captions) == 1 else ""
        hidden = find_hidden(before)

        def remark(text: str) -> Remark:
            if typed is not None and before:
                return "warning", tr("it says now: {caption}", caption=visible_text(before))
            if len(targets) == 1:
                return "note", ""
            num = sum(record.caption != restore_hidden(text, hidden) for record in targets)
            return "note", tr("changes {num} of {all} images", num=num, all=len(targets))

        async def obey(answer: str | None) -> None:
            if answer is None:
                return
            text = restore_hidden(answer, hidden)
            is_done = await self.edit(
                tr("caption of {images}", images=name_images(targets)),
                targets,
                lambda record, _machine: set_caption(record, text),
                about=lambda record: record.caption,
            )
            if not is_done:  # what was typed is not lost: it is asked for over what is there now
                there = [self.session.find(record.image_path) for record in targets]
                now = [record for record in there if record is not None]
                if now:
                    self._ask_caption(now, answer)

        title = tr("caption of {images}", images=name_images(targets))
        value = visible_text(before) if typed is None else typed
        self.app.push_screen(TextScreen(title, value, remark=remark), obey)

    def action_add_tags(self) -> None:
        targets = self.session.targets
        words = self.session.count_tags().most_common()
        as_stored = {visible_text(word): word for word, _ in words}

        def read(typed: str) -> list[str]:
            pieces = [piece.strip() for piece in typed.split(",")]
            return [as_stored.get(piece, piece) for piece in pieces if piece]

        def remark(typed: str) -> Remark:
            new = set(read(typed))
            num = sum(not new <= set(record.tags) for record in targets)
            if not new or len(targets) == 1:
                return "note", tr("a comma between two tags")
            return "note", tr("changes {num} of {all} images", num=num, all=len(targets))

        async def obey(typed: str | None) -> None:
            tags = read(typed or "")
            if tags:
                images = name_images(targets)
                await self.edit(
                    tr("add {tags} to {images}", tags=_show_tags(tags), images=images),
                    targets,
                    lambda record, known: add_tags(record, tags, machine=known),
                )

        title = tr("add tags to {images}", images=name_images(targets))
        self.app.push_screen(TextScreen(title, "", words, remark), obey)

    def action_remove_tag(self) -> None:
        async def obey(tag: str, targets: Sequence[ImageRecord]) -> None:
            images = name_images(targets)
            await self.edit(
                tr("take {tag} out of {images}", tag=visible_text(tag), images=images),
                targets,
                lambda record, known: remove_tags(record, [tag], machine=known),
            )

        images = name_images(self.session.targets)
        self._pick_tag(tr("take which tag out of {images}?", images=images), obey)

    def action_rename_tag(self) -> None:
        async def ask(tag: str, targets: Sequence[ImageRecord]) -> None:
            shown, images = visible_text(tag), name_images(targets)
            words = self.session.count_tags().most_common()
            as_stored = {visible_text(word): word for word, _ in words}

            async def obey(typed: str | None) -> None:
                new = as_stored.get((typed or "").strip(), (typed or "").strip())
                if new:
                    to = visible_text(new)
                    await self.edit(
                        tr("rename {tag} to {new} in {images}", tag=shown, new=to, images=images),
                        targets,
                        lambda record, known: rename_tag(record, tag, new, machine=known),
                    )

            title = tr("rename {tag} in {images} to", tag=shown, images=images)
            self.app.push_screen(TextScreen(title, shown, words, _refuse_comma), obey)

        images = name_images(self.session.targets)
        self._pick_tag(tr("rename which tag in {images}?", images=images), ask)

    def action_move_first(self) -> None:
        async def obey(tag: str, targets: Sequence[ImageRecord]) -> None:
            images = name_images(targets)
            what = tr("move {tag} first in {images}", tag=visible_text(tag), images=images)
            await self.edit(what, targets, lambda record, _machine: move_first(record, [tag]))

        images = name_images(self.session.targets)
        self._pick_tag(tr("move which tag first in {images}?", images=images), obey)

    def _pick_tag(
        self, title: str, then: Callable[[str, Sequence[ImageRecord]], Awaitable[None]]
    ) -> None:
        """Ask for one of the targets' tags; `then` gets it and the targets that have it."""
        targets = self.session.targets
        counts = Counter(tag for record in targets for tag in record.tags)
        if not counts:
            self.say(tr("no tags here; e adds some"))
            return
        if len(targets) == 1:  # in the image's own order
            notes = [(tag, "") for tag in targets[0].tags]
        else:
            notes = [
                (tag, tr_count(num, "{num} image", "{num} images"))
                for tag, num in counts.most_common()
            ]

        async def obey(tag: str | None) -> None:
            if tag is not None:
                await then(tag, [record for record in targets if tag in record.tags])

        self.app.push_screen(PickScreen(title, notes), obey)

    async def action_undo(self) -> None:
        await self._reverse(self.session.undo)

    async def action_redo(self) -> None:
        await self._reverse(self.session.redo)

    async def _reverse(self, reverse: Callable[[], str]) -> None:
        what = await self.work(reverse)
        if what is not None:
            self.say(what)
        self.tell_given_way()
        self.show_all()
        self.note_new_training()


def _show_tags(tags: Sequence[str]) -> str:
    return ", ".join(visible_text(tag) for tag in tags)


def _refuse_comma(typed: str) -> Remark:
    return ("error", tr("one tag only, without a comma")) if "," in typed else ("note", "")
