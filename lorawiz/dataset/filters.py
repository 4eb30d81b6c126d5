"""The filter language: which images a text such as `-tag:solo face:0` means.

Words are joined by "and" unless `or` stands between them; `not` or `-` turns what follows round;
parentheses group. `*` and `?` are wildcards, except in quotes. Case does not matter.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt

from lorawiz.dataset.problems import BLURRED_AT_MOST, PROBLEM_CODES
from lorawiz.dataset.records import Hand, ImageRecord
from lorawiz.errors import DatasetError, visible_text

_MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class FilterFacts:
    """An image, and what is known about it."""

    record: ImageRecord
    findings: Collection[str]
    """Codes of dataset/problems.py."""
    num_faces: int | None
    """None when nobody has looked for faces."""
    count_tokens: Callable[[ImageRecord], int]
    """Tokens of its prompt; asked only by a filter that wants to know."""
    sharpness: float | None = None
    """As dataset/facts.py measures it; None when it was not measured."""


Test = Callable[[FilterFacts], bool]


class FilterError(DatasetError):
    """A filter that cannot be read; `column` counts from 1."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__(f"column {column}: {message}", hint)
        self.column = column


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was read; an empty one matches every image."""

    text: str
    _test: Test

    def matches(self, facts: FilterFacts) -> bool:
        return self._test(facts)


def parse_filter(text: str) -> Filter:
    """Read a filter. Raises FilterError that names the column and what is known there."""
    return Filter(text, _Parser(text).parse())


@dataclass(frozen=True, slots=True)
class _Token:
    column: int
    kind: str
    """`(`, `)`, `-`, `or`, `and`, `not`, `word` or `end`."""
    field: str = ""
    value: str = ""
    is_quoted: bool = False

    @property
    def value_column(self) -> int:
        return self.column + (len(self.field) + 1 if self.field else 0)


_FIELD = re.compile(r"([A-Za-z_]+):")
_WORDS = {"or", "and", "not"}


class _Lexer:
    """Cuts a filter into tokens."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def tokens(self) -> list[_Token]:
        found: list[_Token] = []
        while True:
            while self._at < len(self._text) and self._text[self._at].isspace():
                self._at += 1
            found.append(self._next())
            if found[-1].kind == "end":
                return found

    def _next(self) -> _Token:
        column = self._at + 1
        if self._at == len(self._text):
            return _Token(column, "end")
        letter = self._text[self._at]
        if letter in "()" or (letter == "-" and self._text[column : column + 1].strip()):
            self._at += 1
            return _Token(column, letter)
        matched = _FIELD.match(self._text, self._at)
        field = matched[1].lower() if matched else ""
        if matched:
            self._at = matched.end()
        if self._text[self._at : self._at + 1] == '"':
            return _Token(column, "word", field, self._quoted(), is_quoted=True)
        value = self._bare()
        if not field and value.lower() in _WORDS:
            return _Token(column, value.lower())
        return _Token(column, "word", field, value)

    def _quoted(self) -> str:
        begin = self._at
        end = self._text.find('"', begin + 1)
        if end < 0:
            raise FilterError(begin + 1, "a quote that is never closed", 'end it with "')
        self._at = end + 1
        return self._text[begin + 1 : end]

    def _bare(self) -> str:
        """Up to a space, or a `)` that was not opened in the word: `saber_(fate)` is one."""
        begin, depth = self._at, 0
        while self._at < len(self._text):
            letter = self._text[self._at]
            depth += (letter == "(") - (letter == ")")
            if letter.isspace() or depth < 0:
                break
            self._at += 1
        return self._text[begin : self._at]


