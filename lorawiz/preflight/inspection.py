"""Everything that the rules look at, gathered once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorawiz.dataset.batches import StepCount, count_steps
from lorawiz.dataset.prompts import prompt_text, split_prompt
from lorawiz.dataset.records import Dataset, ImageRecord, load_dataset
from lorawiz.errors import LorawizError, ModelError
from lorawiz.families import FAMILIES
from lorawiz.families.card import FamilySize
from lorawiz.families.checkpoints import (
    Checkpoint,
    find_checkpoint,
    inspect_checkpoint,
    is_hub_id,
)
from lorawiz.families.clip import count_tokens
from lorawiz.paths import Project
from lorawiz.preflight.machine import MachineFacts
from lorawiz.spec import Spec
from lorawiz.spec.document import read_spec_text
from lorawiz.spec.lines import find_line


@dataclass(frozen=True)
class Inspection:
    """A project, its machine, and what follows from them."""

    project: Project
    spec: Spec
    machine: MachineFacts

    @cached_property
    def dataset(self) -> Dataset:
        return load_dataset(self.project.dataset)

    @cached_property
    def records(self) -> Sequence[ImageRecord]:
        """The images that a run would use."""
        return self.dataset.trained

    @cached_property
    def count(self) -> StepCount:
        return count_steps(self.spec, self.records)

    @cached_property
    def prompts(self) -> dict[str, str]:
        """Prompt text before shuffling, by image path."""
        return {r.image_path: prompt_text(r, self.spec).split("\n")[0] for r in self.records}

    @cached_property
    def num_tokens(self) -> dict[str, int]:
        """CLIP tokens of each image's prompt."""
        return {path: count_tokens(prompt) for path, prompt in self.prompts.items()}

    @cached_property
    def base(self) -> Checkpoint | ModelError | None:
        """The base checkpoint, why it cannot be used, or None when none is set."""
        return _inspect(self.spec.base.checkpoint, self.project)

    @cached_property
    def base_path(self) -> Path | None:
        return self.base.path if isinstance(self.base, Checkpoint) else None

    @property
    def family(self) -> str:
        return self.spec.base.family

    @property
    def base_is_on_hub(self) -> bool:
        """Whether the base is a hub id whose files `run` would fetch."""
        return isinstance(self.base, ModelError) and is_hub_id(self.spec.base.checkpoint)

    @property
    def size(self) -> str:
        """The base's size; full where it is not known."""
        return self.base.size if isinstance(self.base, Checkpoint) else "full"

    @property
    def size_facts(self) -> FamilySize:
        return FAMILIES[self.family].sizes[self.size]

    def find_part_of_trigger(self, prompt: str) -> int | None:
        """Index of the comma part that holds the trigger, or None."""
        trigger = self.spec.project.trigger.lower()
        parts = split_prompt(prompt, self.spec.prompt)
        everything = [*parts.kept, *parts.shuffled, *parts.kept_end]
        for index, part in enumerate(everything):
            if (
                trigger in part.lower().split()
                or trigger == part.lower()
                or (" " in trigger and trigger in part.lower())
            ):
                return index
        return None

    def where(self, key: str) -> str:
        """`lorawiz.toml:LINE` of a key, or the file alone when it stands nowhere in it."""
        if not key:
            return ""
        try:
            line = find_line(read_spec_text(self.project.spec), key)
        except LorawizError:
            line = None
        return f"{self.project.spec.name}:{line}" if line else self.project.spec.name


def _inspect(name: str, project: Project) -> Checkpoint | ModelError | None:
    if not name:
        return None
    try:
        return inspect_checkpoint(find_checkpoint(name, project))
    except LorawizError as error:
        return error if isinstance(error, ModelError) else ModelError(error.message, error.hint)
