"""What is known of one image, in words: figures, findings, caption, tags, prompt."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from lorawiz.dataset.crops import is_crop_by_hand
from lorawiz.dataset.prompts import draw_prompt
from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import visible_text
from lorawiz.families.clip import CHUNK_TOKENS
from lorawiz.families.clip.counting import count_prompt_tokens
from lorawiz.spec import Spec
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.theme import STYLES, Tone

_BREAK = Content("\n")


class Heading(Widget):
    """A word at the left, and one at the right end."""

    DEFAULT_CSS = "Heading { height: 1; margin-top: 1; }"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self._left = name
        self._right = ""
        self._tone: Tone = "note"

    def show(self, left: str, right: str = "", tone: Tone = "note") -> None:
        self._left, self._right, self._tone = left, right, tone
        self.refresh()

    def render(self) -> Content:
        gap = " " * max(self.size.width - len(self._left) - len(self._right), 1)
        return Content.assemble(
            (self._left, STYLES["note"]), gap, (self._right, STYLES[self._tone])
        )


class Details(VerticalScroll, can_focus=False):
    """The image at the cursor; J and K scroll what does not fit."""

    DEFAULT_CSS = """
    Details {
        padding: 0 1; scrollbar-size: 1 1;
        .words { padding-left: 1; height: auto; }
        #facts { height: auto; }
        &.-empty Heading { display: none; }
    }
    """

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(id="details")
        self._session = session
        self._facts = Static(id="facts", markup=False)
        self._headings = {name: Heading(name) for name in ("caption", "tags", "prompt")}
        self._words = {name: Static(classes="words", markup=False) for name in self._headings}
        self._shown: ImageRecord | None = None

    def compose(self) -> ComposeResult:
        yield self._facts
        for name, heading in self._headings.items():
            yield heading
            yield self._words[name]

    def show(self, nothing: str) -> None:
        """Show the image at the cursor, or say why there is none."""
        record = self._session.current
        self.set_class(record is None, "-empty")
        if record is None:
            self._facts.update(Content.styled(nothing, STYLES["note"]))
            for words in self._words.values():
                words.update(Content())
            return
        if self._shown is None or record.image_path != self._shown.image_path:
            self.scroll_home(animate=False)
        self._shown = record
        self._facts.update(build_facts(self._session, record))
        by_hand = "by hand" if record.hand.caption else ""
        self._headings["caption"].show("caption", by_hand)
        self._words["caption"].update(_or_none(visible_text(record.caption)))
        self._headings["tags"].show("tags", str(len(record.tags)) if record.tags else "")
        self._words["tags"].update(build_tags(record))
        self._show_prompt(record, self._session.spec)

    def _show_prompt(self, record: ImageRecord, spec: Spec) -> None:
        drawn = draw_prompt(record, spec, epoch=1)
        num_tokens = count_prompt_tokens(drawn.text)
        tone: Tone = "warning" if num_tokens > CHUNK_TOKENS else "note"
        self._headings["prompt"].show(
            "prompt, epoch 1", f"{num_tokens}/{CHUNK_TOKENS} tokens", tone
        )
        if drawn.is_dropped:
            text = Content.styled("empty: caption dropout", STYLES["note"])
        else:
            text = _or_none(visible_text(drawn.in_brackets()))
        remark = _describe_prompt(spec, drawn.parts is not None, num_tokens)
        self._words["prompt"].update(_BREAK.join([text, remark]) if remark else text)


def build_facts(session: ReviewSession, record: ImageRecord) -> Content:
    """Name, size, face, what was decided, and what was found, a line each."""
    name = Content.styled(visible_text(record.image_path.rpartition("/")[2]), "bold")
    figures = [f"{record.width}×{record.height}"] if record.width else []
    faces = (session.knowledge.faces or {}).get(record.image_path)
    if faces is not None:
        figures.append(f"face {faces[0][4]:.2f}" if faces else "no face")
    if record.mask:
        figures.append("mask")
    lines = [Content.assemble(name, "  ", "  ".join(figures))]
    if record.crop is not None:
        hand = " by hand" if is_crop_by_hand(record) else ""
        width, height = record.content_size
        lines.append(Content.styled(f"crop {width}×{height}{hand}", STYLES["note"]))
    if not record.keep:
        lines.append(Content.styled("✗ rejected: it is not trained", STYLES["error"]))
    if record.status == "broken":
        lines.append(Content.styled(f"⚠ broken: {visible_text(record.reason)}", STYLES["warning"]))
    problems = session.problems_of(record)
    lines += [Content.styled(f"⚠ {each.message}", STYLES["warning"]) for each in problems]
    return _BREAK.join(lines)


def build_tags(record: ImageRecord) -> Content:
    """`lyq · smile · +hat`: + put in by hand, ↑ moved first; then what was taken out."""
    hand, shown = record.hand, []
    for tag in record.tags:
        mark = "+" if tag in hand.add else "↑" if tag in hand.first else ""
        shown.append(Content.assemble((mark, STYLES["accent"]), visible_text(tag)))
    tags = Content.assemble(_or_none(""), "") if not shown else Content(" · ").join(shown)
    gone = [tag for tag in hand.remove if tag not in record.tags]
    if not gone:
        return tags
    taken = " · ".join(visible_text(tag) for tag in gone)
    return _BREAK.join([tags, Content.styled(f"taken out by hand: {taken}", STYLES["note"])])


def _describe_prompt(spec: Spec, has_parts: bool, num_tokens: int) -> Content | None:
    if num_tokens > CHUNK_TOKENS:
        said = f"longer than the {CHUNK_TOKENS} tokens that are read at once"
        return Content.styled(said, STYLES["warning"])
    if not has_parts:
        return None
    rest = "shuffled" if spec.prompt.shuffle_caption else "may be left out"
    return Content.styled(f"kept in brackets, the rest {rest}", STYLES["note"])


def _or_none(text: str) -> Content:
    return Content(text) if text else Content.styled("none", STYLES["note"])
