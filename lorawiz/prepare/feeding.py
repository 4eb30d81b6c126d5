"""Pictures for a model without gaps: decoded in threads while the model works on the batch before."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lorawiz.annotate.protocols import Annotator
from lorawiz.dataset.images import BrokenImageError
from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import DatasetError, LorawizError

LoadPicture = Callable[[ImageRecord], Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be looked at."""

    image_path: str
    reason: str


def iter_findings(
    records: Iterable[ImageRecord],
    load: LoadPicture,
    model: Annotator[Any, Any],
    batch_size: int,
) -> Iterator[list[tuple[ImageRecord, Any]]]:
    """What the model finds, a batch at a time; a Failure stands for an image that is broken.

    `load` gives the decoded picture; it and the model's `prepare` run in as many threads as
    there are cores. No more than a few batches are in memory, however many images there are.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        source = iter(records)
        waiting: deque[tuple[ImageRecord, Future[Any]]] = deque()

        def fill() -> None:
            for record in islice(source, 2 * batch_size + workers - len(waiting)):
                waiting.append((record, pool.submit(_prepare, record, load, model)))

        try:
            fill()
            while waiting:
                batch = [waiting.popleft() for _ in range(min(batch_size, len(waiting)))]
                ready = [(record, _result(record, future)) for record, future in batch]
                fill()  # the threads go on while the model works
                yield _run(model, ready)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _prepare(record: ImageRecord, load: LoadPicture, model: Annotator[Any, Any]) -> Any:
    return model.prepare(load(record))


def _result(record: ImageRecord, future: Future[Any]) -> Any:
    try:
        return future.result()
    except (BrokenImageError, DatasetError) as error:
        return Failure(record.image_path, error.message)
    except OSError as error:
        return Failure(record.image_path, error.strerror or str(error))


def _run(
    model: Annotator[Any, Any], ready: Sequence[tuple[ImageRecord, Any]]
) -> list[tuple[ImageRecord, Any]]:
    whole = [(record, value) for record, value in ready if not isinstance(value, Failure)]
    findings = model.run([v for _, v in whole], [r.sha256 for r, _ in whole]) if whole else []
    if len(findings) != len(whole):
        raise LorawizError(f"{model.name}: gave {len(findings)} findings for {len(whole)} images")
    found = {record.image_path: value for (record, _), value in zip(whole, findings, strict=True)}
    return [(record, found.get(record.image_path, value)) for record, value in ready]
