"""The form of a new project: template, folder, name, trigger, class word; then the wizard."""

from typing import ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.paths import Project
from lorawiz.spec.templates import list_templates
from lorawiz.tui.language import tr
from lorawiz.tui.screens.asking import PickScreen, Remark, TextScreen
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.theme import STYLES, Tone
from lorawiz.tui.widgets.key_lines import KeyLines
from lorawiz.tui.wizard.about import ABOUT_KEYS, judge
from lorawiz.tui.wizard.answers import Answers

_ROWS = ("template", "folder", "name", "trigger", "class_word", "create")
_TEXTS = ("template", "folder", "name of the LoRA", "trigger word", "class word")


def _help(row: str) -> str:
    return {
        "template": tr("the settings to start from"),
        "folder": tr("the project's folder: photos are brought in later, theirs stay as they are"),
        "name": tr("its files are NAME.safetensors"),
        "trigger": tr("the word that calls the LoRA: rare and short, such as lyq"),
        "class_word": tr("what it is one of: woman, man, dog, style"),
        "create": tr("makes the folder and goes on with the photos"),
    }[row]


class NewProjectScreen(BaseScreen[Project | Literal["demo"]]):
    """Leaves with the project that was made, with "demo" where that is offered, or with None."""

    DEFAULT_CSS = """
    NewProjectScreen {
        layers: base;
        AnswerList { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "edit", "edit", tooltip="edit this answer, or create the project"),
        Binding("ctrl+s", "create", "create", tooltip="create the project"),
        Binding("down,j,tab", "move(1)", show=False, tooltip="next answer"),
        Binding("up,k,shift+tab", "move(-1)", show=False, tooltip="answer before"),
        Binding("g,home", "go_to(0)", show=False, tooltip="first answer"),
        Binding("G,end", "go_to(-1)", show=False, tooltip="create"),
        Binding("d", "demo", "demo", tooltip="see the whole job on bundled photos first"),
        Binding("escape", "quit", "leave", tooltip="leave; nothing is made"),
        Binding("q,ctrl+q,ctrl+c", "quit", show=False, tooltip="leave; nothing is made"),
    ]

    def __init__(self, answers: Answers, offers_demo: bool = False) -> None:
        super().__init__()
        self.answers = answers
        self.offers_demo = offers_demo
        if not answers.template:
            answers.template = list_templates()[0].name
        self.row = next((row for row in _ROWS if self._is_wanted(row)), "create")
        self._list = AnswerList(self)

    def _is_wanted(self, row: str) -> bool:
        return row == "trigger" and not self.answers.trigger

    def compose(self) -> ComposeResult:
        yield self._list
        yield KeyLines(1)

    def show(self) -> None:
        """Draw the answers as they are."""
        self._list.refresh()

    def action_move(self, by: int) -> None:
        place = _ROWS.index(self.row) + by
        self.row = _ROWS[min(max(place, 0), len(_ROWS) - 1)]
        self.show()

    def action_go_to(self, place: int) -> None:
        self.row = _ROWS[place]
        self.show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "demo":
            return self.offers_demo
        return super().check_action(action, parameters)

    def action_demo(self) -> None:
        self.leave("demo")

    def action_quit(self) -> None:
        self.leave(None)

    async def action_edit(self) -> None:
        if self.row == "create":
            await self.action_create()
        elif self.row == "template":
            words = [(each.name, visible_text(each.description)) for each in list_templates()]
            self.app.push_screen(PickScreen(tr("which template?"), words), self._take)
        else:
            shown = getattr(self.answers, f"shown_{self.row}", getattr(self.answers, self.row))
            row = self.row
            title = dict(zip(_ROWS, _TEXTS, strict=False))[row]

            def remark(typed: str) -> Remark:
                trial = Answers(**{**vars(self.answers), row: typed.strip()})
                said = trial.find_mistakes().get(row, "")
                if said:
                    return "error", said
                if f"project.{row}" in ABOUT_KEYS:
                    return judge(f"project.{row}", typed.strip())
                return "note", _help(row)

            self.app.push_screen(
                TextScreen(tr(title), visible_text(shown), remark=remark), self._take
            )

    def _take(self, typed: str | None) -> None:
        if typed is not None:
            setattr(self.answers, self.row, typed.strip())
            self.action_move(1)

    async def action_create(self) -> None:
        mistakes = self.answers.find_mistakes()
        for row in _ROWS:
            if row in mistakes:
                self.row = row
                self.show()
                return
        project = await self.work(self.answers.create)
        if project is not None:
            self.leave(project)


class AnswerList(Widget):
    """A line an answer, what is wrong with it, and what the one at the cursor means."""

    DEFAULT_CSS = "AnswerList { padding: 0 1; }"

    def __init__(self, form: NewProjectScreen) -> None:
        super().__init__()
        self._form = form

    def render(self) -> Content:
        answers = self._form.answers
        mistakes = answers.find_mistakes()
        titles = [tr(text) for text in _TEXTS]
        width = max(Content(title).cell_length for title in titles) + 3
        lines = [Content.styled(tr("A new project"), "bold"), Content()]
        for row, title in zip(_ROWS, titles, strict=False):
            shown = getattr(answers, f"shown_{row}", getattr(answers, row))
            given = bool(getattr(answers, row))
            gap = " " * (width - Content(title).cell_length)
            tone: Tone = "plain" if given else "note"
            value = (visible_text(shown) or "–", STYLES[tone])
            lines.append(self._mark(row, Content.assemble(title, gap, value)))
            if row in mistakes:
                lines += [
                    Content.styled(f"     ✗ {line}", STYLES["error"])
                    for line in mistakes[row].splitlines()
                ]
        lines += [Content(), self._mark("create", Content(tr("create the project")))]
        lines += [Content(), Content.styled(f"   {_help(self._form.row)}", STYLES["note"])]
        if self._form.offers_demo:
            demo = tr("d: first see the whole job on bundled photos, in about two minutes")
            lines += [Content(), Content.styled(f"   {demo}", STYLES["note"])]
        return Content("\n").join(lines)

    def on_click(self, event: events.Click) -> None:
        lines = self.render().plain.split("\n")
        offset = event.get_content_offset(self)
        if offset is None or offset.y >= len(lines):
            return
        for row, title in zip(_ROWS, [*_TEXTS, "create the project"], strict=True):
            if lines[offset.y][3:].startswith(tr(title)):
                self._form.row = row
                self._form.run_worker(self._form.action_edit())
                self.refresh()
                return

    def _mark(self, row: str, line: Content) -> Content:
        is_current = row == self._form.row
        marked = Content.assemble((" ▸ " if is_current else "   ", STYLES["accent"]), line)
        return marked.stylize("bold") if is_current else marked
