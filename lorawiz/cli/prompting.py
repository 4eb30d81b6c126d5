"""`lorawiz prompts`: the exact prompts that the trainer will see."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from lorawiz.cli.output import this_project
from lorawiz.errors import DatasetError, LorawizError, visible_text
from lorawiz.wording import show_count

if TYPE_CHECKING:
    from lorawiz.dataset.batches import Item
    from lorawiz.dataset.records import Dataset, ImageRecord
    from lorawiz.paths import Project
    from lorawiz.spec import Spec


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz prompts --epoch 1-3 --filter 'tokens:>75 or -tag:lyq'")(prompts)


def prompts(
    epoch: str = typer.Option(
        "1", "--epoch", metavar="N", help="An epoch, a range such as 1-3, or all."
    ),
    image: list[str] = typer.Option(
        [], "--image", metavar="NAME", help="Only this image; can be repeated."
    ),
    filter_text: str = typer.Option(
        "",
        "--filter",
        metavar="TEXT",
        help="Only images that match: tokens:>75, -tag:smile, by:hand.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print the exact prompts that the trainer will see, by image and epoch.

    What stays in place when tags are shuffled stands in [brackets].
    """
    from lorawiz.dataset.batches import count_steps
    from lorawiz.dataset.holdout import split_records
    from lorawiz.dataset.store import read_dataset
    from lorawiz.spec import load_spec

    project = this_project()
    spec, dataset = load_spec(project.spec), read_dataset(project)
    split = split_records(spec, dataset.trained)
    records = split.trained
    chosen = {_find_record(name, dataset).image_path for name in image}
    if not records:
        raise DatasetError("there are no images to train on", "lorawiz add PHOTOS…")
    for record in split.held_out:
        if record.image_path in chosen:
            raise DatasetError(
                f"{visible_text(record.image_path)} is held out for validation: never trained",
                "lorawiz set validation.split 0 trains all images",
            )
    if filter_text:
        matching = _find_matching(filter_text, project, spec, records)
        chosen = chosen & matching if chosen else matching
        if not chosen:
            raise DatasetError(f"no image matches {visible_text(filter_text)!r}")
    epochs = _parse_epochs(epoch, count_steps(spec, records).num_epochs, spec)
    shown = _iter_items(spec, records, chosen, epochs)
    lines = _iter_json(shown, spec) if as_json else _iter_lines(shown, spec)
    for line in lines:
        typer.echo(line)


def _find_matching(
    text: str, project: "Project", spec: "Spec", records: "Sequence[ImageRecord]"
) -> set[str]:
    """Paths of the images that a filter means. Raises DatasetError for one that is none."""
    from lorawiz.dataset.evidence import load_faces
    from lorawiz.dataset.facts import load_facts
    from lorawiz.dataset.filters import FilterFacts, parse_filter
    from lorawiz.dataset.problems import find_image_problems
    from lorawiz.dataset.prompts import longest_prompt
    from lorawiz.families.clip.counting import prompt_counter

    wanted = parse_filter(text)
    faces = load_faces(project, spec.crop.detector)
    facts = load_facts(project, records)
    findings: dict[str, set[str]] = {}
    for problem in find_image_problems(records, facts, faces, spec.crop.min_score):
        findings.setdefault(problem.image_path, set()).add(problem.code)

    measure = prompt_counter(spec)

    def count_tokens(record: "ImageRecord") -> int:
        return measure(longest_prompt(record, spec, measure))

    def matches(record: "ImageRecord") -> bool:
        found = None if faces is None else faces.get(record.image_path)
        num_faces = None if found is None else len(found)
        codes = findings.get(record.image_path, set())
        return wanted.matches(FilterFacts(record, codes, num_faces, count_tokens))

    return {record.image_path for record in records if matches(record)}


