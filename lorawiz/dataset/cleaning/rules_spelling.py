"""Rules that write words in another way."""

import re
from collections.abc import Callable

from lorawiz.dataset.cleaning.matching import TagPatterns, fill_in
from lorawiz.dataset.cleaning.rule import Before, Edit, cleans, edit_caption, leave, rename_tags
from lorawiz.dataset.tag_selection import clean_underscores
from lorawiz.errors import SpecError, visible_text
from lorawiz.spec.cleaning import CaseRule, Part, RegexRule, ReplaceRule, UnderscoresRule


@cleans("replace")
def replace(rule: ReplaceRule, before: Before) -> Edit:
    """Write other words in place of some, all at once: what is written is not replaced again."""
    filled = {old: fill_in(new, before.project) for old, new in rule.tags.items()}
    new_words = {old: new.strip() for old, new in filled.items() if new is not None}
    if rule.on == "caption":
        pairs = [(fill_in(old, before.project), new) for old, new in new_words.items()]
        return edit_caption(_replace_words({old.strip(): new for old, new in pairs if old}))
    patterns = TagPatterns(new_words, before.project)
    news = list(new_words.values())

    def new_name(tag: str) -> str:
        place = patterns.find(tag)
        return tag if place is None else news[place]

    return rename_tags(new_name)


@cleans("regex")
def regex(rule: RegexRule, before: Before) -> Edit:
    """Replace a pattern in each tag by itself, or in the whole caption.

    Raises SpecError where the project's words make the pattern wrong.
    """
    pattern = fill_in(rule.pattern, before.project, re.escape)
    replacement = fill_in(rule.replacement, before.project, lambda word: word.replace("\\", r"\\"))
    if pattern is None or replacement is None:
        return leave
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SpecError(
            f"[[clean]] regex: {visible_text(pattern)!r} is no regular expression: {error}",
            "{trigger} and {class_word} are filled in as plain text",
        ) from error
    return _on(rule.on, lambda text: compiled.sub(replacement, text).strip())


@cleans("underscores")
def underscores(rule: UnderscoresRule, before: Before) -> Edit:
    """Write spaces for underscores, but not in faces."""
    return rename_tags(lambda tag: clean_underscores(tag).strip())


@cleans("case")
def case(rule: CaseRule, before: Before) -> Edit:
    """Write small letters."""
    return _on(rule.on, str.lower)


def _on(part: Part, change: Callable[[str], str]) -> Edit:
    return edit_caption(change) if part == "caption" else rename_tags(change)


def _replace_words(new_words: dict[str, str]) -> Callable[[str], str]:
    """Replaces whole words, the longest first, whatever their case; a capital stays one."""
    if not new_words:
        return str
    olds = sorted(new_words, key=len, reverse=True)
    # a group a word tells which one it was; \w on both sides alone would not guard "c++"
    either = "|".join(f"({re.escape(old)})" for old in olds)
    pattern = re.compile(rf"( ?)(?<!\w)(?:{either})(?!\w)( ?)", re.IGNORECASE)

    def write(found: re.Match[str]) -> str:
        group = next(i for i in range(2, len(olds) + 2) if found[i] is not None)
        before, after, new = found[1], found[len(olds) + 2], new_words[olds[group - 2]]
        if not new:
            return " " if before and after else ""
        if found[group][0].isupper():
            new = new[0].upper() + new[1:]
        return f"{before}{new}{after}"

    def change(caption: str) -> str:
        written = pattern.sub(write, caption)
        return written if all(new_words.values()) else _without_gaps(written, caption)

    return change


def _without_gaps(written: str, caption: str) -> str:
    """`written` without the empty comma parts that words taken out have left."""
    if written == caption:
        return caption
    return re.sub(r"[ \t]*,(?:[ \t]*,)+", ",", written).strip(" ,")
