"""Words for the user: every failure that somebody can mend.

LorawizError                what is wrong and where; hint: what to do
├── SpecError               lorawiz.toml cannot be read or holds a wrong value
├── ProjectError            no project here, or one that is in the way
├── DatasetError            images, captions and dataset.jsonl
├── ModelError              base checkpoints: missing, pickled, torn, of another family
├── RunError                starting, stopping, resuming, reading runs
└── MissingExtraError       a part of lorawiz that is not installed here

The command line prints `message`, then `hint`, and exits with 2. Anything else
that escapes is a bug of lorawiz: exit 1, with the traceback in the log.
"""


class LorawizError(Exception):
    """Something the user can mend: `message` says what and where, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class SpecError(LorawizError):
    """The spec cannot be read or holds a wrong value."""


class ProjectError(LorawizError):
    """There is no project here, or something is in the way of one."""


class DatasetError(LorawizError):
    """Images, captions or dataset.jsonl."""


class ModelError(LorawizError):
    """A base checkpoint that is missing, torn, pickled or of another family."""


class RunError(LorawizError):
    """A run that cannot be started, stopped, resumed or read."""


class MissingExtraError(LorawizError):
    """A part of lorawiz that is not installed here."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}', which is not installed here",
            f"pip install 'lorawiz[{extra}]'",
        )
        self.extra = extra


_BIDI_AND_INVISIBLE = frozenset(
    [*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0x061C, 0xFEFF]
)


def visible_text(text: str) -> str:
    """`text` with every character that could steer a terminal made visible.

    Control characters become their pictures (ESC → ␛), bidirectional and zero-width marks
    and bytes that are not UTF-8 become ‹U+202E›. File names, captions, tags and foreign
    error messages pass through here on their way to a terminal.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible_character(character) for character in text)


def _visible_character(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or code in _BIDI_AND_INVISIBLE:
        return f"‹U+{code:04X}›"
    return character