class _Parser:
    """`or` binds less than "and", which binds less than `not`."""

    def __init__(self, text: str) -> None:
        self._tokens = _Lexer(text).tokens()
        self._at = 0
        self._depth = 0

    def parse(self) -> Test:
        if self._now.kind == "end":
            return lambda facts: True
        test = self._either()
        if self._now.kind == ")":
            raise FilterError(self._now.column, ") without a ( before it")
        return test

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _either(self) -> Test:
        tests = [self._all()]
        while self._now.kind == "or":
            self._at += 1
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda facts: any(test(facts) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._now.kind not in ("or", ")", "end"):
            if self._now.kind == "and":
                self._at += 1
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda facts: all(test(facts) for test in tests)

    def _one(self) -> Test:
        is_negative = False
        while self._now.kind in ("-", "not"):
            is_negative = not is_negative
            self._at += 1
        token = self._now
        self._at += 1
        if token.kind == "(":
            test = self._group(token)
        elif token.kind == "word":
            test = _build_test(token)
        else:
            shown = "the end" if token.kind == "end" else token.kind
            raise FilterError(token.column, f"{shown} where a word should be", _KNOWN)
        return (lambda facts: not test(facts)) if is_negative else test

    def _group(self, opening: _Token) -> Test:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise FilterError(opening.column, f"more than {_MAX_DEPTH} ( inside each other")
        test = self._either()
        if self._now.kind != ")":
            raise FilterError(opening.column, "( that is never closed", "end it with )")
        self._at += 1
        self._depth -= 1
        return test


def _build_test(token: _Token) -> Test:
    if not token.field:
        return _test_anywhere(token)
    if token.field not in _FIELDS:
        shown = visible_text(token.field)
        raise FilterError(token.column, f"no field {shown}", _KNOWN)
    if not token.value and not token.is_quoted:
        raise FilterError(token.value_column, f"nothing stands behind {token.field}:")
    return _FIELDS[token.field](token)


def _test_anywhere(token: _Token) -> Test:
    found = _compile(token, is_whole=False)

    def test(facts: FilterFacts) -> bool:
        record = facts.record
        return found(record.caption) or any(map(found, record.tags)) or found(_name(record))

    return test


def _test_tag(token: _Token) -> Test:
    found = _compile(token, is_whole=True)
    return lambda facts: any(map(found, facts.record.tags))


def _test_caption(token: _Token) -> Test:
    found = _compile(token, is_whole=False)
    return lambda facts: found(facts.record.caption)


def _test_name(token: _Token) -> Test:
    """The whole name, with or without its ending."""
    found = _compile(token, is_whole=True)

    def test(facts: FilterFacts) -> bool:
        name = _name(facts.record)
        return found(name) or found(name.rpartition(".")[0])

    return test


def _test_finding(token: _Token) -> Test:
    found = _compile(token, is_whole=True)
    if not any(map(found, PROBLEM_CODES)):
        raise _unknown(token, PROBLEM_CODES)
    return lambda facts: any(map(found, facts.findings))


_NUMBER = re.compile(r"(>=|<=|>|<|=)?([0-9]{1,9})")
_COMPARISONS = {">=": ge, "<=": le, ">": gt, "<": lt, "=": eq}


def _test_number(measure: Callable[[FilterFacts], float | None]) -> Callable[[_Token], Test]:
    """A test of a figure; an image of which it is not known matches nothing."""

    def build(token: _Token) -> Test:
        read = _NUMBER.fullmatch(token.value)
        if read is None:
            shown = visible_text(token.value)
            hint = f"{token.field}:3, {token.field}:>3, {token.field}:<=3"
            raise FilterError(token.value_column, f"{shown} is no number", hint)
        compare, limit = _COMPARISONS[read[1] or "="], int(read[2])

        def test(facts: FilterFacts) -> bool:
            figure = measure(facts)
            return figure is not None and compare(figure, limit)

        return test

    return build


def _test_choice(choices: dict[str, Test]) -> Callable[[_Token], Test]:
    def build(token: _Token) -> Test:
        if token.value.lower() not in choices:
            raise _unknown(token, choices)
        return choices[token.value.lower()]

    return build


def _yes_or_no(is_so: Test) -> Callable[[_Token], Test]:
    return _test_choice({"yes": is_so, "no": lambda facts: not is_so(facts)})


def _unknown(token: _Token, known: Collection[str]) -> FilterError:
    message = f"{token.field}: is never {visible_text(token.value)}"
    return FilterError(token.value_column, message, f"known: {', '.join(known)}")


def _is_by_hand(facts: FilterFacts) -> bool:
    return facts.record.hand != Hand()


_FIELDS: dict[str, Callable[[_Token], Test]] = {
    "tag": _test_tag,
    "caption": _test_caption,
    "name": _test_name,
    "tokens": _test_number(lambda facts: facts.count_tokens(facts.record)),
    "tags": _test_number(lambda facts: len(facts.record.tags)),
    "face": _test_number(lambda facts: facts.num_faces),
    "sharpness": _test_number(lambda facts: facts.sharpness),
    "blur": _test_number(lambda facts: _measure_blur(facts.sharpness)),
    "keep": _yes_or_no(lambda facts: facts.record.keep),
    "status": _test_choice(
        {
            "ok": lambda facts: facts.record.status == "ok",
            "broken": lambda facts: facts.record.status == "broken",
        }
    ),
    "crop": _yes_or_no(lambda facts: facts.record.crop is not None),
    "mask": _yes_or_no(lambda facts: bool(facts.record.mask)),
    "by": _test_choice({"hand": _is_by_hand, "machine": lambda facts: not _is_by_hand(facts)}),
    "finding": _test_finding,
}
_KNOWN = f"fields: {', '.join(_FIELDS)}; or a bare word"


def _measure_blur(sharpness: float | None) -> float | None:
    """0 for a photo in focus, 100 for one without any detail; rises as sharpness falls."""
    if sharpness is None:
        return None
    return 100 * BLURRED_AT_MOST / (BLURRED_AT_MOST + sharpness)


def _name(record: ImageRecord) -> str:
    return record.image_path.rpartition("/")[2]


def _compile(token: _Token, is_whole: bool) -> Callable[[str], bool]:
    """Whether a text is what the token means, or has it somewhere in it."""
    wanted = token.value.casefold()
    if token.is_quoted or not set(wanted) & set("*?"):
        if is_whole:
            return lambda text: text.casefold() == wanted
        return lambda text: wanted in text.casefold()
    pattern = re.compile(_as_pattern(wanted if is_whole else f"*{wanted}*"))
    return lambda text: pattern.fullmatch(text.casefold()) is not None


def _as_pattern(wanted: str) -> str:
    """A pattern in which no * is ever tried twice at a place: many of them cost no time."""
    pieces = [
        "".join("." if letter == "?" else re.escape(letter) for letter in piece)
        for piece in re.split(r"\*+", wanted)
    ]
    if len(pieces) == 1:
        return f"(?s:{pieces[0]})"
    first, *middle, last = pieces
    return f"(?s:{first}{''.join(f'(?>.*?{piece})' for piece in middle if piece)}.*{last})"
