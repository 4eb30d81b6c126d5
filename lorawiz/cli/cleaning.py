"""`lorawiz clean`, `undo` and `redo`: the words of the dataset."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from lorawiz.cli.output import print_json, this_project
from lorawiz.errors import visible_text
from lorawiz.wording import show_count

if TYPE_CHECKING:
    from lorawiz.dataset.cleaning import RuleTrace
    from lorawiz.dataset.records import ImageRecord
    from lorawiz.dataset.settling import Settled
    from lorawiz.dataset.store import Applied
    from lorawiz.dataset.tag_report import TagReport
    from lorawiz.dataset.words import Conflict
    from lorawiz.spec import Spec

JSON = typer.Option(False, "--json", help="Print JSON.")
_MOST_TAGS = 40
_MOST_LINES = 20


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz clean --dry-run && lorawiz clean")(clean)
    app.command(epilog="lorawiz undo")(undo)
    app.command(epilog="lorawiz redo")(redo)


def clean(
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Show the difference by rule, image and tag; change nothing."
    ),
    report: bool = typer.Option(
        False, "--report", help="Count tags: frequent, rare, constant, paired, contradicting."
    ),
    as_json: bool = JSON,
) -> None:
    """Replay the spec's cleaning rules over what was tagged and brought; edits by hand win."""
    from lorawiz.dataset.settling import settle_dataset
    from lorawiz.dataset.store import change_dataset, read_dataset
    from lorawiz.spec import load_spec

    project = this_project()
    spec = load_spec(project.spec)
    if report:
        _print_report(read_dataset(project).trained, spec, as_json)
        return
    traces: list[RuleTrace] = []
    settled = settle_dataset(project, spec, read_dataset(project), traces.append)
    if not dry_run:
        new = {after.image_path: after for _, after in settled.changed}
        # only lines that are still as they were seen: an edit of this very moment wins
        old = {before.image_path: before for before, _ in settled.changed}
        change_dataset(
            project,
            "clean",
            lambda dataset: [
                new[r.image_path] for r in dataset.records if r == old.get(r.image_path)
            ],
        )
    if as_json:
        print_json(_as_json(settled, traces))
        return
    for line in _iter_lines(settled, traces, dry_run):
        typer.echo(line)


def undo(as_json: bool = JSON) -> None:
    """Take the last change of captions, tags, crops or masks back."""
    from lorawiz.dataset import store

    _tell(store.undo(this_project()), as_json)


def redo(as_json: bool = JSON) -> None:
    """Do the change again that was undone last."""
    from lorawiz.dataset import store

    _tell(store.redo(this_project()), as_json)


def _tell(applied: "Applied", as_json: bool) -> None:
    assert applied.header is not None
    if as_json:
        print_json(
            {
                "what": applied.header.what,
                "changed": applied.num_changed,
                "gave_way": list(applied.gave_way),
            }
        )
        return
    what = visible_text(applied.header.what)
    typer.echo(f"{what}: {show_count(applied.num_changed, 'image')}")
    for path in applied.gave_way:
        typer.echo(f"  {visible_text(path)}: changed since, left as it is", err=True)


def _iter_lines(settled: "Settled", traces: "Sequence[RuleTrace]", dry_run: bool) -> Iterator[str]:
    for trace in traces:
        yield trace.in_words()
    if dry_run:
        for before, after in settled.changed:
            yield from _diff(before, after)
    for conflict in settled.conflicts[:_MOST_LINES]:
        yield f"by hand: {_describe(conflict)}"
    rest = len(settled.conflicts) - _MOST_LINES
    if rest > 0:
        yield f"by hand: {rest} more (lorawiz clean --json lists them)"
    verb = "would change" if dry_run else "changed"
    yield f"{show_count(len(settled.changed), 'image')} {verb}"


