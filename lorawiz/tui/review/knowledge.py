"""What models and measurements say about the images: read from files, never computed anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lorawiz.dataset.cleaning import RawWords, apply_rules
from lorawiz.dataset.evidence import FaceBox, load_faces
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
    sharpness: Mapping[str, float] = field(default_factory=dict)
    """As dataset/facts.py measures it."""


def load_knowledge(project: Project, spec: Spec, records: Sequence[ImageRecord]) -> Knowledge:
    """Read everything; takes seconds for 100,000 images. Raises LorawizError and OSError."""
    faces = load_faces(project, spec.crop.detector)
    looked = look_at_images(project, spec, records, faces)
    raw = load_raw_words(project, spec, records)
    return replace(looked, machine=find_machine_words(raw, spec, records))


def look_at_images(
    project: Project,
    spec: Spec,
    records: Sequence[ImageRecord],
    faces: Mapping[str, Sequence[FaceBox]] | None,
) -> Knowledge:
    """What measurements say of all, and what is wrong with those that are trained.

    Problems are as `lorawiz check` tells them; of words nothing is known here.
    """
    from lorawiz.dataset.facts import load_facts  # numpy: the first picture does without

    facts = load_facts(project, records)
    trained = [record for record in records if record.is_trained]
    by_path: dict[str, list[ImageProblem]] = {}
    for problem in find_image_problems(trained, facts, faces, spec.crop.min_score):
        by_path.setdefault(problem.image_path, []).append(problem)
    sharpness = {image_path: each.sharpness for image_path, each in facts.items()}
    return Knowledge(dict(by_path), faces, sharpness=sharpness)


def find_machine_words(
    raw: Mapping[str, RawWords], spec: Spec, records: Sequence[ImageRecord]
) -> dict[str, PartWords]:
    """The words that models and rules give, by image path."""
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
