"""What a fix will do, in words: a long form and one that fits beside the finding."""

from lorawiz.errors import visible_text
from lorawiz.preflight.finding import Severity
from lorawiz.preflight.fixes import (
    Action,
    AddRule,
    ByHand,
    ChooseModel,
    ChoosePhotos,
    EditSetting,
    Review,
    RunCommand,
    SetSettings,
    WatchRun,
)
from lorawiz.tui.check.fixing import describe_values
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.settings.state import SpecState
from lorawiz.tui.theme import Tone

TONES: dict[Severity, Tone] = {"error": "error", "warning": "warning", "info": "note"}


_TEXTS = (
    "set", "add a rule", "run", "review", "settings", "choose", "choose", "watch", "by hand",
)  # fmt: skip
_KINDS = (
    SetSettings, AddRule, RunCommand, Review, EditSetting, ChooseModel, ChoosePhotos, WatchRun,
    ByHand,
)  # fmt: skip
_NAMES = dict(zip(_KINDS, _TEXTS, strict=True))


def name_action(action: Action) -> str:
    """One or two words: `set`, `run crop`, `review`."""
    name = tr(_NAMES[type(action)])
    return f"{name} {visible_text(action.arguments[0])}" if isinstance(action, RunCommand) else name


def describe_action(action: Action, settings: SpecState) -> str:
    """What it will do, as a sentence; several lines for several settings."""
    match action:
        case SetSettings():
            return "\n".join(describe_changes(action, settings))
        case AddRule():
            rule = visible_text(action.toml)
            return tr("adds a cleaning rule and cleans: {rule}", rule=rule)
        case Review():
            return _describe_review(action)
        case ByHand():
            return tr("not from here: {reason}", reason=visible_text(action.why))
        case _:
            return _describe_opening(action)


def _describe_review(action: Review) -> str:
    num = len(action.image_paths)
    if num:
        return tr_count(
            num, "shows that image in the review", "shows those {num} images in the review"
        )
    return tr("shows them in the review: {filter}", filter=visible_text(action.text))


def _describe_opening(
    action: RunCommand | EditSetting | ChooseModel | ChoosePhotos | WatchRun,
) -> str:
    match action:
        case RunCommand():
            return tr("runs {command}", command=action.command)
        case EditSetting():
            return tr("opens the settings at {key}", key=action.key)
        case ChooseModel():
            return tr("lets you choose a file or folder for {key}", key=action.key)
        case ChoosePhotos():
            return tr("lets you choose photos, and adds them")
        case WatchRun():
            return tr("opens the panel of {run}", run=visible_text(action.run_id))


def describe_changes(action: SetSettings, settings: SpecState) -> list[str]:
    """`train.seed: 3 → 7`, a line each."""
    return [
        f"{key}: {visible_text(old)} → {visible_text(new)}"
        for key, old, new in describe_values(action, settings)
    ]
