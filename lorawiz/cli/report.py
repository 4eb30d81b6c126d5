"""The check's report as it is printed: the plan, then the findings, worst first."""

from collections.abc import Iterator

from lorawiz.preflight.check import Report
from lorawiz.preflight.report_lines import finding_lines, plan_lines, summary_line


def iter_report_lines(report: Report) -> Iterator[str]:
    """The whole report."""
    yield from plan_lines(report)
    yield ""
    for finding in report.findings:
        yield from finding_lines(finding)
    for text in report.not_checked:
        yield f"– not checked here: {text}"
    yield summary_line(report)
