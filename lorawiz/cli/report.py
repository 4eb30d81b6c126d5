"""The check's report as lines: the plan, then the findings, worst first."""

from collections.abc import Iterator

from lorawiz.errors import visible_text
from lorawiz.preflight.check import Report
from lorawiz.preflight.finding import Finding
from lorawiz.preflight.rules.schedule import describe_steps
from lorawiz.wording import show_bytes, show_count, show_duration

MARKS = {"error": "✗", "warning": "⚠", "info": "·"}


def iter_report_lines(report: Report) -> Iterator[str]:
    """The whole report as it is printed."""
    yield from _plan_lines(report)
    yield ""
    for finding in report.findings:
        yield from finding_lines(finding)
    for text in report.not_checked:
        yield f"– not checked here: {text}"
    yield summary_line(report)


def finding_lines(finding: Finding) -> Iterator[str]:
    """A finding: what and where, then the fix."""
    where = f"{finding.where}: " if finding.where else ""
    yield f"{MARKS[finding.severity]} {where}{finding.message}  [{finding.code}]"
    for line in finding.fix.splitlines():
        yield f"    {line}"


def summary_line(report: Report) -> str:
    """`ok, 2 warnings`."""
    counts = {"error": len(report.errors), "warning": len(report.warnings)}
    said = [show_count(count, word) for word, count in counts.items() if count]
    return ", ".join(said if report.errors else ["ok", *said])


def _plan_lines(report: Report) -> Iterator[str]:
    plan, spec = report.plan, report.inspection.spec
    base = visible_text(spec.base.checkpoint) or "not set"
    yield f"{spec.project.name} · {spec.base.family} · base {base}"
    yield ""
    for (width, height), count in plan.buckets.items():
        yield f"  bucket   {f'{width}×{height}':>10}  {show_count(count, 'image'):>10}"
    yield f"  steps    {plan.total_steps:>10}  {describe_steps(report.inspection)}"
    yield (
        f"  LoRA     {show_bytes(plan.lora_bytes):>10}  × {show_count(plan.num_saves, 'file')}, "
        f"{plan.num_lora_parameters:,} parameters"
    )
    yield f"  state    {show_bytes(plan.state_bytes):>10}  to resume from, the last two are kept"
    yield f"  latents  {show_bytes(plan.latents_bytes):>10}  cached in work/"
    yield f"  disk     {show_bytes(plan.disk_bytes):>10}  in all at most, without samples"
    yield f"  memory   {show_bytes(plan.memory_bytes):>10}  estimate"
    time = show_duration(plan.time_s) if plan.time_s is not None else "?"
    yield f"  time     {time:>10}  {plan.time_source}"
