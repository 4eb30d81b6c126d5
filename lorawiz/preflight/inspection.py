"""Everything that the rules look at, gathered once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorawiz.dataset.batches import StepCount, count_steps
from lorawiz.dataset.evidence import FaceBox, load_faces
from lorawiz.dataset.facts import PictureFacts, compute_missing_facts
from lorawiz.dataset.holdout import Split, split_records
from lorawiz.dataset.problems import ImageProblem, find_image_problems
from lorawiz.dataset.prompts import longest_prompt, prompt_lines, split_prompt
from lorawiz.dataset.records import Dataset, ImageRecord
from lorawiz.dataset.store import read_dataset
from lorawiz.dataset.subsets import split_class_images
from lorawiz.errors import LorawizError, ModelError
from lorawiz.families import FAMILIES
from lorawiz.families.card import FamilySize
from lorawiz.families.checkpoints import (
    Checkpoint,
    find_checkpoint,
    inspect_checkpoint,
)
from lorawiz.families.clip.counting import prompt_counter
from lorawiz.families.resolution import resolve_base
from lorawiz.hub import is_hub_id
from lorawiz.loras.layout import Layer, Placed, find_wrong_lengths, load_layers, place_adapters
from lorawiz.loras.reading import LoraFile, find_lora, read_lora
from lorawiz.paths import Project
from lorawiz.preflight.machine import MachineFacts
from lorawiz.spec import Spec
from lorawiz.spec.document import read_spec_text
from lorawiz.spec.lines import find_line
from lorawiz.spec.tables import BaseTable


@dataclass(frozen=True)
class Inspection:
    """A project, its machine, and what follows from them."""

    project: Project
    spec: Spec
    machine: MachineFacts

    @cached_property
    def dataset(self) -> Dataset:
        return read_dataset(self.project)

    @cached_property
    def records(self) -> Sequence[ImageRecord]:
        """The images of the subject that a run would use: trained, or held out to measure."""
        return split_class_images(self.all_records, self.spec.dataset)[0]

    @cached_property
    def class_records(self) -> Sequence[ImageRecord]:
        """The class images that a run would use."""
        return split_class_images(self.all_records, self.spec.dataset)[1]

    @property
    def all_records(self) -> Sequence[ImageRecord]:
        """Every image that a run would use."""
        return self.dataset.trained

    @cached_property
    def split(self) -> Split:
        """Of these, who is trained and who is held out."""
        return split_records(self.spec, self.all_records)

    @cached_property
    def facts(self) -> dict[str, PictureFacts]:
        """Figures of the images' pixels by image path; what is not known yet is measured."""
        return compute_missing_facts(self.project, self.all_records)

    @cached_property
    def faces(self) -> dict[str, list[FaceBox]] | None:
        """Faces by image path; None when nobody has looked for any."""
        return load_faces(self.project, self.spec.crop.detector)

    @cached_property
    def image_problems(self) -> Sequence[ImageProblem]:
        """What is wrong with single images."""
        return find_image_problems(self.records, self.facts, self.faces, self.spec.crop.min_score)

    @cached_property
    def count(self) -> StepCount:
        return count_steps(self.spec, self.all_records)

    @cached_property
    def prompts(self) -> dict[str, Sequence[str]]:
        """By image path what a prompt can be drawn from, before shuffling: a text each line.

        Of each wildcard the choice is taken that lacks the trigger, where there is one.
        """
        return {r.image_path: self._prompts_of(r) for r in self.records}

    @cached_property
    def trigger_parts(self) -> dict[str, Sequence[int | None]]:
        """By image path the part that holds the trigger, for each of `prompts`."""
        return {
            path: [self.find_part_of_trigger(text) for text in texts]
            for path, texts in self.prompts.items()
        }

    @cached_property
    def num_tokens(self) -> dict[str, int]:
        """CLIP tokens of each image's longest prompt: nothing is left out of it."""
        measure = prompt_counter(self.spec)
        return {r.image_path: measure(longest_prompt(r, self.spec, measure)) for r in self.records}

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
    def resolved_base(self) -> BaseTable:
        """The [base] table as a run reads it: what it leaves open, the checkpoint may say."""
        base = self.spec.base
        if isinstance(self.base, Checkpoint) and self.base.family == base.family:
            return resolve_base(base, self.base)
        prediction = base.prediction_type or FAMILIES[base.family].prediction
        return base.model_copy(update={"prediction_type": prediction})

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

    @property
    def layers(self) -> Sequence[Layer]:
        """Every layer of the base that an adapter may reach."""
        return [
            layer for layers in load_layers(self.size_facts.configs).values() for layer in layers
        ]

    @cached_property
    def weights(self) -> LoraFile | ModelError | None:
        """The LoRA to go on from, why it cannot be used, or None when none is set."""
        name = self.spec.network.weights if self.spec.network.has_adapter else ""
        try:
            return read_lora(find_lora(name, self.project)) if name else None
        except ModelError as error:
            return error

    @cached_property
    def placed(self) -> Sequence[Placed]:
        """The adapter's layers that are trained. Block lists of a wrong length leave nothing."""
        network, spec = self.spec.network, self.spec
        if not network.has_adapter or find_wrong_lengths(network, self.family):
            return []
        file = self.weights if network.dim_from_weights else None
        ranks = file.ranks if isinstance(file, LoraFile) else None
        layers = load_layers(self.size_facts.configs)
        trained = {"unet": spec.trains_unet, "text_encoder": spec.trains_text_encoder}
        return [
            placed
            for part, each in layers.items()
            if trained[part]
            for placed in place_adapters(network, each, ranks)
        ]

    def find_part_of_trigger(self, prompt: str) -> int | None:
        """Index of the comma part that holds the trigger, or None."""
        parts = split_prompt(prompt, self.spec.prompt)
        for index, part in enumerate([*parts.kept, *parts.shuffled, *parts.kept_end]):
            if self._has_trigger(part):
                return index
        return None

    def _prompts_of(self, record: ImageRecord) -> Sequence[str]:
        return prompt_lines(record, self.spec, self._choose_without_trigger)

    def _choose_without_trigger(self, choices: Sequence[str]) -> str:
        return next((text for text in choices if not self._has_trigger(text)), choices[0])

    def _has_trigger(self, text: str) -> bool:
        """Whether the trigger is a word of `text`, or one of the tags that are joined in it."""
        table = self.spec.prompt
        trigger, lowered = self.spec.project.trigger.lower(), text.lower()
        if trigger not in lowered:
            return False
        for mark in filter(None, (table.secondary_separator, table.caption_separator)):
            lowered = lowered.replace(mark.lower(), " ")
        return " " in trigger or trigger in lowered.split()

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
