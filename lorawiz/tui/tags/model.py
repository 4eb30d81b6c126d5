"""What the tags screen works on: the tags and their counts, the action that is prepared.

Knows nothing of Textual. What reads or writes files may be called from a thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lorawiz.errors import DatasetError, LorawizError
from lorawiz.spec import Spec, load_spec
from lorawiz.tui.language import tr
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.tags import rule_journal
from lorawiz.tui.tags.actions import TagAction
from lorawiz.tui.tags.listing import TagListing
from lorawiz.tui.tags.preview import Preview, preview_edit, preview_rule
from lorawiz.tui.tags.rows import (
    build_insight,
)
from lorawiz.tui.tags.rules import RulePlan, load_machine_words, plan_rule, write_rule
from lorawiz.tui.tags.vocabulary import load_vocabulary

FileSign = tuple[int, int, int] | None


@dataclass(frozen=True)
class Prepared:
    """An action that waits for a yes."""

    action: TagAction
    preview: Preview
    plan: RulePlan | None = None
    """Where it becomes a rule."""
    refusal: str = ""
    """Why it cannot become one, where that was asked for."""


class TagsModel(TagListing):
    """The tags of a session's images, and what is about to be done to them."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self.prepared: Prepared | None = None
        self.last: TagAction | None = None
        """What was done last by hand: it can still become a rule."""
        self.queue: list[str] = []
        """Identity tags that are gone through, the one that is asked about first."""
        self.num_queued = 0
        self.num_changes = 0
        """Edits that undo can take back."""
        self._spec_sign = self._sign_spec()
        self._vocabulary: tuple[str, ...] | None = None
        self._has_counted_changes = False

    # what is about to be done

    def prepare(self, action: TagAction, refusal: str = "") -> None:
        """Show what an action will do by hand. Raises DatasetError where it does nothing."""
        preview = preview_edit(action, self.session.records, self.session.knowledge)
        if not preview.num_images:
            raise DatasetError(tr("that changes nothing"))
        self.prepared = Prepared(action, preview, refusal=refusal)

    def prepare_rule(self, action: TagAction) -> None:
        """Plan an action as a rule, or else by hand, with the reason; reads files.

        Raises LorawizError as `plan_rule` where there is nothing to do by hand either.
        """
        try:
            plan = plan_rule(self.session.project, list(self.session.records), action)
        except LorawizError as error:
            if not action.find_targets(self.session.records):
                raise
            self.prepare(action, " ".join(str(error).split()))
        else:
            self.prepared = Prepared(action, preview_rule(plan), plan)

    def prepare_again(self) -> None:
        """The same action over what the files say now. Raises as the two above."""
        if self.prepared is None:
            return
        waiting, self.prepared = self.prepared, None
        prepare = self.prepare if waiting.plan is None else self.prepare_rule
        prepare(waiting.action)

    def build_absorb(self, tags: Sequence[str]) -> TagAction:
        """The action that lets the trigger mean `tags`. Raises DatasetError without a trigger."""
        if not self.trigger:
            raise DatasetError(
                tr("no trigger to absorb into"), tr("set project.trigger in the settings first")
            )
        absorbed = tuple(tag for tag in tags if tag != self.trigger)
        return TagAction("absorb", absorbed, trigger=self.trigger)

    def drop(self) -> None:
        """Change nothing."""
        self.prepared = None
        self.queue = []
        self.num_queued = 0

    def start_queue(self) -> bool:
        """Go through the identity tags, one after the other; whether there are any."""
        marked = [count.tag for count in self.counts if "identity" in self.marks_of(count)]
        self.queue, self.num_queued = marked, len(marked)
        return bool(marked)

    def skip_queued(self) -> str | None:
        """The next identity tag to ask about; None at the end."""
        there = {count.tag for count in self.counts}
        self.queue = [tag for tag in self.queue[1:] if tag in there]
        return self.queue[0] if self.queue else None

    def confirm(self) -> str:
        """Do what is prepared, and say what was done. Raises LorawizError and OSError."""
        assert self.prepared is not None
        if self.prepared.plan is None:
            what = self._edit_by_hand(self.prepared)
        else:
            what = self._write_rule(self.prepared.preview, self.prepared.plan)
        self.prepared = None
        self.chosen.clear()
        self.num_changes += 1
        self.recount()
        return what

    def _edit_by_hand(self, prepared: Prepared) -> str:
        session, action = self.session, prepared.action
        if session.reload_if_changed() or not session.knowledge.machine:
            load_machine_words(session)
        what = prepared.preview.summary
        if not session.edit(what, action.find_targets(session.records), action.build_change()):
            raise DatasetError(tr("that changes nothing"))
        self.last = action
        return what

    def _write_rule(self, preview: Preview, plan: RulePlan) -> str:
        summary = preview.summary
        what = tr("{what}, by rule {number}", what=summary, number=plan.edit.number)
        write_rule(self.session, plan, what)
        self.last = None
        self._spec_sign = self._sign_spec()
        rule_journal.note_rule(self.session.project, what, plan.edit)
        return what

    def undo(self) -> str:
        """Take the last edit back, with its rule. Raises as `undo_edit`."""
        return self._reverse(is_undo=True)

    def redo(self) -> str:
        """Do it again. Raises as `redo_edit`."""
        return self._reverse(is_undo=False)

    def _reverse(self, is_undo: bool) -> str:
        reverse = rule_journal.undo_edit if is_undo else rule_journal.redo_edit
        what = reverse(self.session)
        self._spec_sign = self._sign_spec()
        self.last = None
        self.num_changes = max(self.num_changes + (-1 if is_undo else 1), 0)
        self.recount()
        return what

    # what reads

    def learn(self) -> None:
        """What takes longer: models' words, marks, the tagger's vocabulary, the journal.

        Raises LorawizError and OSError.
        """
        session = self.session
        if not session.knowledge.machine:
            load_machine_words(session)
        if self._vocabulary is None:
            self._vocabulary = load_vocabulary(session.project, session.spec)
        self.insight = build_insight(self.report, self.trigger, self._vocabulary)
        if not self._has_counted_changes:
            self.num_changes = len(rule_journal.read_stacks(session.project).undoable)
            self._has_counted_changes = True

    def is_changed_elsewhere(self) -> bool:
        return self.session.is_changed_elsewhere() or self._sign_spec() != self._spec_sign

    def reload(self) -> bool:
        """Take in what others changed; whether tags or settings are others now.

        Raises LorawizError: an invalid lorawiz.toml is told once, and the last good one holds.
        """
        session = self.session
        is_other = session.reload_if_changed()
        error: LorawizError | None = None
        sign = self._sign_spec()
        if sign != self._spec_sign:
            self._spec_sign = sign
            try:
                is_other |= self._take_spec(load_spec(session.project.spec))
            except LorawizError as caught:
                error = caught
        if is_other:
            self._has_counted_changes = False
            load_machine_words(session)
            self.recount()
        if error is not None:
            raise error
        return is_other

    def _take_spec(self, spec: Spec) -> bool:
        is_other = spec != self.session.spec
        if spec.tag != self.session.spec.tag:
            self._vocabulary = None
        self.session.spec = spec
        return is_other

    def _sign_spec(self) -> FileSign:
        try:
            stat = self.session.project.spec.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
