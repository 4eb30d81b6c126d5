"""The edits of the settings screen: each asks for what it needs, and is in the file at once."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from lorawiz.errors import visible_text
from lorawiz.spec.form import OWN_KEYS, FormField
from lorawiz.tui.language import tr
from lorawiz.tui.screens.asking import PickScreen, Remark, TextScreen
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.settings.file import BASE_KEY, find_template_value, read_typed, step_choice
from lorawiz.tui.settings.session import SettingsSession
from lorawiz.tui.settings.state import SpecState
from lorawiz.tui.settings.words import describe_kind
from lorawiz.tui.theme import Tone


class EditingScreen(BaseScreen[None]):
    """Turns keys into edits of the setting at the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "edit", "edit", tooltip="edit the value"),
        Binding("space", "step", "switch", tooltip="switch on or off, or the next choice"),
        Binding(
            "right,l", "choice(1)", "choice", key_display="←→",
            tooltip="the next choice",
        ),
        Binding("left,h", "choice(-1)", show=False, tooltip="the choice before"),
        Binding("d,delete", "unset", "default", tooltip="take it out of the file: the default"),
        Binding("T", "template", "template", tooltip="set it as the template has it"),
        Binding("u,ctrl+z", "undo", "undo", tooltip="undo, as often as there are changes"),
        Binding("ctrl+r,ctrl+y", "redo", "redo", show=False, tooltip="redo"),
    ]  # fmt: skip

    def __init__(self, session: SettingsSession) -> None:
        super().__init__()
        self.session = session

    def say(self, text: str, tone: Tone = "note") -> None:
        """Tell what was done."""
        raise NotImplementedError

    def show_all(self) -> None:
        """Draw everything that may have changed."""
        raise NotImplementedError

    def find_setting(self) -> FormField | None:
        """The setting at the cursor, where it can be edited."""
        row = self.session.current
        return row.field if row is not None and self.session.state.failure is None else None

    async def change(self, setting: FormField, typed: str | None, seen: SpecState) -> None:
        """Write one setting, or take it out; `seen` is what the user decided on."""
        if setting.key == BASE_KEY and typed:
            # gigabytes are hashed: the screen goes on meanwhile
            self.say(tr("looking at {checkpoint}…", checkpoint=visible_text(typed)))
            self.run_worker(self._write(setting, typed, seen), group="base")
        else:
            await self._write(setting, typed, seen)

    async def _write(self, setting: FormField, typed: str | None, seen: SpecState) -> None:
        if await self._obey(lambda: self.session.file.change(setting, typed, seen)):
            self.say_value(setting.key)

    def say_value(self, key: str) -> None:
        """Tell what a setting is now."""
        row = next((row for row in self.session.rows if row.key == key), None)
        if row is not None:
            self.say(f"{key} = {row.value}" if row.value else tr("{key} is not set", key=key))

    async def _obey(self, job: Callable[[], object]) -> bool:
        """Do something with the file, and draw what it says then. Returns whether it was done."""
        is_done = False

        def do() -> None:
            nonlocal is_done
            job()
            is_done = True

        await self.work(do)
        if not is_done:
            self.say("")
        self.session.refresh()
        self.show_all()
        return is_done

    # keys

    async def action_edit(self) -> None:
        setting = self.find_setting()
        if setting is None:
            self.say(tr("edited with e in the file"))
        elif setting.kind == "switch":
            await self.action_choice(1)
        elif setting.listed:
            self._pick_choice(setting)
        else:
            self._ask_value(setting)

    def _pick_choice(self, setting: FormField) -> None:
        seen = self.session.state
        now = str(seen.value_of(setting))
        notes = {now: tr("now"), str(setting.default): tr("the default")}
        words = [(choice, notes.get(choice, "")) for choice in setting.listed]
        another = tr("another…")
        if setting.suggestions:
            words.append((another, visible_text(now) if now not in setting.listed else ""))

        async def obey(choice: str | None) -> None:
            if choice == another:
                self._ask_value(setting)
            elif choice is not None and choice != now:
                await self.change(setting, choice, seen)

        self.app.push_screen(PickScreen(setting.key, words, now), obey)

    def _ask_value(self, setting: FormField) -> None:
        seen = self.session.state
        shown = visible_text(seen.show(setting))

        def remark(typed: str) -> Remark:
            if typed == shown:
                return "note", describe_kind(setting)
            error = self.session.file.check(setting, typed)
            if error is None:
                return "note", describe_kind(setting)
            return "error", "\n".join(visible_text(line) for line in str(error).splitlines())

        async def obey(typed: str | None) -> None:
            if typed is not None and typed != shown:
                await self.change(setting, read_typed(setting, typed), seen)

        self.app.push_screen(TextScreen(setting.key, shown, remark=remark), obey)

    async def action_step(self) -> None:
        await self.action_choice(1)

    async def action_choice(self, step: int) -> None:
        setting, seen = self.find_setting(), self.session.state
        if setting is None or not (setting.kind == "switch" or setting.listed):
            return
        typed = step_choice(setting, seen, step)
        if typed == setting.format(seen.value_of(setting)):
            self.say(describe_kind(setting))
        else:
            await self.change(setting, typed, seen)

    async def action_unset(self) -> None:
        setting, seen = self.find_setting(), self.session.state
        if setting is None:
            return
        if seen.is_set(setting.key):
            await self.change(setting, None, seen)
        else:
            self.say(tr("{key} is not in the file: the default holds", key=setting.key))

    async def action_template(self) -> None:
        setting, seen = self.find_setting(), self.session.state
        if setting is None:
            return
        baseline = seen.baseline
        if setting.key in OWN_KEYS:
            self.say(tr("each project has its own {key}", key=setting.key))
        elif baseline.missing:
            template = visible_text(baseline.missing)
            self.say(tr("the template {template} is not on this machine", template=template))
        elif not baseline.template:
            self.say(tr("project.template names no template; d is the default"))
        elif not seen.differs(setting):
            self.say(tr("{key} is as in the template", key=setting.key))
        else:
            await self.change(setting, find_template_value(setting, seen), seen)

    async def action_undo(self) -> None:
        await self._reverse(self.session.file.undo)

    async def action_redo(self) -> None:
        await self._reverse(self.session.file.redo)

    async def _reverse(self, reverse: Callable[[], str]) -> None:
        keys: list[str] = []
        if await self._obey(lambda: keys.append(reverse())):
            first = keys[0].partition(",")[0]
            self.session.show_key(first)
            self.show_all()
            self.say_value(first)
