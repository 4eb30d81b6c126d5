"""What stands around the table of tags: the head line, the tag at the cursor, the preview."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from lorawiz.errors import visible_text
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.tags.model import Prepared, TagsModel
from lorawiz.tui.tags.rows import explain_mark
from lorawiz.tui.theme import STYLES, Tone

_GAP = "  "
_MOST_BESIDE = 6
_BREAK = Content("\n")


class TagsHeader(Widget):
    """One line: how many tags, what is selected and looked for, and what undo can take back."""

    DEFAULT_CSS = "TagsHeader { height: 1; padding: 0 1; }"

    def __init__(self, model: TagsModel) -> None:
        super().__init__()
        self._model = model

    def render(self) -> Content:
        model, width = self._model, self.size.width
        pieces = [
            Content.styled(tr("Tags"), "bold"),
            Content(
                tr_count(
                    model.report.num_images,
                    "{tags} in {num} image",
                    "{tags} in {num} images",
                    tags=len(model.counts),
                )
            ),
        ]
        if model.wanted.strip():
            found = tr("{num} found: {text}", num=len(model.rows), text=visible_text(model.wanted))
            pieces.append(Content.styled(found, STYLES["accent"]))
        if model.chosen:
            chosen = tr("selected {num}", num=len(model.chosen))
            pieces.append(Content.styled(chosen, STYLES["accent"]))
        said = ""
        if model.num_changes:
            said = tr_count(model.num_changes, "{num} change · u undo", "{num} changes · u undo")
        right = Content.styled(said, STYLES["note"]).truncate(max(width // 2, 1), ellipsis=True)
        left = Content(_GAP).join(pieces)
        left = left.truncate(max(width - right.cell_length - len(_GAP), 1), ellipsis=True)
        gap = " " * max(width - left.cell_length - right.cell_length, 0)
        return Content.assemble(left, gap, right)


class AboutTag(Static):
    """The tag at the cursor: its images, its neighbours, the captions, its marks in words."""

    DEFAULT_CSS = "AboutTag { padding: 0 1; height: 1fr; border-left: solid $frame; }"

    def __init__(self, model: TagsModel) -> None:
        super().__init__(id="about", markup=False)
        self._model = model

    def show(self) -> None:
        model, row = self._model, self._model.current
        if row is None:
            self.update(Content())
            return
        tag, report = row.tag, model.report
        title = tr("images with “{tag}”", tag=visible_text(tag))
        width = max(self.size.width, 1)
        parts = [_ends(title, str(row.num_images), width)]
        names = [_short_name(path) for path in report.images_with(tag)[:60]]
        parts.append(_flow(names, width, max(self.size.height // 4, 2)))
        beside = [
            f"{visible_text(each.tag)} {each.num_images}"
            for each in report.often_with(tag, _MOST_BESIDE)
        ]
        if beside:
            parts.append(Content.styled(tr("often with"), STYLES["note"]))
            parts.append(_flow([f"{text}," for text in beside[:-1]] + beside[-1:], width, 3))
        num_said = model.insight.captions.get(tag, 0)
        if num_said:
            parts.append(Content.styled(tr("caption says it too in {num}", num=num_said), ""))
        for mark in model.marks_of(row):
            text = explain_mark(mark, tag, model.insight)
            parts.append(Content.styled(text, STYLES["note"]))
        self.update(_BREAK.join(parts))


class PreviewPanel(Static):
    """What the prepared action will change; else what was done last."""

    DEFAULT_CSS = """
    PreviewPanel {
        height: 5; padding: 0 1;
        border-top: solid $frame; border-title-color: $accent;
    }
    """

    def __init__(self) -> None:
        super().__init__(id="preview", markup=False)
        self._prepared: Prepared | None = None
        self._said: tuple[str, Tone] = ("", "note")
        self._step = ""

    def say(self, text: str, tone: Tone = "note") -> None:
        """What happened; it stays until something else does. Several lines may be said."""
        self._said = text, tone
        self.refresh_lines()

    def show(self, prepared: Prepared | None, step: str = "") -> None:
        """`step` tells how far one is where several actions follow each other."""
        self._prepared, self._step = prepared, step
        self.refresh_lines()

    def on_resize(self) -> None:
        self.refresh_lines()

    def refresh_lines(self) -> None:
        prepared = self._prepared
        self.border_title = f"─ {tr('preview')} " if prepared is not None else None
        if prepared is None:
            text, tone = self._said
            self.update(Content.styled(text, STYLES[tone]))
            return
        self.update(_BREAK.join(self._build_lines(prepared)))

    def _build_lines(self, prepared: Prepared) -> Sequence[Content]:
        preview = prepared.preview
        step = f"{self._step}  " if self._step else ""
        remarks = preview.remarks
        if prepared.plan is None:
            remarks = (tr("by hand; R makes it a rule"), *remarks)
        lines = [
            Content.assemble((step, STYLES["note"]), (preview.summary, "bold")),
            Content.styled(" · ".join(remarks), STYLES["accent"]),
        ]
        if prepared.refusal:
            refused = tr("no rule: {error}", error=visible_text(prepared.refusal))
            lines.insert(1, Content.styled(refused, STYLES["warning"]))
        width = max(self.size.width, 1)
        room = max(self.size.height - len(lines), 0)
        examples = preview.examples[:room]
        name_cells = max((Content(each.name).cell_length for each in examples), default=0)
        for each in examples:
            name = Content(each.name).truncate(min(name_cells, width // 3), ellipsis=True, pad=True)
            lines.append(Content.assemble(name.stylize(STYLES["note"]), _GAP, each.in_words()))
        return [line.truncate(width, ellipsis=True) for line in lines]


def _short_name(image_path: str) -> str:
    name = image_path.rpartition("/")[2]
    return visible_text(name.rpartition(".")[0] or name)


def _ends(left: str, right: str, width: int) -> Content:
    end = Content(right)
    start = Content.styled(left, STYLES["note"])
    start = start.truncate(max(width - end.cell_length - 1, 1), ellipsis=True)
    return Content.assemble(start, " " * max(width - start.cell_length - end.cell_length, 1), end)


def _flow(words: Sequence[str], width: int, num_lines: int) -> Content:
    """Words side by side in a few lines, with … where more would follow."""
    lines: list[Content] = [Content(" ")]
    for word in words:
        piece = Content(word).truncate(max(width - 2, 1), ellipsis=True)
        gap = 1 if lines[-1].cell_length == 1 else 2
        if lines[-1].cell_length + gap - 1 + piece.cell_length > width - 2:
            if len(lines) == num_lines:
                lines[-1] = Content.assemble(lines[-1], " …")
                break
            lines.append(Content(" "))
        has_words = lines[-1].cell_length > 1
        lines[-1] = Content.assemble(lines[-1], "  " if has_words else "", piece)
    return _BREAK.join(lines)
