"""Choosing the run to compare with, from any screen that shows a run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from lorawiz.errors import LorawizError
from lorawiz.runs.folder import RunFolder, list_runs
from lorawiz.tui.language import tr
from lorawiz.tui.screens.asking import PickScreen
from lorawiz.tui.screens.base import BaseScreen

Result = TypeVar("Result")


class ComparingScreen(BaseScreen[Result]):
    """A screen that can open the comparison of a run with another one of its project."""

    async def pick_and_compare(self, run: RunFolder) -> None:
        """Ask for the other run, unless there is only one; then show both."""
        others = await self.work(lambda: list_others(run))
        if others is None:
            return
        if not others:
            self.notify(tr("there is no other run in this project"), markup=False)
            return
        if len(others) == 1:
            await self._compare(run, others[0])
            return
        by_id = {other.run_id: other for other in others}
        words = [(other.run_id, _tell_age(other)) for other in others]

        async def compare(run_id: str | None) -> None:
            if run_id is not None:
                await self._compare(run, by_id[run_id])

        title = tr("compare {run} with", run=run.run_id)
        self.app.push_screen(PickScreen(title, words), compare)

    async def _compare(self, this: RunFolder, that: RunFolder) -> None:
        # the comparison can pick again, so each knows the other
        from lorawiz.tui.compare.comparison import load_comparison
        from lorawiz.tui.compare.screen import CompareScreen

        comparison = await self.work(lambda: load_comparison(this, that))
        if comparison is not None:
            self.show_comparison(CompareScreen(comparison))

    def show_comparison(self, screen: BaseScreen[None]) -> None:
        """Put the comparison over this screen."""
        self.app.push_screen(screen)


def list_others(run: RunFolder) -> Sequence[RunFolder]:
    """The project's other runs, the newest first. Raises RunError."""
    try:
        runs = list_runs(run.project)
    except FileNotFoundError as error:
        raise LorawizError(f"{error.filename}: {error.strerror}") from error
    return [other for other in reversed(runs) if other.run_id != run.run_id]


def _tell_age(run: RunFolder) -> str:
    """When the run was made, as a wall clock here shows it."""
    made = datetime.fromtimestamp(run.manifest.stat().st_mtime, UTC).astimezone()
    return made.strftime("%Y-%m-%d %H:%M")
