"""Tests of the interface's languages: no text is missing, none is stale, every place-holder fits."""

import ast
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import lorawiz
from lorawiz.spec.form import iter_help_texts
from lorawiz.tui.language import find_language, list_languages, load_catalogue, tr, tr_count

PACKAGE = Path(lorawiz.__file__).parent
LANGUAGES = sorted(list_languages())


@cache
def collect_texts() -> frozenset[str]:
    """Every literal in the code that is shown through a catalogue, and the help of the spec."""
    texts: set[str] = set()
    for path in (PACKAGE / "tui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            texts.update(_texts_of(node))
    texts.update(iter_help_texts())
    return frozenset(text for text in texts if any(letter.isalpha() for letter in text))


def _texts_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        match node.func.id:
            case "tr":
                yield from _literals(node.args[:1])
            case "tr_count":
                yield from _literals(node.args[1:3])
            case "Binding":
                yield from _literals(node.args[2:3])
                yield from _literals(k.value for k in node.keywords if k.arg == "tooltip")
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "_TEXTS" for target in targets):
            assert isinstance(node.value, ast.Tuple)
            yield from _literals(node.value.elts)


def _literals(nodes: "Iterator[ast.expr] | list[ast.expr]") -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _place_holders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_interface_has_a_translation(language: str) -> None:
    missing = collect_texts() - load_catalogue(language).keys()
    assert not missing, "\n".join(sorted(missing))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_left_over(language: str) -> None:
    stale = load_catalogue(language).keys() - collect_texts()
    assert not stale, "\n".join(sorted(stale))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_place_holders_of_its_text(language: str) -> None:
    for text, translated in load_catalogue(language).items():
        assert _place_holders(text) == _place_holders(translated), text
        assert translated.strip(), text


def test_the_first_variable_that_is_set_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LORAWIZ_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert find_language() == "en"
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert find_language() == "zh"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert find_language() == "en"
    monkeypatch.setenv("LORAWIZ_LANG", "zh")
    assert find_language() == "zh"


def test_a_language_without_a_catalogue_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORAWIZ_LANG", "fr_FR.UTF-8")
    assert tr("help") == "help"
    assert tr_count(1, "{num} image", "{num} images") == "1 image"
    assert tr_count(3, "{num} image", "{num} images") == "3 images"


def test_a_text_comes_in_the_language_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORAWIZ_LANG", "zh_TW.UTF-8")
    assert tr("help") == load_catalogue("zh")["help"] != "help"
