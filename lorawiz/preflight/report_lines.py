"""The check's report in rows and lines, as commands print it and screens show it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lorawiz.errors import visible_text
from lorawiz.preflight.check import Report
from lorawiz.preflight.finding import Finding
from lorawiz.preflight.rules.schedule import describe_steps
from lorawiz.wording import show_bytes, show_count, show_duration

MARKS = {"error": "✗", "warning": "⚠", "info": "·"}


@dataclass(frozen=True)
class PlanRow:
    """One figure of the plan: `memory  9.4 GB  estimate`."""

    label: str
    figure: str
    note: str
    is_note_figure: bool = False
    """Whether the note is a count, which is right-aligned too."""


def iter_plan_rows(report: Report) -> Iterator[PlanRow]:
    """What the run will do and cost; a row a bucket first."""
    plan = report.plan
    for (width, height), count in plan.buckets.items():
        yield PlanRow("bucket", f"{width}×{height}", show_count(count, "image"), True)
    if plan.num_class_images:
        note = "of the class, seen as often as the others"
        yield PlanRow("class", show_count(plan.num_class_images, "image"), note)
    if plan.num_held_out:
        yield PlanRow("held out", str(plan.num_held_out), "measured, never trained")
    yield PlanRow("steps", str(plan.total_steps), describe_steps(report.inspection))
    for product in plan.products:
        saves = show_count(plan.num_saves, "folder" if product.is_folder else "file")
        yield PlanRow(
            product.label,
            show_bytes(product.file_bytes),
            f"× {saves}, {product.num_parameters:,} parameters",
        )
    yield PlanRow("state", show_bytes(plan.state_bytes), "to resume from, the last two are kept")
    yield PlanRow("latents", show_bytes(plan.latents_bytes), "cached in work/")
    yield PlanRow("disk", show_bytes(plan.disk_bytes), "in all at most, without samples")
    yield PlanRow("memory", show_bytes(plan.memory_bytes), plan.memory_source)
    yield PlanRow("time", describe_time(report), plan.time_source)


def describe_time(report: Report) -> str:
    """How long the run takes, or `?`."""
    time_s = report.plan.time_s
    return show_duration(time_s) if time_s is not None and math.isfinite(time_s) else "?"


def describe_inputs(report: Report) -> str:
    """`lyq · sd15 · base v1-5.safetensors`."""
    spec = report.inspection.spec
    base = visible_text(spec.base.checkpoint) or "not set"
    return f"{visible_text(spec.project.name)} · {spec.base.family} · base {base}"


def plan_lines(report: Report) -> Iterator[str]:
    """The plan as it is printed."""
    yield describe_inputs(report)
    yield ""
    for row in iter_plan_rows(report):
        note = f"{row.note:>10}" if row.is_note_figure else row.note
        yield f"  {row.label:<8} {row.figure:>10}  {note}"


def finding_lines(finding: Finding) -> Iterator[str]:
    """A finding: what and where, then the fix."""
    where = f"{finding.where}: " if finding.where else ""
    yield f"{MARKS[finding.severity]} {where}{finding.message}  [{finding.code}]"
    for line in finding.fix.text.splitlines():
        yield f"    {line}"


def summary_line(report: Report) -> str:
    """`ok, 2 warnings`."""
    counts = {"error": len(report.errors), "warning": len(report.warnings)}
    said = [show_count(count, word) for word, count in counts.items() if count]
    return ", ".join(said if report.errors else ["ok", *said])
