"""A run as plain lines: for pipes, logs, and terminals that want no panel."""

from collections.abc import Iterator

from lorawiz.errors import visible_text
from lorawiz.runs.journal import Event
from lorawiz.runs.view import RunView
from lorawiz.wording import show_bytes, show_count, show_duration, show_speed

_LINES_A_RUN = 12
"""About how many step lines a run prints."""
_SHORT = {"validation": "valid"}


class LinePrinter:
    """Turns events into lines; keeps the view that they add up to."""

    def __init__(self, run_id: str) -> None:
        self.view = RunView(run_id)
        self._phase = ""

    def lines_of(self, event: Event) -> Iterator[str]:
        """The lines that `event` is worth, often none."""
        self.view.apply(event)
        text = self._text(event)
        if text:
            kind: str = event["event"]
            if kind == "end":
                kind = "done" if self.view.outcome == "finished" else self.view.outcome or "end"
            kind = _SHORT.get(kind, kind)
            yield f"{self.view.run_id}  {kind:<7} {text}"

    def _text(self, event: Event) -> str:  # noqa: PLR0911 - one line a kind of event
        match event["event"]:
            case "start":
                return self._start_text(event)
            case "device":
                return visible_text(event["name"])
            case "phase":
                return self._phase_text(event)
            case "step":
                return self._step_text()
            case "save":
                return f"{visible_text(event['path'])}  {show_bytes(event['num_bytes'])}"
            case "sample":
                return f"{visible_text(event['path'])}  {visible_text(event['prompt'])}"
            case "warning":
                return visible_text(event["message"])
            case "end":
                return self._end_text()
        return self._rare_text(event)

    def _rare_text(self, event: Event) -> str:
        match event["event"]:
            case "pause":
                self._phase = self.view.phase
                return f"behind step {event['step']}; lorawiz pause --off goes on"
            case "resume":
                return f"goes on behind step {event['step']}"
            case "validation":
                std = f" (±{float(event['std']):.4f})" if "std" in event else ""
                return f"loss {float(event['loss']):.4f}{std} at step {event['step']}"
        return ""

    def _start_text(self, event: Event) -> str:
        text = (
            f"{show_count(event['total_steps'], 'step')}, {show_count(event['num_images'], 'image')}"
            f", {show_count(event['num_epochs'], 'epoch')}"
        )
        return f"{text}, going on behind step {event['step']}" if event["step"] else text

    def _phase_text(self, event: Event) -> str:
        if event["name"] == self._phase:
            return ""
        self._phase = event["name"]
        count = f" ({event['total']})" if event["total"] > 1 else ""
        return f"{visible_text(event['name'])}{count}"

    def _step_text(self) -> str:
        view = self.view
        self._phase = ""
        interval = max(1, view.total_steps // _LINES_A_RUN)
        if view.step % interval and view.step not in (1, view.total_steps):
            return ""
        log = view.steps[-1]
        speed = show_speed(view.step_s) if view.step_s else ""
        eta = show_duration(view.eta_s) if view.eta_s is not None else ""
        return (
            f"{view.step:>{len(str(view.total_steps))}}/{view.total_steps}  loss {log.loss:.4f}  "
            f"lr {log.lr:.1e}  {speed}  ETA {eta}"
        )

    def _end_text(self) -> str:
        view = self.view
        took = f"in {show_duration(view.elapsed_s)}" if view.elapsed_s is not None else ""
        if view.outcome == "finished":
            return f"{visible_text(view.result or '')}  {took}"
        hint = f"      {visible_text(view.hint)}" if view.hint else ""
        return f"{visible_text(view.message)}{hint}"
