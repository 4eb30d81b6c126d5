"""Work beside the keys: jobs in threads that nobody has to wait for, and tasks of a screen."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from textual.dom import DOMNode
from textual.worker import Worker

Done = TypeVar("Done")


async def run_in_background(job: Callable[[], Done]) -> Done:
    """What `job` gives, or what it raises.

    The loop's own threads are waited for when the program ends; this one is not.
    """
    future: Future[Done] = Future()
    future.set_running_or_notify_cancel()  # from here on nobody cancels it but the loop's end

    def run() -> None:
        try:
            done = job()
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            future.set_exception(error)
        else:
            future.set_result(done)

    threading.Thread(target=run, name="lorawiz-background", daemon=True).start()
    return await asyncio.wrap_future(future)


def start_alone(
    node: DOMNode, task: Callable[[], Coroutine[Any, Any, None]], group: str = "default"
) -> Worker[None]:
    """Begin a task of `node`; one of the same group that is under way is given up for it.

    The coroutine is made when the task begins: one that is given up before is never made.
    """
    return node.run_worker(task, group=group, exclusive=True)
