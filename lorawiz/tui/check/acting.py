"""Going the ways of a fix: what changes the project here, and what other screens are opened for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textual.screen import Screen

from lorawiz.dataset.filters import Filter
from lorawiz.dataset.formats import IMAGE_SUFFIXES
from lorawiz.errors import LorawizError, visible_text
from lorawiz.paths import Project, model_folders
from lorawiz.preflight.finding import Finding
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
from lorawiz.spec import load_spec
from lorawiz.tui.check.fixing import Fixer
from lorawiz.tui.check.session import CheckSession
from lorawiz.tui.check.words import describe_changes
from lorawiz.tui.language import tr
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.screens.files import FileDialog
from lorawiz.tui.settings.screen import SettingsScreen
from lorawiz.tui.theme import Tone

_WEIGHTS = frozenset({".safetensors"})


class ActingScreen(BaseScreen[str]):
    """Makes fixes. What was made is on the disk at once, and what others open is looked at again."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self.session = CheckSession(project)
        self._fixer = Fixer(project)

    def say(self, text: str, tone: Tone = "note") -> None:
        """Tell what was done."""
        raise NotImplementedError

    def check_again(self) -> None:
        """Begin a new check."""
        raise NotImplementedError

    @property
    def project(self) -> Project:
        return self.session.project

    async def act(self, action: Action, finding: Finding | None = None) -> None:
        """Go one way; `finding` is what it heals."""
        match action:
            case SetSettings():
                await self.change_settings([action], [finding] if finding else [])
            case AddRule():
                said = visible_text(action.command)
                await self._change(lambda: self._fixer.add_rule(action), said, finding)
            case Review():
                await self._review(action)
            case ChooseModel() | ChoosePhotos():
                self._choose(action)
            case ByHand():
                self.say(tr("not from here: {reason}", reason=action.why), "warning")
            case _:
                self._open(action)

    # here

    async def change_settings(
        self, actions: Sequence[SetSettings], findings: Sequence[Finding]
    ) -> None:
        """Set all of these together: one undo takes them back."""
        result = self.session.result
        assert result is not None
        lines = [line for action in actions for line in describe_changes(action, result.settings)]
        values = {key: typed for action in actions for key, typed in action.values}
        said = "; ".join(lines[:2]) + (" …" if len(lines) > 2 else "")
        await self._change(
            lambda: self._fixer.change_settings(values, result.settings), said, *findings
        )

    async def _change(self, job: Callable[[], object], said: str, *healed: Finding | None) -> None:
        """Change files in a thread and look at them again; says why where that cannot be."""
        self.say("")

        def do() -> bool:
            job()
            return True

        if await self.work(do):
            self.session.note_healed([finding for finding in healed if finding is not None])
            self.say(said, "accent")
        self.check_again()

    async def undo(self) -> None:
        """Take the last fix back."""
        what = await self.work(self._fixer.undo)
        if what is not None:
            self.say(tr("taken back: {what}", what=what), "accent")
            self.check_again()

    # elsewhere

    def _show(self, screen: Screen[Any]) -> None:
        self.app.push_screen(screen, self._come_back)

    def _come_back(self, _answer: object = None) -> None:
        if self.session.is_changed:
            self.check_again()

    def open_settings(self, key: str) -> None:
        self._show(SettingsScreen(self.project, key))

    def run_command(self, arguments: Sequence[str], title: str) -> None:
        """Run a command of lorawiz, and look at what it did."""
        from lorawiz.tui.jobs import JobScreen

        self.app.push_screen(JobScreen(self.project, list(arguments), title), self._come_back)

    def _open(self, action: EditSetting | RunCommand | WatchRun) -> None:
        match action:
            case EditSetting():
                self.open_settings(action.key)
            case RunCommand():
                self.run_command(action.arguments, action.command)
            case WatchRun():
                self._watch_run(action.run_id)

    def _watch_run(self, run_id: str) -> None:
        from lorawiz.runs.folder import find_run
        from lorawiz.tui.follow import RunFollower, utc_now
        from lorawiz.tui.screens.run import RunScreen

        try:
            follower = RunFollower(find_run(self.project, run_id), utc_now)
        except (LorawizError, OSError) as error:
            self.complain(error)
            return
        self._show(RunScreen(follower, self._image_widget))

    async def _review(self, action: Review) -> None:
        from lorawiz.tui.review.screen import ReviewScreen

        def load() -> ReviewSession:
            spec = load_spec(self.project.spec)
            if not action.image_paths:
                return ReviewSession(self.project, spec, action.filter_text)
            session = ReviewSession(self.project, spec)
            paths = frozenset(action.image_paths)
            session.set_filter(Filter(action.text, lambda facts: facts.record.image_path in paths))
            return session

        session = await self.work(load)
        if session is not None:
            self._show(ReviewScreen(session, self._image_widget))

    def _choose(self, action: ChooseModel | ChoosePhotos) -> None:
        if isinstance(action, ChoosePhotos):
            title, suffixes = tr("photos to add"), IMAGE_SUFFIXES | {".zip"}
            dialog = FileDialog(title, Path.home(), "any", suffixes, many=True)
            self.app.push_screen(dialog, self._add_photos)
            return
        dialog = FileDialog(action.key, self._find_models(), "any", _WEIGHTS)

        async def take(chosen: list[Path] | None) -> None:
            result = self.session.result
            if not chosen or result is None:
                return
            path, settings = chosen[0], result.settings
            shown = visible_text(path.name)
            self.say(tr("looking at {checkpoint}…", checkpoint=shown))
            # gigabytes are hashed: keys go on meanwhile
            job = self._change(
                lambda: self._fixer.choose_model(action.key, path, settings),
                f"{action.key}: {shown}",
            )
            self.run_worker(job, group="model", exclusive=True)

        self.app.push_screen(dialog, take)

    def _find_models(self) -> Path:
        """The first folder of models that holds one, else the home folder."""
        folders = (folder for folder in model_folders(self.project) if folder.is_dir())
        return next((folder for folder in folders if any(folder.iterdir())), Path.home())

    def _add_photos(self, chosen: list[Path] | None) -> None:
        if chosen:
            paths = [str(path) for path in chosen]
            self.run_command(["add", "--", *paths], tr("adding photos"))

    @property
    def _image_widget(self) -> Any:
        return getattr(self.app, "image_widget", None)
