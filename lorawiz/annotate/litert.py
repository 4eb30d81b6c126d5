"""LiteRT: the small networks in weights/, run on the CPU."""

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lorawiz.annotate.protocols import FloatArray
from lorawiz.errors import MissingExtraError

_WEIGHTS = Path(__file__).with_name("weights")
_STDERR = 2
_CHATTER = b"INFO: "


class Network:
    """One .tflite file, ready to run in one thread."""

    def __init__(self, interpreter: Any, weights: bytes) -> None:
        self._interpreter = interpreter
        (self._input,) = (each["index"] for each in interpreter.get_input_details())
        self._outputs = [each["index"] for each in interpreter.get_output_details()]
        self.sha256 = hashlib.sha256(weights).hexdigest()

    def run(self, pixels: FloatArray) -> list[FloatArray]:
        """The outputs for `pixels` [rows, columns, 3], in the file's order, without batch axis."""
        self._interpreter.set_tensor(self._input, pixels[np.newaxis])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


def load_network(file_name: str, what: str) -> Network:
    """The network `weights/<file_name>`; `what` says what needs it, for MissingExtraError."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingExtraError(what, "train") from error
    weights = (_WEIGHTS / file_name).read_bytes()
    with _without_chatter():
        interpreter = Interpreter(model_content=weights, num_threads=1)
        interpreter.allocate_tensors()
    return Network(interpreter, weights)


def hash_weights(networks: Sequence[Network]) -> str:
    """SHA-256 of the weights; of several files, over their sums in order."""
    if len(networks) == 1:
        return networks[0].sha256
    return hashlib.sha256(" ".join(each.sha256 for each in networks).encode()).hexdigest()


_redirecting = threading.Lock()


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keeps the runtime's greeting off stderr; whatever else is said there is passed on after.

    It is written in C++ to the file descriptor, and no setting turns it off.
    """
    with _redirecting, tempfile.TemporaryFile() as said:
        try:
            real = os.dup(_STDERR)
        except OSError:  # stderr is closed: nobody listens
            yield
            return
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(real, _STDERR)
            os.close(real)
            said.seek(0)
            for line in said:
                if not line.startswith(_CHATTER):
                    os.write(_STDERR, line)
