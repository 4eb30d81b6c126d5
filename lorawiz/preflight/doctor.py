"""What this machine has and lacks, each answer with its fix where there is one."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import psutil

import lorawiz
from lorawiz.paths import model_folders, user_cache
from lorawiz.preflight.machine import ask_torch, has_gpu_driver, missing_packages
from lorawiz.wording import show_bytes

MIN_TERMINAL = (80, 24)


@dataclass(frozen=True)
class Answer:
    """One line of the doctor's report."""

    name: str
    state: Literal["ok", "warning", "error"]
    text: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine_machine() -> list[Answer]:
    """Ask every question. Imports torch in a child process where it is installed."""
    return [answer for question in _QUESTIONS for answer in question()]


def _ask_versions() -> Iterator[Answer]:
    yield Answer("lorawiz", "ok", f"{lorawiz.__version__}, Python {sys.version.split()[0]}")


def _ask_training() -> Iterator[Answer]:
    missing = missing_packages()
    if missing:
        yield Answer(
            "training", "warning", f"not installed: {', '.join(missing)}",
            "pip install 'lorawiz[train]'",
        )  # fmt: skip
        return
    versions = [f"{n} {metadata.version(n)}" for n in ("diffusers", "transformers", "accelerate")]
    yield Answer("training", "ok", ", ".join(versions))
    flat = _version("transformers") >= (5, 6)
    layout = "flat (5.6 and newer)" if flat else "with text_model. (before 5.6)"
    yield Answer("CLIP key layout", "ok", f"{layout}; LoRA files are the same with both")


def _ask_torch() -> Iterator[Answer]:
    if importlib.util.find_spec("torch") is None:
        return
    facts = ask_torch()
    if facts is None:
        yield Answer("torch", "error", "cannot be imported", "pip install --force-reinstall torch")
        return
    if facts.device == "cpu" and has_gpu_driver() and sys.platform != "darwin":
        yield Answer(
            "torch", "error", f"{facts.version} sees no GPU, but there is an NVIDIA driver",
            "install a CUDA build of torch: https://pytorch.org/get-started/locally",
        )  # fmt: skip
        return
    memory = f", {show_bytes(facts.device_bytes)}" if facts.device_bytes else ""
    precision = "bf16 and fp16" if facts.bf16 and facts.device == "cuda" else "fp32"
    yield Answer("torch", "ok", f"{facts.version} on {facts.device_name}{memory}, {precision}")


def _ask_torchvision() -> Iterator[Answer]:
    """A torchvision of another build breaks the import of transformers' and diffusers' models."""
    if importlib.util.find_spec("torchvision") is None:
        return
    import subprocess

    answer = subprocess.run(
        [sys.executable, "-c", "import torchvision; torchvision.ops.nms"],
        capture_output=True, check=False,
    )  # fmt: skip
    if answer.returncode:
        yield Answer(
            "torchvision", "error", "does not match this torch: diffusers cannot load its pipelines",
            "pip uninstall torchvision (lorawiz does not need it)",
        )  # fmt: skip
    else:
        yield Answer("torchvision", "ok", metadata.version("torchvision"))


def _ask_attention() -> Iterator[Answer]:
    installed = [
        n for n in ("xformers", "flash_attn", "sageattention") if importlib.util.find_spec(n)
    ]
    extra = f"; installed beside it: {', '.join(installed)}" if installed else ""
    yield Answer("attention", "ok", f"torch SDPA{extra}")
    if "xformers" not in installed:
        return
    wanted = _built_for("xformers")
    has = metadata.version("torch").partition("+")[0]
    if wanted and not has.startswith(wanted):
        yield Answer(
            "xformers", "warning", f"made for torch {wanted}, this is {has}: its kernels do not load",
            "pip uninstall xformers (lorawiz uses torch's own attention)",
        )  # fmt: skip


