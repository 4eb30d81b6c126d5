"""The last step: runs are started and resumed as by `lorawiz run`, and watched in their panel."""

from lorawiz.errors import LorawizError, visible_text
from lorawiz.preflight.survey import Survey
from lorawiz.runs.folder import RunFolder, list_runs
from lorawiz.runs.locks import find_active_run
from lorawiz.runs.view import ON, RunView
from lorawiz.tui.follow import RunFollower
from lorawiz.tui.language import tr
from lorawiz.tui.screens.asking import PickScreen
from lorawiz.tui.screens.dialogs import Choice, ChoiceScreen
from lorawiz.tui.wizard.modelling import ModellingScreen


class LaunchingScreen(ModellingScreen):
    """The check and the launch are a job; the trainer then belongs to nobody."""

    survey: Survey | None

    @property
    def newest(self) -> RunView | None:
        runs = self.survey.runs if self.survey is not None else ()
        return runs[0] if runs else None

    @property
    def can_resume(self) -> bool:
        """Whether the newest run has neither finished nor is on."""
        return self.newest is not None and self.newest.state() not in (*ON, "finished")

    async def open_run(self) -> None:
        """Join the run that is on; else ask what is wanted; start where there is none."""
        newest = self.newest
        if newest is None:
            self.start_run()
        elif newest.state() in ON:
            await self.watch_run(newest.run_id)
        else:
            self._ask_what(newest)

    def _ask_what(self, newest: RunView) -> None:
        run, state = visible_text(newest.run_id), newest.state()
        choices = [Choice("s", tr("start a new run"), "start")]
        if self.can_resume:
            step = tr("go on with {run}, behind step {step}", run=run, step=newest.state_step or 0)
            choices.insert(0, Choice("z", step, "resume"))
        choices += [
            Choice("w", tr("look at {run}", run=run), "watch"),
            Choice("escape", tr("nothing"), ""),
        ]

        async def obey(answer: str | None) -> None:
            if answer == "start":
                self.start_run()
            elif answer == "resume":
                self.action_resume()
            elif answer == "watch":
                await self.watch_run(newest.run_id)

        self.app.push_screen(ChoiceScreen(f"{run}: {state}", choices), obey)

    def action_attach(self) -> None:
        """Pick one of all runs, newest first."""
        views = self.survey.runs if self.survey is not None else ()
        words = [(view.run_id, f"{view.state()}  {view.step}/{view.total_steps}") for view in views]

        async def obey(run_id: str | None) -> None:
            if run_id is not None:
                await self.watch_run(run_id)

        self.app.push_screen(PickScreen(tr("which run?"), words), obey)

    def action_start(self) -> None:
        self.start_run()

    def start_run(self) -> None:
        newest = self.newest
        if newest is not None and newest.state() in ON:
            run = visible_text(newest.run_id)
            self.say(tr("{run} is still on: ⏎ shows it", run=run), "warning")
            return
        before = {run.run_id for run in self._list_runs()}

        async def watch(has_started: bool | None) -> None:
            self.came_back()
            new = [run.run_id for run in self._list_runs() if run.run_id not in before]
            started = find_active_run(self.project) or (new[-1] if new else None)
            if has_started and started is not None:
                await self.watch_run(started)

        self.run_job(["run", "--detach"], tr("checking, then starting the run"), watch, False)

    def action_resume(self) -> None:
        newest = self.newest
        assert newest is not None

        async def watch(has_started: bool | None) -> None:
            self.came_back()
            if has_started:
                await self.watch_run(newest.run_id)

        title = tr("going on with {run}", run=visible_text(newest.run_id))
        self.run_job(["run", newest.run_id, "--resume", "--detach"], title, watch, False)

    def _list_runs(self) -> list[RunFolder]:
        try:
            return list_runs(self.project)
        except OSError:
            return []

    async def watch_run(self, run_id: str) -> None:
        """The panel of a run."""
        from lorawiz.runs.folder import find_run
        from lorawiz.tui.screens.run import RunScreen

        try:
            follower = RunFollower(find_run(self.project, run_id))
        except (LorawizError, OSError) as error:
            self.complain(error)
            return
        self.app.push_screen(RunScreen(follower, self.image_widget), self.came_back)
