"""What a new project is made of, and what is wrong with it so far; without a screen."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from lorawiz.errors import LorawizError, SpecError, visible_text
from lorawiz.paths import SPEC_FILE, Project
from lorawiz.scaffold import create_project
from lorawiz.spec.document import parse_value
from lorawiz.spec.templates import Template, load_template


@dataclass
class Answers:
    """The answers so far; empty ones take their usual value."""

    template: str = ""
    folder: str = ""
    name: str = ""
    trigger: str = ""
    class_word: str = ""
    base: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    """Others, by dotted key."""

    @property
    def shown_folder(self) -> str:
        return self.folder or Path(self.template).stem

    @property
    def shown_name(self) -> str:
        return self.name or clean_name(Path(self.shown_folder or "lora"))

    @property
    def shown_class_word(self) -> str:
        """The template's, where none was given."""
        if self.class_word or not self.template:
            return self.class_word
        try:
            values = load_template(self.template).values
        except SpecError:
            return ""
        return str(values.get("project", {}).get("class_word", ""))

    def find_mistakes(self) -> dict[str, str]:
        """What is wrong, by answer, in a sentence each; empty when the project can be made."""
        mistakes: dict[str, str] = {}
        try:
            load_template(self.template)
        except LorawizError as error:
            mistakes["template"] = str(error)
        folder = Path(self.shown_folder).expanduser()
        if not self.shown_folder:
            mistakes["folder"] = "which folder?"
        elif folder.exists() and not folder.is_dir():
            mistakes["folder"] = f"{visible_text(str(folder))} is a file"
        elif (folder / SPEC_FILE).exists():
            mistakes["folder"] = f"{visible_text(str(folder))} is a project already"
        for answer, key in _KEYS.items():
            try:
                parse_value(key, getattr(self, f"shown_{answer}", getattr(self, answer)))
            except SpecError as error:
                mistakes[answer] = error.message
        return mistakes

    def create(self) -> Project:
        """Make the project. Raises LorawizError and OSError, with nothing written."""
        template: Template = load_template(self.template)
        answers = {
            "project.name": self.shown_name,
            "project.trigger": self.trigger,
            "project.class_word": self.shown_class_word,
        }
        folder = Path(self.shown_folder).expanduser()
        return create_project(folder, template, answers, self.base, self.settings)


_KEYS = {"name": "project.name", "trigger": "project.trigger", "class_word": "project.class_word"}


def clean_name(folder: Path) -> str:
    """A folder's name as a LoRA's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.absolute().name).strip("-.")[:64] or "lora"