def _iter_items(
    spec: "Spec", records: "Sequence[ImageRecord]", chosen: set[str], epochs: range
) -> "Iterator[Item]":
    """Views by epoch, then sorted by image; says which are not reached."""
    from lorawiz.dataset.batches import count_views, iter_epoch

    wanted = [r for r in records if not chosen or r.image_path in chosen]
    num_views = count_views(spec, records, wanted)
    for epoch in epochs:
        plans = iter_epoch(spec, records, epoch)
        views = [item for plan in plans for batch in plan.batches for item in batch]
        if chosen:
            views = [item for item in views if item.record.image_path in chosen]
        views.sort(key=lambda item: (item.record.image_path, item.repeat))
        yield from views
        unseen = num_views - len(views)
        if unseen:
            typer.echo(
                f"the run ends in epoch {epoch}: {show_count(unseen, 'prompt')} of it never seen",
                err=True,
            )


def _iter_lines(items: "Iterator[Item]", spec: "Spec") -> Iterator[str]:
    """`IMG_0012.jpg  epoch 1  step 17  23/75  [a woman, lyq] smile, hat`."""
    from lorawiz.families.clip.counting import prompt_counter

    measure, num_repeats = prompt_counter(spec), spec.dataset.num_repeats
    for item in items:
        drawn = item.draw_prompt(spec)
        name = visible_text(item.record.image_path.rpartition("/")[2])
        repeat = f"  repeat {item.repeat + 1}/{num_repeats}" if num_repeats > 1 else ""
        num_tokens = measure(drawn.text)
        if drawn.is_dropped:
            text = "(empty: caption dropout)"
        elif not drawn.text:
            text = "(empty)"
        else:
            text = visible_text(drawn.in_brackets())
        yield (
            f"{name}  epoch {item.epoch}{repeat}  step {item.at.step}  "
            f"{num_tokens}/{spec.prompt.max_token_length}  {text}"
        )


def _iter_json(items: "Iterator[Item]", spec: "Spec") -> Iterator[str]:
    """A JSON list, a line an object, so that a large one is never held in memory."""
    from lorawiz.dataset.records import dump_json_line

    mark = "["
    for item in items:
        yield f"{mark}{dump_json_line(_as_json(item, spec)).decode().rstrip()}"
        mark = ","
    yield "]" if mark == "," else "[]"


def _as_json(item: "Item", spec: "Spec") -> dict[str, Any]:
    from lorawiz.families.clip.counting import prompt_counter

    drawn = item.draw_prompt(spec)
    parts = drawn.parts
    return {
        "image_path": item.record.image_path,
        "epoch": item.epoch,
        "repeat": item.repeat + 1,
        "step": item.at.step,
        "prompt": drawn.text,
        "num_tokens": prompt_counter(spec)(drawn.text),
        "kept": [*parts.kept, *parts.kept_end] if parts else [],
        "is_dropped": drawn.is_dropped,
    }


def _find_record(name: str, dataset: "Dataset") -> "ImageRecord":
    """The image of that path or file name. Raises DatasetError."""
    for record in dataset.records:
        if name in (record.image_path, record.image_path.rpartition("/")[2]):
            if record.is_trained:
                return record
            why = record.reason or "rejected"
            raise DatasetError(
                f"{visible_text(name)} is not trained: {visible_text(why)}",
                "lorawiz prompts shows those that are",
            )
    raise DatasetError(f"{visible_text(name)}: no such image here", _hint_image(name, dataset))


def _hint_image(name: str, dataset: "Dataset") -> str:
    import difflib

    names = [record.image_path.rpartition("/")[2] for record in dataset.records]
    nearest = difflib.get_close_matches(name.rpartition("/")[2], names, n=1)
    if nearest:
        return f"did you mean {visible_text(nearest[0])}?"
    return "lorawiz prompts lists all images"


def _parse_epochs(text: str, num_epochs: int, spec: "Spec") -> range:
    """`3`, `1-3` or `all`, within the run. Raises LorawizError."""
    if text == "all":
        return range(1, num_epochs + 1)
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last:
        raise LorawizError(
            f"--epoch {visible_text(text)}: neither an epoch, counted from 1, nor a range",
            "lorawiz prompts --epoch 1-3",
        )
    if last > num_epochs:
        key = "max_train_epochs" if spec.train.max_train_epochs else "max_train_steps"
        raise LorawizError(
            f"there is no epoch {last}: the run has {show_count(num_epochs, 'epoch')} "
            f"(train.{key} = {getattr(spec.train, key)})",
            f"lorawiz prompts --epoch {num_epochs}",
        )
    return range(first, last + 1)
