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
from lorawiz.families.clip.counting import prompt_counter
from lorawiz.tui.language import tr
from lorawiz.tui.review.editing_session import name_image
from lorawiz.tui.review.prompt_words import (
    build_prompt,
    describe_prompt,
    find_cut,
    is_tokenizer_loaded,
)
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.theme import STYLES, Tone

_BREAK = Content("\n")
_EPOCH = 1


class Heading(Widget):
    """A word at the left, and one at the right end."""

    DEFAULT_CSS = "Heading { height: 1; margin-top: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._left, self._right = Content(), Content()

    def show(self, left: str, right: str = "", tone: Tone = "note") -> None:
        self._left = Content.styled(left, STYLES["note"])
        self._right = Content.styled(right, STYLES[tone])
        self.refresh()

    def render(self) -> Content:
        used = self._left.cell_length + self._right.cell_length
        gap = " " * max(self.size.width - used, 1)
        return Content.assemble(self._left, gap, self._right)


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
        self._caption, self._tags, self._prompt = Heading(), Heading(), Heading()
        self._caption_words = Static(classes="words", markup=False)
        self._tag_words = Static(classes="words", markup=False)
        self._prompt_words = Static(classes="words", markup=False)
        self._shown: ImageRecord | None = None

    def compose(self) -> ComposeResult:
        yield self._facts
        yield self._caption
        yield self._caption_words
        yield self._tags
        yield self._tag_words
        yield self._prompt
        yield self._prompt_words

    def show(self, nothing: str) -> None:
        """Show the image at the cursor, or say why there is none."""
        record = self._session.current
        self.set_class(record is None, "-empty")
        if record is None:
            self._facts.update(Content.styled(nothing, STYLES["note"]))
            for words in (self._caption_words, self._tag_words, self._prompt_words):
                words.update(Content())
            return
        if self._shown is None or record.image_path != self._shown.image_path:
            self.scroll_home(animate=False)
        self._shown = record
        self._facts.update(build_facts(self._session, record))
        self._caption.show(tr("caption"), tr("by hand") if record.hand.caption else "")
        self._caption_words.update(_or_none(visible_text(record.caption)))
        self._tags.show(tr("tags"), str(len(record.tags)) if record.tags else "")
        self._tag_words.update(build_tags(record))
        self._show_prompt(record)

    def _show_prompt(self, record: ImageRecord) -> None:
        spec = self._session.spec
        drawn = draw_prompt(record, spec, _EPOCH)
        most = spec.prompt.max_token_length
        title = tr("prompt, epoch {epoch}", epoch=_EPOCH)
        if not is_tokenizer_loaded():  # counted when it is: the first frame does not wait
            self._prompt.show(title, tr("{limit} tokens", limit=f"…/{most}"))
            self._prompt_words.update(build_prompt(drawn, None))
            return
        num_tokens = prompt_counter(spec)(drawn.text)
        tone: Tone = "warning" if num_tokens > most else "note"
        self._prompt.show(title, tr("{limit} tokens", limit=f"{num_tokens}/{most}"), tone)
        cut = find_cut(drawn.text, spec) if num_tokens > most else None
        remark = describe_prompt(drawn.parts, spec, num_tokens)
        words = build_prompt(drawn, cut)
        self._prompt_words.update(_BREAK.join([words, remark]) if remark else words)


def build_facts(session: ReviewSession, record: ImageRecord) -> Content:
    """Name, size, face, what was decided, and what was found, a line each."""
    name = Content.styled(name_image(record.image_path), "bold")
    figures = [f"{record.width}×{record.height}"] if record.width else []
    faces = (session.knowledge.faces or {}).get(record.image_path)
    if faces is not None:
        figures.append(tr("face {score}", score=f"{faces[0][4]:.2f}") if faces else tr("no face"))
    if record.mask:
        figures.append(tr("mask"))
    lines = [Content.assemble(name, "  ", "  ".join(figures))]
    if record.crop is not None:
        width, height = record.content_size
        said = tr("crop {width}×{height}", width=width, height=height)
        if is_crop_by_hand(record):
            said = tr("crop {width}×{height} by hand", width=width, height=height)
        lines.append(Content.styled(said, STYLES["note"]))
    if not record.keep:
        lines.append(Content.styled("✗ " + tr("rejected: it is not trained"), STYLES["error"]))
    if record.status == "broken":
        said = tr("broken: {reason}", reason=visible_text(record.reason))
        lines.append(Content.styled(f"⚠ {said}", STYLES["warning"]))
    problems = session.problems_of(record)
    lines += [Content.styled(f"⚠ {each.message}", STYLES["warning"]) for each in problems]
    return _BREAK.join(lines)


def build_tags(record: ImageRecord) -> Content:
    """`lyq · smile · +hat`: + put in by hand, ↑ moved first; then what was taken out."""
    hand, shown = record.hand, []
    for tag in record.tags:
        mark = "+" if tag in hand.add else "↑" if tag in hand.first else ""
        shown.append(Content.assemble((mark, STYLES["accent"]), visible_text(tag)))
    tags = Content(" · ").join(shown) if shown else _or_none("")
    gone = [tag for tag in hand.remove if tag not in record.tags]
    if not gone:
        return tags
    taken = tr("taken out by hand: {tags}", tags=" · ".join(visible_text(tag) for tag in gone))
    return _BREAK.join([tags, Content.styled(taken, STYLES["note"])])


def _or_none(text: str) -> Content:
    return Content(text) if text else Content.styled(tr("none"), STYLES["note"])
