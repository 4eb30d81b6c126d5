"""Which step's samples are looked at: the newest until somebody moves."""

from collections.abc import Sequence

from lorawiz.runs.logs import SampleFile


class SampleSlider:
    """The samples of a run by their steps, and the step that is chosen."""

    def __init__(self) -> None:
        self._samples: list[SampleFile] = []
        self._by_step: dict[int, list[SampleFile]] = {}
        self.steps: list[int] = []
        """The steps with samples, in order."""
        self._chosen: int | None = None
        """None: the newest, also when a newer one comes."""

    def take_in(self, samples: Sequence[SampleFile]) -> None:
        """Know `samples`, all that the run has so far."""
        if len(samples) == len(self._samples) and samples[-1:] == self._samples[-1:]:
            return
        self._samples = list(samples)
        self._by_step = {}
        for sample in sorted(samples, key=lambda sample: (sample.step, sample.index)):
            self._by_step.setdefault(sample.step, []).append(sample)
        self.steps = list(self._by_step)

    @property
    def is_following(self) -> bool:
        """Whether the newest step is shown, and will be when there is a newer one."""
        return self._chosen is None

    @property
    def index(self) -> int:
        """Where the chosen step is among `steps`; -1 without any."""
        if self._chosen in self._by_step:
            return self.steps.index(self._chosen)
        return len(self.steps) - 1

    @property
    def chosen(self) -> tuple[SampleFile, ...]:
        """The samples of the chosen step, by their prompts."""
        return tuple(self._by_step[self.steps[self.index]]) if self.steps else ()

    def list_back(self, num: int) -> list[tuple[SampleFile, ...]]:
        """The chosen step's samples, then those of the steps before, at most `num` steps."""
        at = self.index
        steps = self.steps[max(at - num + 1, 0) : at + 1] if self.steps else []
        return [tuple(self._by_step[step]) for step in reversed(steps)]

    def move(self, by: int) -> bool:
        """Go to a later (1) or an earlier (-1) step; whether that is another one."""
        return self.move_to(self.index + by)

    def move_to(self, index: int) -> bool:
        """Go to the step of that index, or to the nearest; the last one means to follow."""
        before = self.index
        at = min(max(index, 0), len(self.steps) - 1)
        self._chosen = None if at >= len(self.steps) - 1 else self.steps[at]
        return at != before