_OPTIONAL = (
    # module, the packages that bring it, what it is for, what installs it
    ("bitsandbytes", ("bitsandbytes",), "8-bit optimizers", ""),
    ("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "taggers", "train"),
    ("ai_edge_litert", ("ai-edge-litert",), "faces and cut-outs", "train"),
    ("pillow_heif", ("pillow-heif",), "phone photos (HEIC)", "heif"),
    ("pillow_jxl", ("pillow-jxl-plugin",), "JPEG XL", "jxl"),
)


def _ask_optional() -> Iterator[Answer]:
    for module, packages, use, extra in _OPTIONAL:
        versions = [f"{name} {version}" for name in packages if (version := _find_version(name))]
        name = packages[0]
        if not versions:
            fix = f"pip install 'lorawiz[{extra}]'" if extra else ""
            yield Answer(name, "ok", f"not installed ({use})", fix)
        elif len(versions) > 1:
            yield Answer(
                name, "warning", f"{' and '.join(versions)}: together they run on the CPU",
                f"pip uninstall {' '.join(packages)} && pip install {packages[-1]}",
            )  # fmt: skip
        else:
            yield Answer(name, "ok", versions[0].removeprefix(f"{name} "))
        if module == "onnxruntime" and versions:
            yield from _ask_onnx_providers()


def _find_version(package: str) -> str:
    """The package's version; empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _ask_onnx_providers() -> Iterator[Answer]:
    import onnxruntime

    yield Answer("onnxruntime on", "ok", ", ".join(onnxruntime.get_available_providers()))


def _ask_memory() -> Iterator[Answer]:
    memory = psutil.virtual_memory()
    yield Answer(
        "memory", "ok", f"{show_bytes(memory.available)} free of {show_bytes(memory.total)}"
    )
    cores = os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS")
    text = f"{cores}, OMP_NUM_THREADS {threads or 'not set'}"
    if threads and threads.isdigit() and int(threads) > cores:
        yield Answer("cores", "warning", text, f"export OMP_NUM_THREADS={cores}")
    else:
        yield Answer("cores", "ok", text)
    shared = Path("/dev/shm")
    if shared.is_dir():
        yield Answer("/dev/shm", "ok", f"{show_bytes(shutil.disk_usage(shared).free)} free")


def _ask_disk() -> Iterator[Answer]:
    for name, start in (("disk here", Path.cwd()), ("disk of the caches", user_cache())):
        there = next(path for path in (start, *start.parents) if path.exists())
        free = shutil.disk_usage(there).free
        state: Literal["ok", "warning"] = "ok" if free > 5e9 else "warning"
        yield Answer(name, state, f"{show_bytes(free)} free")
    folders = [str(folder) for folder in model_folders(None) if folder.is_dir()]
    yield Answer("model folders", "ok", ", ".join(folders) or "none (LORAWIZ_MODELS names more)")


def _ask_terminal() -> Iterator[Answer]:
    size = shutil.get_terminal_size()
    if not sys.stdout.isatty():
        yield Answer("terminal", "ok", "none (plain lines)")
        return
    text = f"{size.columns}×{size.lines}, {os.environ.get('TERM', 'TERM not set')}"
    if size.columns < MIN_TERMINAL[0] or size.lines < MIN_TERMINAL[1]:
        yield Answer(
            "terminal", "warning", f"{text}: the panel wants 80×24", "make the window larger"
        )
    else:
        yield Answer("terminal", "ok", text)
    if not os.environ.get("COLORTERM"):
        yield Answer(
            "colours", "warning", "COLORTERM is not set: pictures are drawn in 256 colours",
            "export COLORTERM=truecolor, if your terminal has it",
        )  # fmt: skip
    if os.environ.get("TMUX") and not _tmux_passes_through():
        yield Answer(
            "tmux", "warning", "keeps pictures from the terminal: half-blocks are drawn instead",
            "tmux set -g allow-passthrough on",
        )  # fmt: skip
    yield Answer("pictures", "ok", f"LORAWIZ_IMAGES={os.environ.get('LORAWIZ_IMAGES', 'auto')}")


def _ask_locale() -> Iterator[Answer]:
    encoding = sys.stdout.encoding or "unknown"
    if "utf" not in encoding.lower():
        yield Answer("locale", "warning", f"{encoding}, not UTF-8", "export LANG=C.UTF-8")


def _ask_hub() -> Iterator[Answer]:
    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    endpoint = os.environ.get("HF_ENDPOINT", "the default")
    text = f"endpoint {endpoint}{', offline: only what is on the disk is found' if offline else ''}"
    yield Answer("model hub", "ok", text)


_QUESTIONS: tuple[Callable[[], Iterator[Answer]], ...] = (
    _ask_versions, _ask_training, _ask_torch, _ask_torchvision, _ask_attention, _ask_optional,
    _ask_memory, _ask_disk, _ask_terminal, _ask_locale, _ask_hub,
)  # fmt: skip


def _tmux_passes_through() -> bool:
    import subprocess

    try:
        answer = subprocess.run(
            ["tmux", "show", "-gv", "allow-passthrough"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.strip() in ("on", "all")


def _version(package: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", metadata.version(package))[:2])


def _built_for(package: str) -> str:
    """The torch version a package was built for, from its own build notes; '' if it does not say."""
    for name in metadata.files(package) or []:
        if name.name == "cpp_lib.json":
            found = re.search(r'"torch":\s*"([\d.]+)', Path(str(name.locate())).read_text("utf-8"))
            return found[1] if found else ""
    return ""
