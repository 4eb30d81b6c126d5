"""What a rule has found, and what a rule is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lorawiz.preflight.fixes import Fix

if TYPE_CHECKING:
    from lorawiz.preflight.inspection import Inspection

Severity = Literal["error", "warning", "info"]
Scope = Literal["project", "machine"]


@dataclass(frozen=True)
class Problem:
    """One thing a rule found: what, and what mends it."""

    message: str
    fix: Fix
    key: str = ""
    """The spec's key that it is about; gives the finding its line."""


@dataclass(frozen=True)
class Finding:
    """A problem with its rule and its place."""

    code: str
    severity: Severity
    scope: Scope
    where: str
    """`lorawiz.toml:14`, or empty."""
    message: str
    fix: Fix
    reason: str
    key: str = ""
    """The setting that it is about."""

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "scope": self.scope,
            "where": self.where,
            "message": self.message,
            "fix": self.fix.text,
            "reason": self.reason,
            "key": self.key,
            "actions": self.fix.as_json(),
        }


@dataclass(frozen=True)
class Rule:
    """One check over a project. `reason` says why it matters."""

    code: str
    severity: Severity
    scope: Scope
    reason: str
    find: Callable[["Inspection"], Iterator[Problem]]


RULES: dict[str, Rule] = {}


def rule(
    code: str, severity: Severity, scope: Scope = "project"
) -> Callable[
    [Callable[["Inspection"], Iterator[Problem]]], Callable[["Inspection"], Iterator[Problem]]
]:
    """Register a function as a rule; its docstring is the reason that the user reads."""

    def register(
        find: Callable[["Inspection"], Iterator[Problem]],
    ) -> Callable[["Inspection"], Iterator[Problem]]:
        assert code not in RULES, f"two rules are called {code}"
        reason = " ".join((find.__doc__ or "").split())
        RULES[code] = Rule(code, severity, scope, reason, find)
        return find

    return register
