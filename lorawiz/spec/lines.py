"""Which line of a TOML text holds a key: tomllib does not say."""

import re

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[\w"'-]+)*)\s*=""")
_MULTILINE = ('"""', "'''")


def find_key_lines(text: str) -> dict[str, int]:
    """Maps each dotted key and table of `text` to its line, counted from 1.

    The items of an array of tables carry their index: `subsets.0.image_dir`. Keys inside
    inline tables are not listed; their table's line stands for them.
    """
    lines: dict[str, int] = {}
    table, open_mark, depth = "", "", 0
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if open_mark:
            if open_mark in line:
                open_mark = ""
            continue
        if depth == 0 and (header := _HEADER.match(line)):
            table = _dotted(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}.{counts[table]}"
            lines.setdefault(table, number)
            continue
        if depth == 0 and (key := _KEY.match(line)):
            name = _dotted(key[1])
            lines.setdefault(f"{table}.{name}" if table else name, number)
        open_mark, depth = _open_after(line, depth)
    return lines


def find_line(text: str, dotted: str) -> int | None:
    """The line of `dotted`, or of the nearest table above it that stands in the text."""
    lines = find_key_lines(text)
    parts = dotted.split(".")
    while parts:
        if (line := lines.get(".".join(parts))) is not None:
            return line
        parts.pop()
    return None


def _dotted(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def _open_after(line: str, depth: int) -> tuple[str, int]:
    """The multi-line string mark left open by `line`, and the depth of its open brackets."""
    position = 0
    while position < len(line):
        character = line[position]
        if character == "#":
            break
        if character in "\"'":
            mark = line[position : position + 3]
            quote = mark if mark in _MULTILINE else character
            end = _string_end(line, position + len(quote), quote)
            if end < 0:
                return (quote if len(quote) == 3 else "", depth)
            position = end
            continue
        depth += (character in "[{") - (character in "]}")
        position += 1
    return "", max(depth, 0)


def _string_end(line: str, start: int, quote: str) -> int:
    """Index behind the closing `quote`, or -1 when the line ends first."""
    position = start
    while position < len(line):
        if line[position] == "\\" and quote[0] == '"':
            position += 2
            continue
        if line.startswith(quote, position):
            return position + len(quote)
        position += 1
    return -1
