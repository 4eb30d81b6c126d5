"""Running the rules over a project."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import RunError
from lorawiz.paths import Project
from lorawiz.preflight import rules
from lorawiz.preflight.finding import RULES, Finding
from lorawiz.preflight.forecasts import can_forecast, make_forecast
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.machine import look_at_machine
from lorawiz.preflight.plan import Plan, build_plan
from lorawiz.spec import Spec

_RANK = {"error": 0, "warning": 1, "info": 2}
assert rules  # imported to fill the table


@dataclass(frozen=True)
class Report:
    """All findings, worst first, and the plan."""

    inspection: Inspection
    findings: Sequence[Finding]
    not_checked: Sequence[str]
    """What needs a part of lorawiz that is not installed here."""
    plan: Plan

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "warning"]

    @property
    def records(self) -> Sequence[ImageRecord]:
        return self.inspection.all_records

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": not self.errors,
            "findings": [finding.as_json() for finding in self.findings],
            "not_checked": list(self.not_checked),
            "images": [
                {"image_path": each.image_path, "code": each.code, "message": each.message}
                for each in self.inspection.image_problems
            ],
            "plan": self.plan.as_json(),
        }


def check_project(
    project: Project,
    spec: Spec,
    for_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    with_forecast: bool = False,
) -> Report:
    """Evaluate every rule. What concerns this machine is a warning, unless it is for a run.

    With a forecast, the memory of a base of full size is foretold first, which takes seconds.
    `on_progress` is told how many rules are done; what it raises ends the check.
    """
    inspection = Inspection(project, spec, look_at_machine(project))
    if with_forecast and inspection.size == "full" and can_forecast(inspection):
        with suppress(RunError):  # the estimate stands then
            make_forecast(inspection)
    findings = []
    for number, each in enumerate(RULES.values()):
        on_progress(number, len(RULES))
        for problem in each.find(inspection):
            where = inspection.where(problem.key)
            findings.append(
                Finding(
                    each.code, each.severity, each.scope, where, problem.message, problem.fix,
                    each.reason, problem.key,
                )
            )  # fmt: skip
    if not for_run:
        findings = [_on_this_machine_only(finding) for finding in findings]
    findings.sort(key=lambda finding: _RANK[finding.severity])
    return Report(inspection, findings, _not_checked(inspection), build_plan(inspection))


def _on_this_machine_only(finding: Finding) -> Finding:
    if finding.scope == "machine" and finding.severity == "error":
        return replace(finding, severity="warning")
    return finding


def _not_checked(inspection: Inspection) -> list[str]:
    if inspection.machine.torch is not None:
        return []
    return ["precision and memory of this machine: needs the extra 'train'"]
