"""A model folder in the hub's layout: its files checked, hashed, and loaded without a word."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorawiz.errors import MissingExtraError, ModelError, visible_text
from lorawiz.families.safetensors_header import read_header
from lorawiz.paths import file_sha256

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
"""In its place where the weights are in several files."""
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_TAKE_ANEW = "take the files anew from the model's repository"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model of torch runs."""

    device: Any
    """A torch.device."""
    dtype: Any
    """A torch.dtype: half precision on a GPU."""
    title: str
    """In words: `CPU`, `CUDA (NVIDIA …)`."""

    @property
    def is_exact(self) -> bool:
        """Whether rows of a batch are computed so finely that its size does not show."""
        return bool(self.dtype.itemsize >= 4)


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A loaded model."""

    model: Any
    """A PreTrainedModel of transformers, ready to generate."""
    place: Place
    revision: str
    """SHA-256 of the weights."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ModelError."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{_shown(path)}: {error.strerror}", _TAKE_ANEW) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{_shown(path)}: not JSON", _TAKE_ANEW) from error
    if not isinstance(values, dict):
        raise ModelError(f"{_shown(path)}: not a JSON object", _TAKE_ANEW)
    return values


def check_model_folder(
    folder: Path, model_type: str, files: Sequence[tuple[str, ...]], class_name: str
) -> dict[str, Any]:
    """The config of a folder of `model_type` that has one of each of `files`, and weights.

    `class_name` is the class of transformers that such a folder is saved from. Raises ModelError
    that names what is missing or other.
    """
    wanted = [(CONFIG_FILE,), *files]
    missing = [names for names in wanted if not any((folder / name).is_file() for name in names)]
    has_weights = (folder / WEIGHTS_FILE).is_file() or (folder / WEIGHTS_INDEX).is_file()
    if not has_weights:
        if any((folder / name).is_file() for name in _PICKLED):
            raise _pickled(folder, class_name)
        missing.append((WEIGHTS_FILE,))
    if missing:
        raise ModelError(
            f"{_shown(folder)}: no {', no '.join(' or '.join(names) for names in missing)}",
            f"put the missing files beside the others; the whole is {_listed(wanted)}",
        )
    config = read_json(folder / CONFIG_FILE)
    found = config.get("model_type")
    if found != model_type:
        raise ModelError(
            f"{_shown(folder)}: a model of type {visible_text(str(found))}, not {model_type}"
        )
    built_as = config.get("architectures") or [class_name]
    if class_name not in built_as:
        raise ModelError(
            f"{_shown(folder)}: saved from {visible_text(str(built_as[0]))}, which writes no "
            f"captions; that would be {class_name}"
        )
    return config


def load_pretrained(import_class: Callable[[], Any], folder: Path, what: str) -> Pretrained:
    """The model in `folder`, on the best device of this machine.

    `import_class` imports and returns the class of transformers; `what` says what needs it.
    Never touches the network, runs no code of the folder's and prints nothing. Raises ModelError
    and MissingExtraError.
    """
    weights = _find_weights(folder)
    try:
        import torch

        model_class = import_class()
    except ImportError as error:
        raise MissingExtraError(what, "train") from error
    except RuntimeError as error:  # parts of another build, such as torchvision's
        raise ModelError(
            f"transformers cannot be imported here: {_first_line(error)}",
            "lorawiz doctor says what does not fit",
        ) from error
    with _without_chatter():
        place = choose_place(torch)
        with telling_of_memory(place.title, None):
            model = _read_model(model_class, folder, place.dtype).to(place.device)
    return Pretrained(model, place, _hash_weights(weights))


