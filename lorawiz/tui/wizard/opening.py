"""What the steps open: the form of the project, photos, reviews, settings, the check, jobs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lorawiz.dataset import store
from lorawiz.dataset.formats import IMAGE_SUFFIXES
from lorawiz.errors import visible_text
from lorawiz.paths import Project
from lorawiz.preflight.standing import StepName
from lorawiz.spec import Spec, load_spec
from lorawiz.spec.document import change_values, flatten
from lorawiz.tui.folders import read_path
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.jobs import JobScreen
from lorawiz.tui.language import tr
from lorawiz.tui.screens.asking import Remark
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.screens.files import FileDialog
from lorawiz.tui.screens.path_line import PathScreen
from lorawiz.tui.theme import Tone
from lorawiz.tui.wizard.about import ABOUT_KEYS, AboutScreen


class OpeningScreen(BaseScreen[Any]):
    """Opens other rooms; whatever comes back is looked at anew."""

    current: StepName

    def __init__(self, project: Project, image_widget: ImageWidget | None) -> None:
        super().__init__()
        self.project = project
        self.image_widget = image_widget

    def say(self, text: str, tone: Tone = "note") -> None:
        """Tell what was done."""
        raise NotImplementedError

    def came_back(self, _result: Any = None) -> None:
        """A screen or a job was left: look at the project anew."""
        raise NotImplementedError

    def run_job(
        self,
        arguments: Sequence[str],
        title: str,
        then: Callable[[bool | None], Any] | None = None,
        stays: bool = True,
    ) -> None:
        """Run a command of lorawiz with its progress."""
        job = JobScreen(self.project, arguments, title, stays)
        self.app.push_screen(job, then or self.came_back)

    async def load_spec(self) -> Spec | None:
        """The spec as it is now; None, with a word to the user, where it cannot be read."""
        return await self.work(lambda: load_spec(self.project.spec))

    async def set_values(self, values: dict[str, str | None]) -> bool:
        """Write settings into the spec, all or none; whether it was done."""

        def write() -> bool:
            change_values(self.project.spec, values)
            return True

        is_done = await self.work(write)
        if is_done:
            told = (f"{key} = {visible_text(typed or '–')}" for key, typed in values.items())
            self.say("; ".join(told), "accent")
        self.came_back()
        return bool(is_done)

    # project, settings, check

    async def open_about(self) -> None:
        spec = await self.load_spec()
        if spec is None:
            return
        flat = flatten(spec)

        async def obey(typed: dict[str, str] | None) -> None:
            if typed:
                await self.set_values(dict(typed))

        self.app.push_screen(AboutScreen({key: flat[key] for key in ABOUT_KEYS}), obey)

    async def action_settings(self) -> None:
        from lorawiz.tui.settings.screen import SettingsScreen

        self.app.push_screen(SettingsScreen(self.project), self.came_back)

    async def open_check(self) -> None:
        from lorawiz.tui.check.screen import CheckScreen

        def obey(answer: str | None) -> None:
            self.came_back()
            if answer == "run":
                self.start_run()

        self.app.push_screen(CheckScreen(self.project), obey)

    def start_run(self) -> None:
        """Start a new run."""
        raise NotImplementedError

    # images

    def action_add_photos(self) -> None:
        def obey(paths: list[Path] | None) -> None:
            if paths:
                self._add([str(path) for path in paths])

        title = tr("photos to add: files, folders, zip files")
        suffixes = frozenset({*IMAGE_SUFFIXES, ".zip"})
        self.app.push_screen(FileDialog(title, Path.home(), "any", suffixes, many=True), obey)

    def action_type_photos(self) -> None:
        def obey(typed: str | None) -> None:
            if typed and typed.strip():
                # from where the user started lorawiz, as in a shell
                self._add([str(read_path(typed, Path.cwd()))])

        title = tr("photos: a path or a pattern such as ~/in/*.jpg")
        self.app.push_screen(PathScreen(title, Path.cwd(), judge_photos), obey)

    def _add(self, paths: list[str]) -> None:
        self.run_job(["add", "--", *paths], tr("adding photos"))

    async def action_review(self) -> None:
        await self.open_review()

    async def open_review(self, filter_text: str = "") -> None:
        """The images that fit to the filter, or all."""
        from lorawiz.tui.review.screen import ReviewScreen
        from lorawiz.tui.review.session import ReviewSession

        def load() -> ReviewSession:
            return ReviewSession(self.project, load_spec(self.project.spec), filter_text)

        session = await self.work(load)
        if session is not None and not session.records:
            self.say(tr("no images here yet"))
        elif session is not None:
            self.app.push_screen(ReviewScreen(session, self.image_widget), self.came_back)

    async def action_tags(self) -> None:
        from lorawiz.tui.review.session import ReviewSession
        from lorawiz.tui.tags.screen import TagsScreen

        async def obey(filter_text: str | None) -> None:
            self.came_back()
            if filter_text is not None:
                await self.open_review(filter_text)

        session = await self.work(lambda: ReviewSession(self.project, load_spec(self.project.spec)))
        if session is not None:
            self.app.push_screen(TagsScreen(session), obey)

    async def open_rules(self) -> None:
        from lorawiz.tui.wizard.cleaning import CleanScreen

        self.app.push_screen(CleanScreen(self.project), self.came_back)

    async def action_undo(self) -> None:
        """Take the last change of images and words back."""
        await self._reverse(store.undo)

    async def action_redo_edit(self) -> None:
        await self._reverse(store.redo)

    async def _reverse(self, how: Callable[[Project], store.Applied]) -> None:
        applied = await self.work(lambda: how(self.project))
        if applied is not None and applied.header is not None:
            self.say(visible_text(applied.header.what), "accent")
        self.came_back()


def judge_photos(typed: str) -> Remark:
    """Whether there is something to add where the typed path or pattern points."""
    if not typed.strip():
        return "note", tr("files, folders, zip files")
    path = read_path(typed, Path.cwd())
    if path.exists():
        return "accent", tr("✓ it is here")
    if any(sign in typed for sign in "*?["):
        return "note", tr("a pattern")
    return "warning", tr("not here")
