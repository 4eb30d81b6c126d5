"""The effective prompt in words: what stays, what is shuffled, what the encoder never reads."""

from textual.content import Content

from lorawiz.dataset.prompts import DrawnPrompt, PromptParts
from lorawiz.errors import visible_text
from lorawiz.families.clip import load_tokenizer
from lorawiz.families.clip.new_token import NewToken
from lorawiz.families.clip.tokens import read_tokens
from lorawiz.spec import Spec
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES

CUT_MARK = "┃"
"""Behind it nothing is read."""


def is_tokenizer_loaded() -> bool:
    """Whether tokens can be counted at once; building the tokenizer takes a moment."""
    return load_tokenizer.cache_info().currsize > 0


def find_cut(prompt: str, spec: Spec) -> int | None:
    """The place in `prompt` of the first letter that is not read, or None when all is."""
    tokens = read_tokens(prompt, NewToken.of(spec), spec.prompt.weighted_captions)
    limit = spec.prompt.max_token_length
    return None if len(tokens) <= limit else tokens[limit].start


def build_prompt(drawn: DrawnPrompt, cut: int | None) -> Content:
    """`[a woman, lyq] smile, hat ┃ outdoors`: kept in brackets, ┃ where reading ends."""
    if drawn.is_dropped:
        return Content.styled(tr("empty: caption dropout"), STYLES["note"])
    if not drawn.text.strip():
        return Content.styled(tr("none"), STYLES["note"])
    limit = len(drawn.text) if cut is None else cut
    pieces: list[Content] = []
    for start, end, is_kept in _find_spans(drawn):
        text = _build_span(drawn.text, start, end, limit)
        brackets = ("[", STYLES["accent"]), ("]", STYLES["accent"])
        pieces.append(Content.assemble(brackets[0], text, brackets[1]) if is_kept else text)
    return Content(" ").join(pieces)


def _find_spans(drawn: DrawnPrompt) -> list[tuple[int, int, bool]]:
    """(start, end, whether it is kept) of the parts of the text, empty ones left out."""
    parts = drawn.parts
    if parts is None:
        return [(0, len(drawn.text), False)]
    spans, start = [], 0
    for tags, is_kept in ((parts.kept, True), (parts.shuffled, False), (parts.kept_end, True)):
        if tags:
            end = start + len(", ".join(tags))
            spans.append((start, end, is_kept))
            start = end + len(", ")
    return spans


def _build_span(text: str, start: int, end: int, limit: int) -> Content:
    read, unread = text[start : max(min(end, limit), start)], text[max(start, limit) : end]
    if not unread:
        return Content(visible_text(read))
    mark = (f"{CUT_MARK} ", STYLES["warning"]) if start <= limit < end else ""
    return Content.assemble(visible_text(read), mark, (visible_text(unread), STYLES["note"]))


def describe_prompt(parts: PromptParts | None, spec: Spec, num_tokens: int) -> Content:
    """What the marks in the prompt mean, and what is lost; empty where there are none."""
    said = []
    if parts is not None and spec.prompt.shuffle_caption:
        said.append(Content.styled(tr("kept in brackets, the rest shuffled"), STYLES["note"]))
    elif parts is not None:
        said.append(
            Content.styled(tr("kept in brackets, the rest may be left out"), STYLES["note"])
        )
    num_lost = num_tokens - spec.prompt.max_token_length
    if num_lost > 0:
        text = tr("behind {mark} nothing is read: {num} tokens", mark=CUT_MARK, num=num_lost)
        said.append(Content.styled(text, STYLES["warning"]))
    return Content("\n").join(said)