@contextmanager
def telling_of_memory(device: str, batch_size: int | None) -> Iterator[None]:
    """Turns running out of memory into ModelError; `batch_size` is None where nothing is batched."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if batch_size is None or batch_size == 1:
            raise ModelError(
                f"{device}: not enough memory for this model",
                "end other programs that use it, or choose a smaller model: "
                "lorawiz set caption.model OWNER/NAME",
            ) from error
        raise ModelError(
            f"{device}: not enough memory for {batch_size} images at once",
            "lorawiz set caption.batch_size 1",
        ) from error


def choose_place(torch: Any) -> Place:
    """A GPU where there is one, LOCAL_RANK saying which: each process of a launch has its own."""
    if not torch.cuda.is_available():
        return Place(torch.device("cpu"), torch.float32, "CPU")
    rank = os.environ.get("LOCAL_RANK", "")
    index = int(rank) % torch.cuda.device_count() if rank.isdecimal() else 0
    title = f"CUDA ({torch.cuda.get_device_name(index)})"
    return Place(torch.device("cuda", index), torch.float16, title)


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    # the CPU's allocator has no error class of its own
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "can't allocate memory" in str(error)
    )


def _read_model(model_class: Any, folder: Path, dtype: Any) -> Any:
    """Every weight of it from the folder; transformers would fill gaps with random numbers."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    try:
        model, report = model_class.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(folder, error) from error
    except (StrictDataclassError, SafetensorError) as error:
        raise _unreadable(folder, error) from error
    except RuntimeError as error:
        if _is_out_of_memory(error):
            raise
        raise _unreadable(folder, error) from error
    lacking = sorted(report["missing_keys"])
    if lacking:
        raise ModelError(
            f"{_shown(folder)}: its weights lack {len(lacking)} of this model's, such as "
            f"{visible_text(lacking[0])}",
            _TAKE_ANEW,
        )
    return model.eval().requires_grad_(False)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """No progress bars, reports and warnings of transformers'; all as it was afterwards."""
    from huggingface_hub import utils as hub_utils
    from transformers.utils import logging

    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_had_bars = not hub_utils.are_progress_bars_disabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()
        # transformers switches the hub's bars along with its own
        (hub_utils.enable_progress_bars if hub_had_bars else hub_utils.disable_progress_bars)()


def _find_weights(folder: Path) -> list[Path]:
    """The files that hold the weights, each one whole. Raises ModelError."""
    if (folder / WEIGHTS_FILE).is_file():
        files = [folder / WEIGHTS_FILE]
    else:
        index = read_json(folder / WEIGHTS_INDEX)
        parts = index.get("weight_map")
        if not isinstance(parts, dict) or not parts:
            raise ModelError(f"{_shown(folder / WEIGHTS_INDEX)}: names no files", _TAKE_ANEW)
        names = sorted({str(part) for part in parts.values()})
        if any(Path(name).name != name for name in names):
            raise ModelError(f"{_shown(folder / WEIGHTS_INDEX)}: leads out of its folder")
        files = [folder / name for name in names]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            shown = ", ".join(visible_text(name) for name in missing)
            raise ModelError(f"{_shown(folder)}: no {shown}", _TAKE_ANEW)
    for file in files:
        read_header(file)
    return files


def _hash_weights(files: Sequence[Path]) -> str:
    """SHA-256 of the weights; of several files, over their sums in order."""
    sums = [file_sha256(file) for file in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256(" ".join(sums).encode()).hexdigest()


def _pickled(folder: Path, class_name: str) -> ModelError:
    return ModelError(
        f"{_shown(folder)}: only pickled weights (.bin), which can run any code; lorawiz never "
        "opens them",
        f"take {WEIGHTS_FILE} from the repository, or where you trust the file:\n"
        f'    python -c "from transformers import {class_name} as M; '
        f"M.from_pretrained('.', use_safetensors=False).save_pretrained('.')\"\n"
        "    in the model's folder",
    )


def _unreadable(folder: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{_shown(folder)}: transformers cannot load it: {_first_line(error)}", _TAKE_ANEW
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return visible_text(lines[0].strip())[:200]


def _listed(wanted: Sequence[tuple[str, ...]]) -> str:
    return ", ".join([*(" or ".join(names) for names in wanted), WEIGHTS_FILE])


def _shown(path: Path) -> str:
    return visible_text(str(path))
