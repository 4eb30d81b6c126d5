"""A long job in a thread that nobody has to wait for: the program can end while it is under way."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

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
