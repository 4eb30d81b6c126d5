"""What the check screen shows, without a screen: the findings, the cursor, what is healed."""

from collections.abc import Sequence

from lorawiz.paths import Project
from lorawiz.preflight.finding import Finding
from lorawiz.preflight.fixes import SetSettings
from lorawiz.tui.check.checking import CheckResult, Progress, sign_files

Identity = tuple[str, str, str]
START: Identity = ("", "", "")
"""Of the line that starts the run."""


class CheckSession:
    """The last result, a cursor over its findings, and the check that is under way."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.result: CheckResult | None = None
        self.progress: Progress | None = None
        """Of the check under way; None where none is."""
        self.are_infos_hidden = False
        self.shown: list[Finding] = []
        self._place = 0
        self._healed: set[Identity] = set()
        self._has_chosen = False
        """Whether the user has moved the cursor."""
        self._last_seen: object = None

    # checking

    def begin(self) -> Progress:
        """Note that a check begins; the one before is abandoned."""
        self.abandon()
        self.progress = Progress()
        return self.progress

    def abandon(self) -> None:
        if self.progress is not None:
            self.progress.is_abandoned = True
            self.progress = None

    def take(self, result: CheckResult, progress: Progress) -> bool:
        """Show a result, unless another check has begun since; whether it is shown."""
        if progress is not self.progress:
            return False
        self.progress = None
        kept = self.identity if self._has_chosen else None
        self.result = result
        self._healed.clear()
        self._show(kept)
        return True

    def is_outdated(self) -> bool:
        """Whether files are others than the last check saw, and have been for two looks."""
        if self.result is None or self.progress is not None:
            return False
        signature = sign_files(self.project)
        is_settled, self._last_seen = signature == self._last_seen, signature
        return is_settled and signature != self.result.signature

    @property
    def is_changed(self) -> bool:
        """Whether files are others than the last check saw."""
        return self.result is not None and sign_files(self.project) != self.result.signature

    # findings

    @property
    def current(self) -> Finding | None:
        """The finding at the cursor; None at the line that starts the run."""
        return self.shown[self._place] if self._place < len(self.shown) else None

    @property
    def cursor(self) -> int:
        return self._place

    @property
    def num_lines(self) -> int:
        """The findings and the line that starts the run."""
        return len(self.shown) + 1

    @property
    def identity(self) -> Identity:
        return START if self.current is None else identify(self.current)

    def count(self, severity: str) -> int:
        findings = self.result.findings if self.result is not None else ()
        return sum(finding.severity == severity for finding in findings)

    @property
    def can_start(self) -> bool:
        """Whether a run would start: checked, of the files as they are, and without errors."""
        result = self.result
        is_good = result is not None and result.failure is None and not self.count("error")
        return is_good and self.progress is None

    def is_healed(self, finding: Finding) -> bool:
        """Whether its fix was made since the check; the next one tells whether it helped."""
        return identify(finding) in self._healed

    def note_healed(self, findings: Sequence[Finding]) -> None:
        self._healed |= {identify(finding) for finding in findings}

    def list_settings_fixes(self) -> list[tuple[Finding, SetSettings]]:
        """Every fix that one key makes by settings alone; of two for one key the first."""
        found: list[tuple[Finding, SetSettings]] = []
        taken: set[str] = set()
        for finding in self.shown:
            action = finding.fix.action
            if not isinstance(action, SetSettings) or self.is_healed(finding):
                continue
            keys = {key for key, _ in action.values}
            if not keys & taken:
                taken |= keys
                found.append((finding, action))
        return found

    # moving

    def move(self, step: int) -> None:
        self.go_to(self._place + step)

    def go_to(self, place: int) -> None:
        """Put the cursor there, or as near as there are lines."""
        self._place = max(0, min(place, self.num_lines - 1))
        self._has_chosen = True

    def toggle_infos(self) -> None:
        self.are_infos_hidden = not self.are_infos_hidden
        self._show(self.identity)

    def _show(self, identity: Identity | None) -> None:
        findings = self.result.findings if self.result is not None else ()
        self.shown = [
            finding
            for finding in findings
            if not (self.are_infos_hidden and finding.severity == "info")
        ]
        last = len(self.shown)
        if identity is None:
            # at the worst; where only infos are left, the run is what comes next
            self._place = 0 if self.count("error") or self.count("warning") else last
        elif identity == START:
            self._place = last
        else:
            known = [identify(finding) for finding in self.shown]
            near = min(self._place, max(last - 1, 0)) if self.shown else last
            self._place = known.index(identity) if identity in known else near


def identify(finding: Finding) -> Identity:
    return finding.code, finding.key, finding.message
