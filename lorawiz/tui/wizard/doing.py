"""What the wizard's steps do: each is a screen of its own, or a command run as a job."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from lorawiz.dataset import store
from lorawiz.dataset.formats import IMAGE_SUFFIXES
from lorawiz.errors import LorawizError, visible_text
from lorawiz.paths import Project
from lorawiz.preflight.survey import StepName
from lorawiz.runs.folder import list_runs
from lorawiz.runs.view import ON, load_view
from lorawiz.spec import load_spec
from lorawiz.spec.document import set_value
from lorawiz.tui.follow import RunFollower
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.jobs import JobScreen
from lorawiz.tui.language import tr
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.screens.asking import PickScreen, TextScreen
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.screens.dialogs import Choice, ChoiceScreen
from lorawiz.tui.screens.files import FileDialog
from lorawiz.tui.theme import Tone
from lorawiz.tui.wizard.models import list_bases

_BACKGROUNDS = ("keep", "blur", "white", "black")
_MODEL_KEYS: dict[StepName, str] = {"captions": "caption.model", "tags": "tag.model"}
_USUAL_MODELS: dict[StepName, tuple[str, ...]] = {
    "captions": (
        "Salesforce/blip-image-captioning-large", "Salesforce/blip-image-captioning-base",
        "florence-community/Florence-2-base", "florence-community/Florence-2-large", "none",
    ),
    "tags": (
        "SmilingWolf/wd-swinv2-tagger-v3", "SmilingWolf/wd-eva02-large-tagger-v3",
        "SmilingWolf/wd-vit-large-tagger-v3", "none",
    ),
}  # fmt: skip
_COMMANDS: dict[StepName, str] = {"crop": "crop", "captions": "caption", "tags": "tag"}


class DoingScreen(BaseScreen[Any]):
    """Does what its keys ask for; whatever comes back is looked at anew."""

    current: StepName

    def __init__(self, project: Project, image_widget: ImageWidget | None) -> None:
        super().__init__()
        self.project = project
        self.image_widget = image_widget

    def say(self, text: str, tone: Tone = "note") -> None:
        """Tell what was done."""
        raise NotImplementedError

    def look_again(self) -> None:
        """Read the project anew."""
        raise NotImplementedError

    @property
    def has_images(self) -> bool:
        """Whether there are images to work on."""
        raise NotImplementedError

    def came_back(self, _result: Any = None) -> None:
        """A screen or a job was left."""
        raise NotImplementedError

    async def open_step(self, name: StepName) -> None:
        """The main thing of a step."""
        openers: dict[StepName, Callable[[], Awaitable[None]]] = {
            "project": self._open_project,
            "images": self._open_images,
            "base": self._choose_base,
            "crop": self._run_models,
            "captions": self._run_models,
            "tags": self._run_models,
            "clean": self._preview_rules,
            "review": self.action_review,
            "settings": self.action_settings,
            "check": self._check,
            "run": self._watch_or_start,
        }
        await openers[name]()

    def run_job(
        self,
        arguments: Sequence[str],
        title: str,
        then: Callable[[bool | None], None] | None = None,
        stays: bool = True,
    ) -> None:
        """Run a command of lorawiz with its progress."""
        job = JobScreen(self.project, arguments, title, stays)
        self.app.push_screen(job, then or self.came_back)

    # project, settings, check

    async def _open_project(self) -> None:
        await self._open_settings("project.trigger")

    async def action_settings(self) -> None:
        await self._open_settings("")

    async def _open_settings(self, key: str) -> None:
        from lorawiz.tui.settings.screen import SettingsScreen

        self.app.push_screen(SettingsScreen(self.project, key), self.came_back)

    async def _check(self) -> None:
        from lorawiz.tui.check.screen import CheckScreen

        def obey(answer: str | None) -> None:
            if answer == "run":
                self.action_start()
            else:
                self.came_back()

        self.app.push_screen(CheckScreen(self.project), obey)

    # images

    def action_add_photos(self) -> None:
        def obey(paths: list[Path] | None) -> None:
            if paths:
                self._add([str(path) for path in paths])

        title = tr("photos: files or folders")
        dialog = FileDialog(title, Path.home(), "any", frozenset(IMAGE_SUFFIXES), many=True)
        self.app.push_screen(dialog, obey)

    def action_type_photos(self) -> None:
        def obey(typed: str | None) -> None:
            if typed and typed.strip():
                self._add([str(Path(typed.strip()).expanduser())])

        self.app.push_screen(TextScreen(tr("photos: a path or a pattern such as ~/in/*.jpg")), obey)

    def _add(self, paths: list[str]) -> None:
        self.run_job(["add", "--", *paths], tr("adding photos"))

    async def _open_images(self) -> None:
        if self.has_images:
            await self.action_review()
        else:
            self.action_add_photos()

    async def action_review(self) -> None:
        session = await self._open_session()
        if session is None:
            return
        if not session.records:
            self.say(tr("no images here yet: a adds some"))
            return
        from lorawiz.tui.review.screen import ReviewScreen

        self.app.push_screen(ReviewScreen(session, self.image_widget), self.came_back)

    async def action_tags(self) -> None:
        session = await self._open_session()
        if session is None:
            return
        from lorawiz.tui.review.screen import ReviewScreen
        from lorawiz.tui.tags.screen import TagsScreen

        def obey(filter_text: str | None) -> None:
            if filter_text is None:
                self.came_back()
                return
            try:
                found = ReviewSession(self.project, load_spec(self.project.spec), filter_text)
            except (LorawizError, OSError) as error:
                self.complain(error)
                return
            self.app.push_screen(ReviewScreen(found, self.image_widget), self.came_back)

        self.app.push_screen(TagsScreen(session), obey)

    async def _open_session(self) -> ReviewSession | None:
        return await self.work(lambda: ReviewSession(self.project, load_spec(self.project.spec)))

    async def action_undo(self) -> None:
        applied = await self.work(lambda: store.undo(self.project))
        if applied is not None and applied.header is not None:
            self.say(tr("taken back: {what}", what=visible_text(applied.header.what)), "accent")
        self.look_again()

    # base model

    async def _choose_base(self) -> None:
        bases = await self.work(lambda: list_bases(self.project)) or []
        if not bases:
            self.say(tr("no base model in the model folders: f picks a file, i takes a hub id"))
            return

        def obey(name: str | None) -> None:
            if name is not None:
                self._set_base(name)

        words = [(base.name, base.note) for base in bases]
        self.app.push_screen(PickScreen(tr("which base model?"), words), obey)

    def action_choose_file(self) -> None:
        def obey(paths: list[Path] | None) -> None:
            if paths:
                self._set_base(str(paths[0]))

        title = tr("a .safetensors file or a diffusers folder")
        dialog = FileDialog(title, Path.home(), "any", frozenset({".safetensors"}))
        self.app.push_screen(dialog, obey)

    def action_type_base(self) -> None:
        def obey(typed: str | None) -> None:
            if typed and typed.strip():
                self._set_base(typed.strip())

        self.app.push_screen(TextScreen(tr("base model: a name, a path or owner/name")), obey)

    def _set_base(self, name: str) -> None:
        # hashing several GB takes seconds: that is a job too
        self.run_job(["set", "--", "base.checkpoint", name], tr("looking at the base model"))

    # models over the images

    async def _run_models(self) -> None:
        self._run_command([])

    def action_redo(self) -> None:
        question = tr("Do it again for all images? What was set by hand stays.")
        choices = [
            Choice("y", tr("yes: look at all of them anew"), True),
            Choice("n", tr("no: change nothing"), False),
        ]

        def obey(is_sure: bool | None) -> None:
            if is_sure:
                self._run_command(["--redo"])

        self.app.push_screen(ChoiceScreen(question, choices), obey)

    def _run_command(self, options: list[str]) -> None:
        command = _COMMANDS[self.current]
        self.run_job([command, *options], f"lorawiz {command}")

    def action_cutout(self) -> None:
        self.run_job(["cutout"], "lorawiz cutout")

    def action_background(self) -> None:
        words = [(name, "") for name in _BACKGROUNDS]
        self._pick_value("cutout.background", tr("what stands behind the subject?"), words)

    def action_choose_model(self) -> None:
        key = _MODEL_KEYS[self.current]
        words = [(name, "") for name in _USUAL_MODELS[self.current]]
        words.append((tr("another…"), ""))

        def obey(name: str | None) -> None:
            if name == tr("another…"):
                self._type_value(key, tr("model: a folder's name or owner/name"))
            elif name is not None:
                self._set_value(key, name)

        self.app.push_screen(PickScreen(tr("which model?"), words), obey)

    def _type_value(self, key: str, title: str) -> None:
        def obey(typed: str | None) -> None:
            if typed and typed.strip():
                self._set_value(key, typed.strip())

        self.app.push_screen(TextScreen(title), obey)

    def _pick_value(self, key: str, title: str, words: Sequence[tuple[str, str]]) -> None:
        def obey(value: str | None) -> None:
            if value is not None:
                self._set_value(key, value)

        self.app.push_screen(PickScreen(title, words), obey)

    def _set_value(self, key: str, value: str) -> None:
        try:
            set_value(self.project.spec, key, value)
        except (LorawizError, OSError) as error:
            self.complain(error)
        else:
            self.say(f"{key} = {value}", "accent")
        self.look_again()

    # rules

    async def _preview_rules(self) -> None:
        self.run_job(["clean", "--dry-run"], tr("what the rules would change"))

    def action_apply_rules(self) -> None:
        self.run_job(["clean"], "lorawiz clean")

    # runs

    async def _watch_or_start(self) -> None:
        runs = await self.work(lambda: list_runs(self.project))
        if runs:
            self.app.push_screen(_build_panel(runs[-1], self.image_widget), self.came_back)
        elif runs is not None:
            self.action_start()

    def action_start(self) -> None:
        runs = list_runs(self.project)
        if runs and load_view(runs[-1]).state() in ON:
            self.say(tr("{run_id} is still on: ⏎ shows it", run_id=runs[-1].run_id), "warning")
            return
        self._launch(["run", "--detach"], tr("starting the run"))

    def action_resume(self) -> None:
        self._launch(["run", "--resume", "--detach"], tr("going on with the run"))

    def _launch(self, arguments: list[str], title: str) -> None:
        def watch(has_started: bool | None) -> None:
            runs = list_runs(self.project)
            if has_started and runs:
                self.app.push_screen(_build_panel(runs[-1], self.image_widget), self.came_back)
            else:
                self.came_back()

        self.run_job(arguments, title, watch, stays=False)


def _build_panel(run: Any, image_widget: ImageWidget | None) -> BaseScreen[Any]:
    from lorawiz.tui.screens.run import RunScreen

    return RunScreen(RunFollower(run), image_widget)
