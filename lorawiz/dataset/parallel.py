"""Looking at many images at once, without ever holding many of them."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MAX_THREADS = 8
"""Each may hold a decoded picture of the largest size."""
_AHEAD = 4


def map_in_order(
    function: Callable[[Item], Answer], items: Iterable[Item]
) -> Generator[Answer, None, None]:
    """`function` of every item, in order; a few a thread are under way, never all of them.

    Close the iterator (contextlib.closing) where it may be left early: closing waits for what is
    under way and starts nothing more.
    """
    num_threads = min(os.cpu_count() or 1, MAX_THREADS)
    waiting: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(num_threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= num_threads * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
