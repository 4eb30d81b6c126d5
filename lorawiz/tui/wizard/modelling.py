"""The steps that need models: the base, crops and cut-outs, captions, tags."""

from pathlib import Path
from typing import Any

from lorawiz.annotate.registry import CAPTIONERS, TAGGERS, ModelKind
from lorawiz.errors import LorawizError, ModelError, visible_text
from lorawiz.families.checkpoints import HUB_FILES, find_checkpoint
from lorawiz.hub import hub_download_bytes, is_hub_id, is_offline
from lorawiz.paths import model_folders
from lorawiz.preflight.standing import StepName
from lorawiz.tui.background import run_in_background
from lorawiz.tui.folders import read_path
from lorawiz.tui.language import tr
from lorawiz.tui.screens.asking import PickScreen, Remark, TextScreen
from lorawiz.tui.screens.dialogs import Choice, ChoiceScreen
from lorawiz.tui.screens.files import FileDialog
from lorawiz.tui.screens.path_line import PathScreen
from lorawiz.tui.wizard.bases import list_bases, list_models
from lorawiz.tui.wizard.opening import OpeningScreen
from lorawiz.wording import show_bytes

_KINDS: dict[StepName, ModelKind[Any]] = {"captions": CAPTIONERS, "tags": TAGGERS}
_USUAL: dict[StepName, tuple[str, ...]] = {
    "captions": (
        "Salesforce/blip-image-captioning-large", "Salesforce/blip-image-captioning-base",
        "florence-community/Florence-2-base", "florence-community/Florence-2-large",
    ),
    "tags": (
        "SmilingWolf/wd-swinv2-tagger-v3", "SmilingWolf/wd-eva02-large-tagger-v3",
        "SmilingWolf/wd-vit-large-tagger-v3", "cella110n/cl_tagger",
    ),
}  # fmt: skip
_COMMANDS: dict[StepName, str] = {"crop": "crop", "captions": "caption", "tags": "tag"}


