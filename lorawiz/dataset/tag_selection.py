"""From a tagger's scores to an image's tags: what the [tag] table means.

It works from kept scores alone, with no model at hand. The options are those of sd-scripts'
tagger, with the meaning that its documentation gives them.
"""

from collections.abc import Iterable, Mapping

from lorawiz.spec.annotating import TagTable

KAOMOJI = frozenset(
    {
        "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9",
        ">_o", "@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||",
    }
)  # fmt: skip
"""Tags that are faces drawn in letters: their underscore is a mouth."""


def clean_underscores(tag: str) -> str:
    """`tag` with spaces for underscores; a face such as ^_^ stays as it is."""
    return tag if tag in KAOMOJI else tag.replace("_", " ")


def spell_label(label: str, category: str, table: TagTable) -> tuple[str, ...]:
    """A label as the options spell it: expanded, its underscores cleaned, replaced."""
    replacement = {clean_underscores(old): new for old, new in table.tag_replacement.items()}
    is_expanded = category == "character" and table.character_tag_expand
    tags = []
    for part in _expand(label) if is_expanded else (label,):
        spelled = clean_underscores(part) if table.remove_underscore else part
        tags.append(replacement.get(clean_underscores(part), spelled))
    return tuple(tags)


def select_tags(
    scores: Mapping[str, float], categories: Mapping[str, str], table: TagTable, by_score: bool
) -> tuple[str, ...]:
    """The tags of one image, by every option of `table` but append_tags.

    `scores` are in the order of the model's table and may lack labels that scored next to
    nothing. `categories` are annotate's, by label; a label without one is general. Tags stand
    in the order of `scores` or, with `by_score`, surest first. No tag comes twice.
    """
    labels = sorted(scores, key=scores.__getitem__, reverse=True) if by_score else list(scores)
    used = [label for label in labels if _is_used(label, scores, categories, table)]
    if table.character_tags_first:
        used.sort(key=lambda label: categories.get(label) != "character")
    rating = _likeliest("rating", scores, categories)
    quality = _likeliest("quality", scores, categories)
    ordered = [
        *(rating if table.use_rating_tags else ()),
        *(quality if table.use_quality_tags else ()),
        *used,
        *(quality if table.use_quality_tags_as_last_tag else ()),
        *(rating if table.use_rating_tags_as_last_tag else ()),
    ]
    tags = _written(ordered, categories, table)
    return _with_first(table.always_first_tags, tags)


def _is_used(
    label: str, scores: Mapping[str, float], categories: Mapping[str, str], table: TagTable
) -> bool:
    category = categories.get(label, "general")
    if category in ("rating", "quality"):
        return False
    threshold: float | None = getattr(table, f"{category}_threshold")
    return scores[label] >= (table.thresh if threshold is None else threshold)


def _likeliest(
    category: str, scores: Mapping[str, float], categories: Mapping[str, str]
) -> list[str]:
    """The label of `category` that scored best, in a list; an empty list where none did."""
    labels = [label for label in scores if categories.get(label) == category]
    return [max(labels, key=scores.__getitem__)] if labels else []


def _written(
    labels: Iterable[str], categories: Mapping[str, str], table: TagTable
) -> tuple[str, ...]:
    """Labels as the options spell them; unwanted ones left out."""
    undesired = {"", *map(clean_underscores, table.undesired_tags)}
    tags: dict[str, None] = {}
    for label in labels:
        for tag in spell_label(label, categories.get(label, "general"), table):
            if clean_underscores(tag) not in undesired:
                tags.setdefault(tag)
    return tuple(tags)


def _expand(name: str) -> tuple[str, ...]:
    """`name_(series)` as name and series; of several parentheses only the last is split off."""
    if not name.endswith(")") or name in KAOMOJI:
        return (name,)
    depth = 0
    for index in range(len(name) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(name[index], 0)
        if depth == 0:
            return name[:index].rstrip("_ "), name[index + 1 : -1]
    return (name,)


def _with_first(first: Iterable[str], tags: tuple[str, ...]) -> tuple[str, ...]:
    places = {clean_underscores(tag): place for place, tag in reversed(list(enumerate(first)))}
    return tuple(sorted(tags, key=lambda tag: places.get(clean_underscores(tag), len(places))))
