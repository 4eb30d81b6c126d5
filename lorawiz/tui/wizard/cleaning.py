"""What the cleaning rules would change, by rule and by image; then it is done or left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from lorawiz.dataset.cleaning import RuleTrace
from lorawiz.dataset.records import Dataset, ImageRecord
from lorawiz.dataset.settling import Settled, settle_dataset
from lorawiz.dataset.store import change_dataset, read_dataset
from lorawiz.errors import visible_text
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.key_lines import KeyLines

_MOST_SHOWN = 500


@dataclass(frozen=True)
class CleanPreview:
    """What a replay of the rules would do now."""

    settled: Settled
    traces: Sequence[RuleTrace]


def preview_rules(project: Project) -> CleanPreview:
    """Replay the rules; nothing is written. Raises LorawizError."""
    traces: list[RuleTrace] = []
    spec = load_spec(project.spec)
    return CleanPreview(settle_dataset(project, spec, read_dataset(project), traces.append), traces)


def apply_preview(project: Project, preview: CleanPreview) -> int:
    """Write what was shown, as one edit; lines that were changed since stay as they are.

    Returns how many images were changed. Raises LorawizError and OSError.
    """
    new = {before.image_path: (before, after) for before, after in preview.settled.changed}

    def change(dataset: Dataset) -> Iterator[ImageRecord]:
        for record in dataset.records:
            before, after = new.get(record.image_path, (None, record))
            if record == before:
                yield after

    return change_dataset(project, "clean", change).num_changed


class CleanScreen(BaseScreen[None]):
    """Shows a preview first; `a` makes it so."""

    DEFAULT_CSS = """
    CleanScreen {
        layers: base;
        #title { height: 1; padding: 0 1; }
        #lines { height: 1fr; padding: 0 1; margin-top: 1; scrollbar-size: 1 1; }
        #lines Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,enter", "apply", "apply", tooltip="change the images as shown"),
        Binding("r", "look", "look again", tooltip="replay the rules anew"),
        Binding("down,j", "scroll(1)", show=False, tooltip="a line down"),
        Binding("up,k", "scroll(-1)", show=False, tooltip="a line up"),
        Binding("ctrl+d,pagedown", "scroll(10)", show=False, tooltip="ten lines down"),
        Binding("ctrl+u,pageup", "scroll(-10)", show=False, tooltip="ten lines up"),
        Binding("g,home", "scroll_to(False)", show=False, tooltip="the first line"),
        Binding("G,end", "scroll_to(True)", show=False, tooltip="the last line"),
        Binding("escape,q", "quit", "back", tooltip="back; what was not applied is not changed"),
        Binding("ctrl+q,ctrl+c", "quit", show=False, tooltip="back"),
    ]

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._preview: CleanPreview | None = None
        self._title = Static(id="title", markup=False)
        self._said = Static(markup=False)
        self._lines = VerticalScroll(self._said, id="lines", can_focus=False)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._lines
        yield KeyLines(1)

    async def on_mount(self) -> None:
        await self.action_look()

    async def action_look(self) -> None:
        self._preview = await self.work(lambda: preview_rules(self._project))
        self._title.update(self._build_title())
        lines = list(build_preview(self._preview)) if self._preview is not None else []
        self._said.update(Content("\n").join(lines))
        self.refresh_bindings()

    def _build_title(self) -> Content:
        title = Content.styled(tr("Clean"), "bold")
        if self._preview is None:
            return title
        num = len(self._preview.settled.changed)
        said = tr_count(num, "{num} image would change", "{num} images would change")
        return Content.assemble(title, "  ", (said, STYLES["warning" if num else "note"]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "apply":
            return self._preview is not None and bool(self._preview.settled.changed)
        return super().check_action(action, parameters)

    async def action_apply(self) -> None:
        preview = self._preview
        assert preview is not None
        num = await self.work(lambda: apply_preview(self._project, preview))
        if num is not None:
            said = tr_count(num, "{num} image changed", "{num} images changed")
            self.notify(said, markup=False)
        await self.action_look()

    def action_scroll(self, lines: int) -> None:
        self._lines.scroll_relative(y=lines, animate=False)

    def action_scroll_to(self, is_end: bool) -> None:
        (self._lines.scroll_end if is_end else self._lines.scroll_home)(animate=False)

    def action_quit(self) -> None:
        self.leave()


def build_preview(preview: CleanPreview) -> Iterator[Content]:
    """A line a rule, then the images that change, then where a hand overrules the rules."""
    if not preview.traces:
        yield Content.styled(tr("no rules yet: the tags screen makes some with R"), STYLES["note"])
    for trace in preview.traces:
        yield Content(trace.in_words())
    yield Content()
    changed, conflicts = preview.settled.changed, preview.settled.conflicts
    for before, after in changed[:_MOST_SHOWN]:
        yield from _build_difference(before, after)
    rest = len(changed) - _MOST_SHOWN
    if rest > 0:
        yield Content.styled(tr("and {num} more", num=rest), STYLES["note"])
    if conflicts:
        said = tr_count(len(conflicts), "{num} edit by hand stays", "{num} edits by hand stay")
        yield Content.styled(said, STYLES["note"])


def _build_difference(before: ImageRecord, after: ImageRecord) -> Iterator[Content]:
    """`IMG_0012.jpg  -brown hair +lyq`, and the caption where it changes."""
    name = visible_text(before.image_path.rpartition("/")[2])
    gone = [f"-{visible_text(tag)}" for tag in before.tags if tag not in after.tags]
    come = [f"+{visible_text(tag)}" for tag in after.tags if tag not in before.tags]
    pieces = [Content.styled(tag, STYLES["warning"]) for tag in gone]
    pieces += [Content.styled(tag, STYLES["accent"]) for tag in come]
    if before.tags != after.tags and not pieces:
        pieces = [Content.styled(tr("new order"), STYLES["note"])]
    if pieces:
        yield Content.assemble(name, "  ", Content("  ").join(pieces))
    if before.caption != after.caption:
        yield Content.assemble(name, "  ", (f"-{visible_text(before.caption)}", STYLES["warning"]))
        yield Content.assemble(name, "  ", (f"+{visible_text(after.caption)}", STYLES["accent"]))