class ModellingScreen(OpeningScreen):
    """Models are chosen here and work in jobs; this process loads none."""

    # base model

    async def choose_base(self) -> None:
        bases = await self.work(lambda: list_bases(self.project))
        if bases is None:
            return
        from_disk, by_name = tr("a file or folder…"), tr("type a name or a hub id…")

        def obey(name: str | None) -> None:
            if name == from_disk:
                self.action_choose_file()
            elif name == by_name:
                self.action_type_base()
            elif name is not None:
                self._take_base(name)

        words = [(base.name, base.note) for base in bases]
        words += [(from_disk, ""), (by_name, "")]
        self.app.push_screen(PickScreen(tr("which base model?"), words), obey)

    def action_choose_file(self) -> None:
        def obey(paths: list[Path] | None) -> None:
            if paths:
                self._take_base(str(paths[0]))

        title = tr("a .safetensors file or a diffusers folder")
        folders = [folder for folder in model_folders(self.project) if folder.is_dir()]
        start = next((folder for folder in folders if any(folder.iterdir())), Path.home())
        self.app.push_screen(FileDialog(title, start, "any", frozenset({".safetensors"})), obey)

    def action_type_base(self) -> None:
        def obey(typed: str | None) -> None:
            if typed and typed.strip():
                self._take_base(self._read_name(typed.strip()))

        title = tr("base model: a name, a path or owner/name")
        self.app.push_screen(PathScreen(title, Path.cwd(), self._judge_base), obey)

    def _read_name(self, typed: str) -> str:
        """A path from where lorawiz was started, or the name as it is."""
        path = read_path(typed, Path.cwd())
        return str(path) if path.exists() and not self._is_found(typed) else typed

    def _is_found(self, name: str) -> bool:
        try:
            find_checkpoint(name, self.project)
        except LorawizError:
            return False
        return True

    def _judge_base(self, typed: str) -> Remark:
        name = typed.strip()
        if not name:
            return "note", tr("names are looked up in models/, LORAWIZ_MODELS and the data folder")
        if self._is_found(self._read_name(name)):
            return "accent", tr("✓ it is here")
        if is_hub_id(name) and not is_offline():
            return "note", tr("not here: enter asks the hub how large it is")
        return "warning", tr("not here")

    def _take_base(self, name: str) -> None:
        async def tell(is_taken: bool | None) -> None:
            self.came_back()
            spec = await self.load_spec() if is_taken else None
            if spec is None:
                return
            taken = spec.base.checkpoint
            self.say(f"base.checkpoint = {visible_text(taken)}", "accent")
            if not spec.base.sha256 and is_hub_id(taken):
                self.run_worker(self.offer_fetch(taken), group="base", exclusive=True)

        # gigabytes are hashed
        title = tr("looking at {model}…", model=visible_text(name))
        self.run_job(["set", "--", "base.checkpoint", name], title, tell, False)

    async def action_fetch(self) -> None:
        """Fetch the base that the spec names."""
        spec = await self.load_spec()
        if spec is not None:
            self.run_worker(self.offer_fetch(spec.base.checkpoint), group="base", exclusive=True)

    async def offer_fetch(self, name: str) -> None:
        """Say how large a hub model is, and fetch it when that is wanted."""
        shown = visible_text(name)
        self.say(tr("asking the hub about {model}…", model=shown))
        try:
            num_bytes = await run_in_background(lambda: hub_download_bytes(name, HUB_FILES))
        except (ModelError, ImportError) as error:
            self.say("")
            self.notify(visible_text(str(error)), severity="error", markup=False)
            return
        self.say("")
        size = show_bytes(num_bytes)
        choices = [
            Choice("y", tr("yes: now, in view; an interrupted download goes on"), True),
            Choice("n", tr("no: the run fetches it when it starts"), False),
        ]

        def obey(is_wanted: bool | None) -> None:
            if is_wanted:
                self.run_job(["models", "fetch"], tr("fetching {model}", model=shown))

        question = tr("{model} is {size}. Fetch it now?", model=shown, size=size)
        self.app.push_screen(ChoiceScreen(question, choices), obey)

    # crops and cut-outs

    async def run_models(self) -> None:
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

    def action_count_crops(self) -> None:
        self.run_job(["crop", "--dry-run"], tr("what would be cropped"))

    def action_cutout(self) -> None:
        self.run_job(["cutout"], "lorawiz cutout")

    def action_background(self) -> None:
        colour = tr("another colour…")
        words = [
            ("keep", tr("as it was")),
            ("blur", tr("blurred")),
            ("white", ""),
            ("black", ""),
            (colour, "#rrggbb"),
        ]

        async def obey(value: str | None) -> None:
            if value == colour:
                self._type_value("cutout.background", tr("background: #rrggbb"))
            elif value is not None:
                await self.set_values({"cutout.background": value})

        self.app.push_screen(PickScreen(tr("what stands behind the subject?"), words), obey)

    # captions and tags

    async def action_choose_model(self) -> None:
        kind, usual = _KINDS[self.current], _USUAL[self.current]
        local = await self.work(lambda: list_models(self.project, kind))
        if local is None:
            return
        here = {model.name for model in local}
        another = tr("type a name or a hub id…")
        words = [(model.name, f"✓ {model.note}") for model in local]
        remote = tr("not here") if is_offline() else tr("fetched when it is asked")
        words += [(name, remote) for name in usual if name not in here]
        words += [("none", tr("no model")), (another, "")]

        async def obey(name: str | None) -> None:
            if name == another:
                self._type_value(kind.setting, tr("model: a folder's name or owner/name"))
            elif name is not None:
                await self.set_values({kind.setting: name})

        self.app.push_screen(PickScreen(tr("which model?"), words), obey)

    def _type_value(self, key: str, title: str) -> None:
        async def obey(typed: str | None) -> None:
            if typed and typed.strip():
                await self.set_values({key: typed.strip()})

        self.app.push_screen(TextScreen(title), obey)
