"""Where a project stands, step by step: what is done, what is due, and the next command.

Reads what is known already and measures nothing. The wizard, `lorawiz` without a terminal and
`lorawiz --json` all tell this. A Surveyor looks again at what has changed, and at nothing else.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from lorawiz.dataset.evidence import FaceBox, load_faces
from lorawiz.dataset.facts import load_facts
from lorawiz.dataset.problems import find_image_problems
from lorawiz.dataset.records import Dataset
from lorawiz.dataset.settling import settle_dataset
from lorawiz.dataset.store import read_dataset
from lorawiz.errors import DatasetError, LorawizError, SpecError, visible_text
from lorawiz.families import FAMILIES
from lorawiz.paths import Project
from lorawiz.preflight import standing
from lorawiz.preflight.last_check import Sign, load_last_check, sign_path
from lorawiz.preflight.standing import STEPS, Found, Pictures, Step, StepName, visible_lines
from lorawiz.runs.folder import RunFolder, list_runs
from lorawiz.runs.journal import JournalReader
from lorawiz.runs.view import RunView
from lorawiz.spec import Spec, load_spec
from lorawiz.wording import show_count

Made = TypeVar("Made")


@dataclass(frozen=True)
class Survey:
    """All steps, in order; `failure` is what keeps the project from being read whole."""

    name: str
    family: str
    template: str
    steps: Sequence[Step]
    failure: str = ""
    runs: Sequence[RunView] = ()
    """Newest first."""

    @property
    def due(self) -> Step | None:
        """The first step that is due."""
        return next((step for step in self.steps if step.state == "due"), None)

    def find(self, name: StepName) -> Step:
        return next(step for step in self.steps if step.name == name)

    def as_json(self) -> dict[str, Any]:
        due = self.due
        return {
            "name": self.name,
            "family": self.family,
            "template": self.template,
            "due": due.name if due is not None else None,
            "next": due.command if due is not None else "lorawiz run",
            "failure": self.failure,
            "steps": [
                {
                    "name": step.name,
                    "state": step.state,
                    "lines": [str(line) for line in step.lines],
                    "findings": [asdict(each) for each in step.findings],
                    "command": step.command,
                }
                for step in self.steps
            ],
        }


class Surveyor:
    """Surveys one project again and again; keeps what it has read until the files change."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._made: dict[str, tuple[Hashable, object]] = {}
        self._watched: dict[str, tuple[JournalReader, RunView]] = {}

    def survey(self) -> Survey:
        """Look at everything. What cannot be read becomes the finding of its step."""
        spec, dataset = self._read_spec(), self._read_dataset()
        runs = self._read_runs()
        failures = [each for each in (spec, dataset) if isinstance(each, Exception)]
        steps = list(self._look(spec, dataset, runs))
        failure = "\n".join(visible_lines(each) for each in failures)
        if not isinstance(spec, Spec):
            return Survey(visible_text(self._project.root.name), "", "", steps, failure, runs)
        family = FAMILIES[spec.base.family].name
        template = visible_text(spec.project.template)
        return Survey(spec.project.name, family, template, steps, failure, runs)

    def _look(
        self, spec: Spec | Exception, dataset: Dataset | Exception, runs: Sequence[RunView]
    ) -> Iterator[Step]:
        known: dict[StepName, Step] = {
            "check": standing.stand_check(load_last_check(self._project)),
            "run": standing.stand_run(runs),
        }
        if isinstance(spec, Spec):
            known["project"] = standing.stand_project(spec)
            known["base"] = standing.stand_base(self._project, spec)
            known["settings"] = standing.stand_settings(spec)
        else:
            known["settings"] = _cannot_read("settings", spec, "lorawiz get")
        if isinstance(dataset, Exception):
            known["images"] = _cannot_read("images", dataset, "lorawiz add PHOTOS…")
        elif isinstance(spec, Spec):
            known.update(self._look_at_pictures(spec, dataset))
        else:
            known["images"] = standing.stand_images(Pictures(dataset.records, len(dataset.records)))
        for name in STEPS:
            yield known.get(name, Step(name, "unknown"))

    def _look_at_pictures(self, spec: Spec, dataset: Dataset) -> dict[StepName, Step]:
        project, pictures = self._project, self._read_pictures(spec, dataset)
        steps = [
            standing.stand_images(pictures),
            standing.stand_crop(spec, pictures),
            standing.stand_captions(project, spec, pictures),
            standing.stand_tags(project, spec, pictures),
            standing.stand_review(pictures),
            standing.stand_clean(spec, pictures, self._count_changes(spec, dataset)),
        ]
        return {step.name: step for step in steps}

    # reading

    def _recall(self, what: str, key: Hashable, make: Callable[[], Made]) -> Made:
        """What was made before from the same inputs, else made now."""
        kept = self._made.get(what)
        if kept is not None and kept[0] == key:
            return cast(Made, kept[1])
        made = make()
        self._made[what] = key, made
        return made

    def _read_spec(self) -> Spec | SpecError:
        def read() -> Spec | SpecError:
            try:
                return load_spec(self._project.spec)
            except SpecError as error:
                return error

        return self._recall("spec", sign_path(self._project.spec), read)

    def _read_dataset(self) -> Dataset | LorawizError | OSError:
        def read() -> Dataset | LorawizError | OSError:
            try:
                return read_dataset(self._project)
            except (LorawizError, OSError) as error:
                return error

        before = self._sign_dataset()
        dataset = self._recall("dataset", before, read)
        if self._sign_dataset() != before:  # edits were folded in, or somebody wrote meanwhile
            dataset = self._recall("dataset", self._sign_dataset(), read)
        return dataset

    def _sign_dataset(self) -> tuple[Sign, ...]:
        private = self._project.private
        paths = (self._project.dataset, private / "edits.jsonl", private / "folded.json")
        return tuple(sign_path(path) for path in paths)

    def _sign_evidence(self, *kinds: str) -> tuple[Sign, ...]:
        folders = [self._project.evidence / kind for kind in kinds]
        return tuple(sign_path(path) for folder in folders for path in _list(folder))

    def _read_pictures(self, spec: Spec, dataset: Dataset) -> Pictures:
        project, trained = self._project, dataset.trained

        def read_faces() -> dict[str, list[FaceBox]] | None:
            try:
                return load_faces(project, spec.crop.detector)
            except DatasetError:  # damaged evidence: the check tells of it
                return None

        def read() -> Pictures:
            faces, facts = read_faces(), load_facts(project, trained)
            problems = find_image_problems(trained, facts, faces, spec.crop.min_score)
            return Pictures(dataset.records, len(facts), problems, faces)

        signs = (sign_path(project.work / "facts.jsonl"), *self._sign_evidence("faces"))
        return self._recall("pictures", (id(dataset), signs, spec.crop), read)

    def _count_changes(self, spec: Spec, dataset: Dataset) -> int | LorawizError:
        def settle() -> int | LorawizError:
            try:
                return len(settle_dataset(self._project, spec, dataset).changed)
            except LorawizError as error:
                return error

        signs = self._sign_evidence("tags", "captions")
        key = (id(dataset), signs, sign_path(self._project.spec))
        return self._recall("changes", key, settle)

    def _read_runs(self) -> list[RunView]:
        """Newest first; of a journal only what is new is read."""
        runs: list[RunFolder] = []
        with suppress(OSError):  # a run whose folder is being made or deleted
            runs = list_runs(self._project)
        views = []
        for run in reversed(runs):
            if run.run_id not in self._watched:
                self._watched[run.run_id] = JournalReader(run.journal), RunView(run.run_id)
            reader, view = self._watched[run.run_id]
            for event in reader.poll():
                view.apply(event)
            views.append(view)
        return views


def survey_project(project: Project) -> Survey:
    """Look at a project once."""
    return Surveyor(project).survey()


def iter_overview(survey: Survey) -> Iterator[str]:
    """The survey as plain lines, the last one the command that is due."""
    marks = {"done": "✓", "due": "○", "optional": "–", "unknown": "?"}
    yield " · ".join(part for part in (survey.name, survey.template, survey.family) if part)
    for step in survey.steps:
        parts = [str(line) for line in step.lines[:2]]
        if step.findings:
            parts.append(show_count(len(step.findings), "finding"))
        yield f"  {marks[step.state]} {step.name:<9}{', '.join(parts)}".rstrip()
    if survey.failure:
        yield from survey.failure.splitlines()
        return
    due = survey.due
    yield f"  next       {due.command if due is not None else 'lorawiz run'}"


def _cannot_read(name: StepName, error: Exception, command: str) -> Step:
    return Step(name, "due", (), [Found("", visible_lines(error))], command)


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
