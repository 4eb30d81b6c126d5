"""The language of the screens: English as it stands in the code, others by a catalogue each.

LORAWIZ_LANG decides, else LC_ALL, LC_MESSAGES or LANG, as in other programs. A catalogue is
`languages/CODE.toml`, which maps each English text to its translation; a test holds that none is
missing. What commands print without a screen, and what checks find, is English everywhere.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

CATALOGUES = Path(__file__).parent / "languages"
SOURCE_LANGUAGE = "en"
_VARIABLES = ("LORAWIZ_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def tr(text: str, /, **values: object) -> str:
    """`text` in the user's language, with `{name}` filled from `values`.

    `text` is a literal in the code (the catalogues are checked against the literals). Foreign
    texts among `values` have gone through `visible_text`.
    """
    shown = load_catalogue(find_language()).get(text, text)
    return shown.format(**values) if values else shown


def tr_count(num: int, one: str, many: str, /, **values: object) -> str:
    """`tr` of `one` or `many`, which contain `{num}`."""
    return tr(one if num == 1 else many, num=num, **values)


def find_language() -> str:
    """The code of the language to show: `zh`; `en` where there is no catalogue for the user's."""
    for variable in _VARIABLES:
        value = os.environ.get(variable)
        if value:
            code = re.split(r"[_.@-]", value.lower())[0]
            return code if code in list_languages() else SOURCE_LANGUAGE
    return SOURCE_LANGUAGE


@cache
def list_languages() -> frozenset[str]:
    """The languages that there are catalogues for."""
    return frozenset(path.stem for path in CATALOGUES.glob("*.toml"))


@cache
def load_catalogue(language: str) -> Mapping[str, str]:
    """English text → translation; empty for English itself."""
    if language == SOURCE_LANGUAGE:
        return {}
    return tomllib.loads((CATALOGUES / f"{language}.toml").read_text("utf-8"))
