"""The [[clean]] tables: one class a rule. What each does lies in dataset/cleaning.

{trigger} and {class_word} stand for the project's words; what names one that is not set is left
out. Where a rule looks for tags, * stands for any letters and ? for one; \\* and \\? are the
characters themselves. Letters count as they are written, large or small, and a rule sees the
spelling that the rules before it made.
"""

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from lorawiz.spec.table import Positive, Share, Table, as_float


def _is_written(word: str) -> str:
    if not word.strip():
        raise ValueError("an empty word")
    return word


Word = Annotated[str, AfterValidator(_is_written)]
Words = Annotated[list[Word], Field(min_length=1)]
Part = Literal["tags", "caption"]


class PrependRule(Table):
    """Put tags first, in this order; those that are there already move."""

    rule: Literal["prepend"]
    tags: Words
    """What to put first."""
    on: Part = "tags"
    """The tags, or the caption, which then begins with these words."""


class AppendRule(Table):
    """Put tags last; those that are there already stay where they are."""

    rule: Literal["append"]
    tags: Words
    """What to put last."""
    on: Part = "tags"
    """The tags, or the caption, which then ends with these words."""


class RemoveRule(Table):
    """Take tags out."""

    rule: Literal["remove"]
    tags: Words
    """Which: "1girl", "* hair"."""


class ReplaceRule(Table):
    """Write other tags in place of some; in captions, other words in place of whole words."""

    rule: Literal["replace"]
    tags: Annotated[dict[Word, str], Field(min_length=1)]
    """Old and new: { "grin" = "smile" }. An empty new one takes the old one out. What was written
    is not replaced again. In captions large and small letters are the same."""
    on: Part = "tags"
    """The tags, or the caption."""


class RegexRule(Table):
    """Replace a regular expression in each tag, or in the caption."""

    rule: Literal["regex"]
    pattern: str
    """A Python regular expression, tried on one tag at a time. A repeat inside a repeat, such as
    (a+)+, can take for ever."""
    replacement: str = ""
    r"""What to write in its place; \1 is the first group. A tag that ends empty goes."""
    on: Part = "tags"
    """The tags, or the caption."""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        try:
            re.sub(self.pattern, self.replacement, "")
        except (re.error, IndexError, OverflowError, RecursionError) as error:
            raise ValueError(f"{self.pattern!r} is no regular expression: {error}") from error
        return self


class KeepOnlyRule(Table):
    """Take out every tag but these; say {trigger} if it is one."""

    rule: Literal["keep_only"]
    tags: Words
    """Which stay: "lyq", "* background"."""


class DropRareRule(Table):
    """Take out tags that few images have: they are mistakes more often than not."""

    rule: Literal["drop_rare"]
    min_count: Positive = 2
    """On how many images a tag has to be."""


class DropBelowRule(Table):
    """Take out tags that the tagger was less sure of. Tags without a score stay."""

    rule: Literal["drop_below"]
    score: Share
    """The score a tag has to have."""

    @field_validator("score", mode="before")
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        return as_float(value)


class LimitRule(Table):
    """Keep the first tags only."""

    rule: Literal["limit"]
    max_tags: Positive
    """How many."""


class DedupeRule(Table):
    """Take out tags that are the last words of another: shirt beside white shirt."""

    rule: Literal["dedupe"]


class SortRule(Table):
    """Put tags in order; equal ones stay as they stand."""

    rule: Literal["sort"]
    by: Literal["alphabet", "frequency", "score"] = "frequency"
    """By letters, by how many images have the tag (most first), or by the tagger's score (best
    first, tags without one last)."""


class MoveFirstRule(Table):
    """Put tags first, on the images that have them."""

    rule: Literal["move_first"]
    tags: Words
    """Which, in this order."""


class AbsorbRule(Table):
    """Let the trigger mean what is always there: take such tags out of the images that have the
    trigger as a tag, or out of all where none has."""

    rule: Literal["absorb"]
    tags: list[Word] = []
    """Which: "brown hair", "* eyes". Where it is empty, min_share decides."""
    min_share: Share = 0.9
    """Without tags: looks (hair, eyes, skin, build …) that this share of these images have."""

    @field_validator("min_share", mode="before")
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        return as_float(value)


class UnderscoresRule(Table):
    """Write spaces for underscores. Faces such as ^_^ stay."""

    rule: Literal["underscores"]


class CaseRule(Table):
    """Write all letters small."""

    rule: Literal["case"]
    to: Literal["lower"] = "lower"
    """Which case."""
    on: Part = "tags"
    """The tags, or the caption."""


class KohyaCleanRule(Table):
    """What sd-scripts' clean_captions_and_tags.py does, to the letter, its mistakes as well."""

    rule: Literal["kohya-clean"]


CleanRule = Annotated[
    PrependRule | AppendRule | RemoveRule | ReplaceRule | RegexRule | KeepOnlyRule | DropRareRule
    | DropBelowRule | LimitRule | DedupeRule | SortRule | MoveFirstRule | AbsorbRule
    | UnderscoresRule | CaseRule | KohyaCleanRule,
    Field(discriminator="rule"),
]  # fmt: skip

RULES: dict[str, type[Table]] = {
    get_args(kind.model_fields["rule"].annotation)[0]: kind
    for kind in get_args(get_args(CleanRule)[0])
}
"""Every kind of [[clean]] table by the name of its rule."""