def _diff(before: "ImageRecord", after: "ImageRecord") -> Iterator[str]:
    """`IMG_0012.jpg  -brown hair +lyq`, and the caption where it changes."""
    gone = [f"-{tag}" for tag in before.tags if tag not in after.tags]
    come = [f"+{tag}" for tag in after.tags if tag not in before.tags]
    moved = ["(new order)"] if before.tags != after.tags and not gone and not come else []
    name = visible_text(before.image_path.rpartition("/")[2])
    if gone or come or moved:
        yield f"{name}  {visible_text('  '.join([*gone, *come, *moved]))}"
    if before.caption != after.caption:
        yield f"{name}  caption -{visible_text(before.caption)}"
        yield f"{' ' * len(name)}          +{visible_text(after.caption)}"


def _describe(conflict: "Conflict") -> str:
    name = visible_text(conflict.image_path.rpartition("/")[2])
    tag = visible_text(conflict.tag)
    return {
        "added": f"{name} keeps {tag}, which a rule takes out",
        "removed": f"{name} goes without {tag}, which a rule puts in",
        "caption": f"{name} keeps its caption, the model wrote another",
    }[conflict.kind]


def _as_json(settled: "Settled", traces: "Sequence[RuleTrace]") -> object:
    return {
        "rules": [
            {
                "number": trace.number,
                "rule": trace.rule.rule,
                "num_images": trace.num_images,
                "removed": dict(trace.removed),
                "added": dict(trace.added),
            }
            for trace in traces
        ],
        "changes": [
            {
                "image_path": after.image_path,
                "tags": [list(before.tags), list(after.tags)],
                "caption": [before.caption, after.caption],
            }
            for before, after in settled.changed
        ],
        "conflicts": [
            {"image_path": each.image_path, "tag": each.tag, "kind": each.kind}
            for each in settled.conflicts
        ],
    }


def _print_report(records: "Sequence[ImageRecord]", spec: "Spec", as_json: bool) -> None:
    from lorawiz.dataset.prompts import longest_prompt
    from lorawiz.dataset.tag_report import TagReport
    from lorawiz.families.clip.counting import prompt_counter

    counted = TagReport(records, spec.project.trigger)
    measure = prompt_counter(spec)
    num_tokens = sorted(measure(longest_prompt(record, spec, measure)) for record in records)
    if as_json:
        print_json({**counted.as_json(), "prompt_tokens": num_tokens})
        return
    for line in _iter_report(counted, num_tokens, spec.prompt.max_token_length):
        typer.echo(line)


def _iter_report(counted: "TagReport", num_tokens: Sequence[int], most_read: int) -> Iterator[str]:
    if num_tokens:
        middle = num_tokens[len(num_tokens) // 2]
        yield (
            f"prompts of {num_tokens[0]} to {num_tokens[-1]} tokens, half of them up to {middle}; "
            f"{most_read} are read"
        )
    yield f"{show_count(len(counted.counts), 'tag')} in {show_count(counted.num_tagged, 'image')}"
    looks = set(counted.constant_looks)
    for count in counted.counts[:_MOST_TAGS]:
        mark = "  id? the person's own look" if count.tag in looks else ""
        yield f"  {count.num_images:>6}  {count.share:>4.0%}  {visible_text(count.tag)}{mark}"
    rest = len(counted.counts) - _MOST_TAGS
    if rest > 0:
        yield f"          {rest} more (--json lists them)"
    if looks:
        yield 'constant looks: let the trigger mean them with [[clean]] rule = "absorb"'
    if counted.rare:
        yield f"on one image alone: {_some(counted.rare)}"
    if counted.pairs:
        shown = [f"{p.one} + {p.other} ({p.num_images})" for p in counted.pairs[:8]]
        yield f"seldom apart: {_some(shown, 8)}"
    for found in counted.contradictions[:_MOST_LINES]:
        name = found.image_path.rpartition("/")[2]
        said = f"{name}: the caption says {found.caption}, the tags say {', '.join(found.tags)}"
        yield visible_text(said)


def _some(words: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(visible_text(word) for word in words[:most])
    rest = len(words) - most
    return f"{shown} and {rest} more" if rest > 0 else shown
