"""The replay of rules over raw words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lorawiz.dataset.cleaning.rule import RULE_EDITS, Before, RawWords
from lorawiz.dataset.cleaning.trace import RuleTrace, trace_rule
from lorawiz.dataset.records import Words
from lorawiz.spec.cleaning import CleanRule
from lorawiz.spec.tables import ProjectTable


def apply_rules(
    raw: Mapping[str, RawWords],
    rules: Sequence[CleanRule],
    project: ProjectTable,
    on_rule: Callable[[RuleTrace], None] | None = None,
) -> dict[str, Words]:
    """The words that `rules`, in order, make of the raw words of all images, by image path.

    Counts and shares are over the images of `raw`, so give it all of them. No tag comes twice
    or empty. An image without raw tags gets none, one without a raw caption gets none: there is
    nothing to clean. `on_rule` is told what each rule did. Raises SpecError for a rule that the
    project's words make wrong.
    """
    images = {path: _tidy(words, words) for path, words in raw.items()}
    for number, rule in enumerate(rules, 1):
        edit = RULE_EDITS[rule.rule](rule, Before(images, project))
        cleaned = {path: _tidy(edit(words), raw[path]) for path, words in images.items()}
        if on_rule is not None:
            on_rule(trace_rule(number, rule, images, cleaned))
        images = cleaned
    return {path: Words(words.caption, words.tags) for path, words in images.items()}


def _tidy(words: RawWords, raw: RawWords) -> RawWords:
    """`words` without tags that come twice or empty, and without what `raw` has nothing of."""
    caption = words.caption if raw.caption.strip() else raw.caption
    tags = tuple(dict.fromkeys(tag for tag in words.tags if tag)) if raw.tags else ()
    if tags == words.tags and caption == words.caption:
        return words
    return replace(words, caption=caption, tags=tags)
