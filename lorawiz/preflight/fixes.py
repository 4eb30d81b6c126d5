"""What mends a finding: the words that are printed and what a screen can do, from one value.

A fix offers one or several ways. The first is what one key does; the words of all of them,
joined by ", or ", are what `lorawiz check` prints.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lorawiz.errors import visible_text
from lorawiz.spec.form import format_toml

ModelKey = Literal["base.checkpoint", "base.vae"]
_MOST_NAMED = 50
"""A filter that names more images is too long to be read."""


@dataclass(frozen=True)
class SetSettings:
    """Settings of lorawiz.toml, each as it is typed; None takes one out of the file."""

    values: tuple[tuple[str, str | None], ...]

    @property
    def command(self) -> str:
        return " && ".join(_set_command(key, typed) for key, typed in self.values)

    def as_json(self) -> dict[str, Any]:
        return {"kind": "set", "values": dict(self.values)}


@dataclass(frozen=True)
class AddRule:
    """A [[clean]] rule behind all others, and the cleaning replayed with it."""

    rule: Mapping[str, Any]

    @property
    def toml(self) -> str:
        """The rule on one line, without the head of its table."""
        return ", ".join(f"{key} = {format_toml(value)}" for key, value in self.rule.items())

    @property
    def command(self) -> str:
        return f"[[clean]] {self.toml}; then lorawiz clean"

    def as_json(self) -> dict[str, Any]:
        return {"kind": "rule", "rule": dict(self.rule)}


@dataclass(frozen=True)
class RunCommand:
    """A command of lorawiz that works by itself."""

    arguments: tuple[str, ...]

    @property
    def command(self) -> str:
        return visible_text(shlex.join(("lorawiz", *self.arguments)))

    def as_json(self) -> dict[str, Any]:
        return {"kind": "command", "arguments": list(self.arguments)}


@dataclass(frozen=True)
class Review:
    """The review screen with exactly the images concerned: those of a filter, or those named."""

    filter_text: str = ""
    image_paths: tuple[str, ...] = ()
    """Where no filter says it; `text` then names the first of them."""

    @property
    def text(self) -> str:
        """A filter to show and to change; it means the same images unless there are many."""
        if not self.image_paths:
            return self.filter_text
        names = (path.rpartition("/")[2] for path in self.image_paths[:_MOST_NAMED])
        named = [f'name:"{name}"' for name in names if '"' not in name]
        return " or ".join(named)

    @property
    def command(self) -> str:
        if self.filter_text:
            return f"lorawiz review --filter {shlex.quote(self.filter_text)}"
        return "lorawiz review"

    def as_json(self) -> dict[str, Any]:
        return {"kind": "review", "filter": self.text, "image_paths": list(self.image_paths)}


@dataclass(frozen=True)
class EditSetting:
    """A setting that only the user knows the value of."""

    key: str
    example: str = "VALUE"

    @property
    def command(self) -> str:
        return f"lorawiz set {self.key} {self.example}"

    def as_json(self) -> dict[str, Any]:
        return {"kind": "edit", "key": self.key}


@dataclass(frozen=True)
class ChooseModel:
    """A model file or folder, picked from the disk."""

    key: ModelKey

    @property
    def command(self) -> str:
        return f"lorawiz set {self.key} NAME.safetensors"

    def as_json(self) -> dict[str, Any]:
        return {"kind": "model", "key": self.key}


@dataclass(frozen=True)
class ChoosePhotos:
    """Photos, picked from the disk and added."""

    command: str = "lorawiz add PHOTOS…"

    def as_json(self) -> dict[str, Any]:
        return {"kind": "photos"}


@dataclass(frozen=True)
class WatchRun:
    """The panel of a run."""

    run_id: str

    @property
    def command(self) -> str:
        return "lorawiz attach"

    def as_json(self) -> dict[str, Any]:
        return {"kind": "watch", "run_id": self.run_id}


@dataclass(frozen=True)
class ByHand:
    """What lorawiz cannot do itself, and why."""

    why: str
    command: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"kind": "words", "why": self.why}


Action = (
    SetSettings | AddRule | RunCommand | Review | EditSetting | ChooseModel | ChoosePhotos
    | WatchRun | ByHand
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """One way to mend a finding. `{}` in the words stands for the command as it is typed."""

    action: Action
    words: str = "{}"

    @property
    def text(self) -> str:
        return self.words.replace("{}", self.action.command)


@dataclass(frozen=True)
class Fix:
    """The ways to mend a finding, best first."""

    ways: tuple[Way, ...]

    @property
    def text(self) -> str:
        """As it is printed, in one line or several."""
        return ", or ".join(way.text for way in self.ways)

    @property
    def action(self) -> Action:
        """What one key does."""
        return self.ways[0].action

    def __or__(self, other: "Fix") -> "Fix":
        return Fix((*self.ways, *other.ways))

    def as_json(self) -> list[dict[str, Any]]:
        return [{**way.action.as_json(), "text": way.text} for way in self.ways]


def set_to(key: str, value: object, words: str = "{}") -> Fix:
    """Set one setting: a text as it is typed, anything else as TOML."""
    return set_all({key: value}, words)


def set_all(values: Mapping[str, object], words: str = "{}") -> Fix:
    """Set settings that only help together."""
    typed = {
        key: value if isinstance(value, str) else format_toml(value)
        for key, value in values.items()
    }
    return Fix((Way(SetSettings(tuple(typed.items())), words),))


def unset(*keys: str) -> Fix:
    """Take settings out of the file."""
    return Fix((Way(SetSettings(tuple((key, None) for key in keys))),))


def add_rule(kind: str, words: str = "{}", **values: object) -> Fix:
    """Add a [[clean]] rule and replay them all."""
    return Fix((Way(AddRule({"rule": kind, **values}), words),))


def run(*arguments: str, words: str = "{}") -> Fix:
    """Run a command of lorawiz."""
    return Fix((Way(RunCommand(arguments), words),))


def review(
    filter_text: str = "", image_paths: Sequence[str] = (), words: str = "{} shows them"
) -> Fix:
    """Look at the images of a filter, or at those named."""
    return Fix((Way(Review(filter_text, tuple(image_paths)), words),))


def edit_setting(key: str, example: str = "VALUE", words: str = "{}") -> Fix:
    """Let the user type a value."""
    return Fix((Way(EditSetting(key, example), words),))


def choose_model(key: ModelKey, words: str = "{}") -> Fix:
    """Let the user pick a model from the disk."""
    return Fix((Way(ChooseModel(key), words),))


def choose_photos() -> Fix:
    """Let the user pick photos to add."""
    return Fix((Way(ChoosePhotos()),))


def watch_run(run_id: str, words: str = "{}") -> Fix:
    """Show a run."""
    return Fix((Way(WatchRun(run_id), words),))


def by_hand(words: str, why: str) -> Fix:
    """What only the user can do, and why lorawiz does not."""
    return Fix((Way(ByHand(why), words),))


def _set_command(key: str, typed: str | None) -> str:
    if typed is None:
        return f"lorawiz unset {key}"
    return f"lorawiz set {key} {visible_text(shlex.quote(typed))}"
