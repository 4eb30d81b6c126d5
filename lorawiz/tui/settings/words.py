"""What a setting may be, in words."""

from collections.abc import Iterator

from lorawiz.errors import visible_text
from lorawiz.spec.form import Bounds, FormField, Kind
from lorawiz.tui.language import tr

_TEXTS = (
    "true or false",
    "a whole number",
    "a number",
    "text",
    'a list of texts: ["one", "two"]',
    "a list of numbers: [1, 2]",
    'pairs of texts: { "old" = "new" }',
    "a whole number, or [width, height]",
)
_KINDS: tuple[Kind, ...] = (
    "switch", "integer", "number", "text", "list", "numbers", "pairs", "number or pair",
)  # fmt: skip
_NAMES = dict(zip(_KINDS, _TEXTS, strict=True))
_LARGEST_SAID = 2**53
"""A bound of the number format says nothing to anybody."""


def describe_kind(setting: FormField) -> str:
    """`a whole number, from 1 to 1024`."""
    pieces = [_name_kind(setting), *_describe_bounds(setting.bounds)]
    if setting.pattern:
        pieces.append(tr("like {pattern}", pattern=visible_text(setting.pattern)))
    if setting.is_optional:
        pieces.append(tr("or not set"))
    return ", ".join(pieces)


def visible_lines(text: str) -> str:
    """`visible_text` of each line."""
    return "\n".join(visible_text(line) for line in text.splitlines())


def _name_kind(setting: FormField) -> str:
    if setting.suggestions:
        return tr("one of {number} that enter lists, or another", number=len(setting.suggestions))
    if setting.kind != "choice":
        return tr(_NAMES[setting.kind])
    if len(setting.choices) == 1:
        return tr("only {choice} so far", choice=setting.choices[0])
    return tr("one of {choices}", choices=", ".join(setting.choices))


def _describe_bounds(bounds: Bounds) -> Iterator[str]:
    most = bounds.most
    less_than = None if (bounds.less_than or 0) > _LARGEST_SAID else bounds.less_than
    if bounds.least is not None and most is not None:
        yield tr("from {least} to {most}", least=_show(bounds.least), most=_show(most))
    elif bounds.least is not None:
        yield tr("{least} or more", least=_show(bounds.least))
    elif bounds.more_than is not None:
        yield tr("more than {bound}", bound=_show(bounds.more_than))
    if most is not None and bounds.least is None:
        yield tr("{most} or less", most=_show(most))
    if less_than is not None:
        yield tr("less than {bound}", bound=_show(less_than))
    if bounds.multiple_of is not None:
        yield tr("a multiple of {number}", number=_show(bounds.multiple_of))


def _show(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)
