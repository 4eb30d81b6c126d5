"""Taggers in ONNX: the session, where it runs, and pictures in and scores out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorawiz.annotate.area import shrink_padded
from lorawiz.annotate.protocols import MIN_SCORE, FloatArray, Label, Scores
from lorawiz.errors import MissingExtraError, ModelError, visible_text
from lorawiz.paths import file_sha256
from lorawiz.spec.annotating import TagTable

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_DRAFT_SHARE = 0.75
"""Of the model's side: what `min_side` asks for. The loader keeps twice as much, so a phone
photo is decoded at a quarter of its scale; tests/benchmarks/tag_photos.py prints what that changes."""


class Session:
    """An ONNX file, ready to run in one thread."""

    def __init__(self, path: Path, table: TagTable) -> None:
        """Raises ModelError and MissingExtraError."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("tagging", "train") from error
        self._path = path
        self._errors = _errors_of_runtime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # it writes over the screen
        threads = os.environ.get("OMP_NUM_THREADS", "")
        if threads.isdecimal() and int(threads):
            options.intra_op_num_threads = int(threads)
        providers = choose_providers(onnxruntime.get_available_providers(), table.provider)
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except self._errors as error:
            raise ModelError(
                f"{visible_text(str(path))}: onnxruntime cannot load it: {_first_line(error)}",
                "take the file anew from the model's repository",
            ) from error
        self.device = self._name_device(table)
        (first, *_) = self._session.get_inputs()
        self._input = first.name
        self.shape: list[Any] = list(first.shape)
        """Of the input; an axis of any size is text or None."""
        outputs = self._session.get_outputs()
        self.num_outputs = outputs[0].shape[-1] if outputs[0].shape else None

    def run(self, batch: FloatArray) -> FloatArray:
        """The first output, [batch, labels]; a model of a fixed batch is run several times."""
        size = self.shape[0] if isinstance(self.shape[0], int) and self.shape[0] > 0 else len(batch)
        rows: list[FloatArray] = []
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            filler = np.zeros((size - len(part), *part.shape[1:]), np.float32)
            try:
                output = self._session.run(None, {self._input: np.concatenate([part, filler])})[0]
            except self._errors as error:
                raise ModelError(
                    f"{visible_text(self._path.name)}: {_first_line(error)}",
                    "out of memory? lorawiz set tag.batch_size 1",
                ) from error
            rows.append(np.asarray(output, np.float32)[: len(part)])
        return np.concatenate(rows)

    def _name_device(self, table: TagTable) -> str:
        if _CUDA in self._session.get_providers():
            return "CUDA"
        if table.provider == "cuda":
            raise ModelError(
                "tag.provider is cuda, but onnxruntime could not start it here",
                "its log says why; CUDA and cuDNN must fit onnxruntime-gpu. Or: "
                "lorawiz set tag.provider auto",
            )
        return "CPU"


def choose_providers(available: Sequence[str], wanted: str) -> list[Any]:
    """Where onnxruntime is to run, first choice first. Raises ModelError.

    LOCAL_RANK chooses the GPU, so that each process of a launch has its own.
    """
    if wanted == "cpu":
        return [_CPU]
    if _CUDA in available:
        rank = os.environ.get("LOCAL_RANK", "")
        return [(_CUDA, {"device_id": int(rank) if rank.isdecimal() else 0}), _CPU]
    if wanted == "cuda":
        raise ModelError(
            "tag.provider is cuda, but this onnxruntime has no CUDA",
            "pip uninstall onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu (both "
            "installed means the CPU); or: lorawiz set tag.provider auto",
        )
    return [_CPU]


class OnnxTagger:
    """What WD14 and cl_tagger have in common: squares on white, scores by label."""

    def __init__(self, name: str, path: Path, labels: Sequence[Label], table: TagTable) -> None:
        """Raises ModelError and MissingExtraError."""
        self.name = name
        self.revision = file_sha256(path)
        self.labels = labels
        self._session = Session(path, table)
        self.device = self._session.device
        self._check_labels(path)
        self._side = self._find_side(path)
        draft_px = round(self._side * _DRAFT_SHARE)
        self.min_side: int | None = None if table.full_decode else draft_px

    def prepare(self, image: Image.Image) -> FloatArray:
        """[side, side, 3]: the picture in the middle of a white square, blue first, 0…255."""
        if max(image.size) >= self._side:
            square = shrink_padded(np.asarray(image), self._side)
        else:
            longest = max(image.size)
            canvas = Image.new("RGB", (longest, longest), "white")
            left, top = ((longest - side) // 2 for side in image.size)
            canvas.paste(image, (left, top))
            square = np.asarray(canvas.resize((self._side,) * 2, Image.Resampling.LANCZOS))
        return np.ascontiguousarray(square[:, :, ::-1], dtype=np.float32)

    def run(self, inputs: Sequence[FloatArray], keys: Sequence[str]) -> list[Scores]:
        """Scores of each picture by label, in the order of the model's table."""
        probabilities = self._to_scores(self._session.run(self._to_batch(np.stack(inputs))))
        return [self._name_scores(row) for row in probabilities]

    def _to_batch(self, squares_NYXC: FloatArray) -> FloatArray:
        """What the model wants of [pictures, rows, columns, BGR] in 0…255."""
        return squares_NYXC

    def _to_scores(self, outputs: FloatArray) -> FloatArray:
        """0…1 of the model's outputs."""
        return outputs

    def _name_scores(self, row: FloatArray) -> Scores:
        kept: NDArray[np.intp] = np.flatnonzero(row >= MIN_SCORE)
        return {self.labels[index].name: float(row[index]) for index in kept}

    def _find_side(self, path: Path) -> int:
        sides = [side for side in self._session.shape[1:] if isinstance(side, int) and side > 4]
        if len(self._session.shape) != 4 or len(set(sides)) > 1:
            raise ModelError(
                f"{visible_text(str(path))}: its input is {self._session.shape}, not one picture",
                "use a tagger for pictures",
            )
        return sides[0] if sides else 448

    def _check_labels(self, path: Path) -> None:
        num_outputs = self._session.num_outputs
        if isinstance(num_outputs, int) and num_outputs != len(self.labels):
            raise ModelError(
                f"{visible_text(str(path))}: gives {num_outputs} scores, but its table has "
                f"{len(self.labels)} tags",
                "model and table are of different versions: take both from one repository",
            )


def _errors_of_runtime() -> tuple[type[Exception], ...]:
    """What onnxruntime raises; its errors have no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    named = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel",
             "NoSuchFile", "NotImplemented", "RuntimeException", "EPFail")  # fmt: skip
    return tuple(getattr(state, name) for name in named)


def _first_line(error: Exception) -> str:
    return visible_text(str(error).strip().splitlines()[0] if str(error).strip() else "?")[:200]
