"""Rules that put words in and tags in order."""

from math import inf

from lorawiz.dataset.cleaning.matching import TagPatterns, fill_in_all
from lorawiz.dataset.cleaning.rule import Before, Edit, cleans, edit_caption, edit_tags, leave
from lorawiz.spec.cleaning import AppendRule, LimitRule, MoveFirstRule, PrependRule, SortRule


@cleans("prepend")
def prepend(rule: PrependRule, before: Before) -> Edit:
    """Put tags first, or begin the caption with words."""
    first = fill_in_all(rule.tags, before.project)
    if not first:
        return leave
    if rule.on == "caption":
        return edit_caption(lambda caption: _begin_lines(" ".join(first), caption))
    return edit_tags(lambda tags: (*first, *(tag for tag in tags if tag not in first)))


@cleans("append")
def append(rule: AppendRule, before: Before) -> Edit:
    """Put tags last, or end the caption with words."""
    last = fill_in_all(rule.tags, before.project)
    if not last:
        return leave
    if rule.on == "caption":
        return edit_caption(lambda caption: _end_lines(" ".join(last), caption))
    return edit_tags(lambda tags: (*tags, *(tag for tag in last if tag not in tags)))


@cleans("move_first")
def move_first(rule: MoveFirstRule, before: Before) -> Edit:
    """Put those tags first that are there, in the order of the rule."""
    patterns = TagPatterns(rule.tags, before.project)

    def place(tag: str) -> float:
        found = patterns.find(tag)
        return inf if found is None else found

    return edit_tags(lambda tags: sorted(tags, key=place))


@cleans("limit")
def limit(rule: LimitRule, before: Before) -> Edit:
    """Keep the first tags."""
    return edit_tags(lambda tags: tags[: rule.max_tags])


@cleans("sort")
def sort(rule: SortRule, before: Before) -> Edit:
    """Put tags in order; equal ones stay as they stand, and tags without a score come last."""
    if rule.by == "alphabet":
        return edit_tags(lambda tags: sorted(tags, key=lambda tag: (tag.casefold(), tag)))
    if rule.by == "frequency":
        counts = before.count_tags()
        return edit_tags(lambda tags: sorted(tags, key=lambda tag: -counts[tag]))
    return lambda words: edit_tags(
        lambda tags: sorted(tags, key=lambda tag: -words.scores.get(tag, -inf))
    )(words)


def _begin_lines(start: str, caption: str) -> str:
    """`caption` with `start` in front of each line that does not begin with it.

    Each line, because with wildcards each is a caption of its own.
    """
    return "\n".join(
        line if not line.strip() or _begins(line.strip(), start) else f"{start} {line}"
        for line in caption.split("\n")
    )


def _end_lines(end: str, caption: str) -> str:
    return "\n".join(
        line if not line.strip() or _begins(line.strip()[::-1], end[::-1]) else f"{line} {end}"
        for line in caption.split("\n")
    )


def _begins(line: str, start: str) -> bool:
    """Whether `line` begins with `start` and no word goes on behind it."""
    if not line.startswith(start):
        return False
    rest = line[len(start) :]
    return not (rest and rest[0].isalnum() and start[-1].isalnum())
