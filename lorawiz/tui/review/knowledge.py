"""What models and measurements say about the images: read from files, never computed anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lorawiz.dataset.cleaning import apply_rules
from lorawiz.dataset.evidence import FaceBox, load_faces
from lorawiz.dataset.facts import load_facts
from lorawiz.dataset.problems import ImageProblem, find_image_problems
from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.settling import load_raw_words
from lorawiz.dataset.words import PartWords
from lorawiz.paths import Project
from lorawiz.spec import Spec


@dataclass(frozen=True)
class Knowledge:
    """By image path; empty until it was read."""

    problems: Mapping[str, Sequence[ImageProblem]] = field(default_factory=dict)
    faces: Mapping[str, Sequence[FaceBox]] | None = None
    """None when nobody has looked for any."""
    machine: Mapping[str, PartWords] = field(default_factory=dict)
    """The words that models and rules give."""


def load_knowledge(project: Project, spec: Spec, records: Sequence[ImageRecord]) -> Knowledge:
    """Read everything; takes seconds for 100,000 images. Raises LorawizError and OSError."""
    faces = load_faces(project, spec.crop.detector)
    problems = find_problems(project, spec, records, faces)
    return Knowledge(problems, faces, _find_machine_words(project, spec, records))


def find_problems(
    project: Project,
    spec: Spec,
    records: Sequence[ImageRecord],
    faces: Mapping[str, Sequence[FaceBox]] | None,
) -> dict[str, Sequence[ImageProblem]]:
    """What is wrong with those that are trained, as `lorawiz check` tells it."""
    trained = [record for record in records if record.is_trained]
    facts = load_facts(project, trained)
    by_path: dict[str, list[ImageProblem]] = {}
    for problem in find_image_problems(trained, facts, faces, spec.crop.min_score):
        by_path.setdefault(problem.image_path, []).append(problem)
    return dict(by_path)


def _find_machine_words(
    project: Project, spec: Spec, records: Sequence[ImageRecord]
) -> dict[str, PartWords]:
    raw = load_raw_words(project, spec, records)
    cleaned = apply_rules(raw, spec.clean, spec.project)
    machine: dict[str, PartWords] = {}
    for record in records:
        words = raw.get(record.image_path)
        if words is None:
            continue
        said = cleaned[record.image_path]
        # most images have just these words: one object for both
        tags = record.tags if said.tags == record.tags else said.tags
        # of a part that neither a model nor the user's files speak of, nothing is known
        machine[record.image_path] = PartWords(
            said.caption if words.caption else None, tags if words.tags else None
        )
    return machine
