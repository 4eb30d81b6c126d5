"""Where files lie, and how they are written: the project folder, models, caches."""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import platformdirs

from lorawiz.errors import ProjectError

SPEC_FILE = "lorawiz.toml"
_REMEMBERED_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Project:
    """The files of one project folder; `root` is absolute."""

    root: Path

    @property
    def spec(self) -> Path:
        return self.root / SPEC_FILE

    @property
    def dataset(self) -> Path:
        return self.root / "dataset.jsonl"

    @property
    def lock_file(self) -> Path:
        return self.root / "lorawiz.lock"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def masks(self) -> Path:
        return self.root / "masks"

    @property
    def evidence(self) -> Path:
        """What models said about the images."""
        return self.root / "evidence"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def private(self) -> Path:
        """Locks and journals of lorawiz itself."""
        return self.root / ".lorawiz"

    @property
    def work(self) -> Path:
        """Caches: all of it can be deleted at any time."""
        return self.root / "work"

    @property
    def runs(self) -> Path:
        return self.root / "runs"


def find_project(start: Path) -> Project:
    """The project that `start` lies in. Raises ProjectError when there is none."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / SPEC_FILE).is_file():
            return Project(folder)
    raise ProjectError(
        f"{start}: no {SPEC_FILE} here or above",
        "cd into a project, or start one: lorawiz new face-lora",
    )


def write_atomically(path: Path, data: str | bytes) -> None:
    """Replace `path` in one step: write beside, fsync, rename, fsync the folder.

    A reader and a crash see the old file or the new one, never a part. The permissions of an
    existing file stay. Raises OSError; the old file is then intact and nothing is left beside.
    """
    write_parts_atomically(path, [data.encode("utf-8") if isinstance(data, str) else data])


def write_parts_atomically(
    path: Path,
    parts: Iterable[bytes | memoryview],
    finish: Callable[[BinaryIO], None] = lambda file: None,
) -> None:
    """`write_atomically` of a file that is made as it is written, and never whole in memory.

    `finish` may write over what stands in the file, once all parts do.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            finish(file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        if error.filename is None:  # a write that fails does not say where
            error.filename = str(path)
        _remove(Path(name))
        raise
    except BaseException:
        _remove(Path(name))
        raise
    fsync_folder(path.parent)


def append_durably(path: Path, start: int, parts: Iterable[bytes]) -> int:
    """Write `parts` at `start` bytes of a journal, over what a crash left there, and fsync.

    Returns where they end. Raises OSError that names the file; the journal then ends at `start`
    as before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(descriptor, start)
        os.lseek(descriptor, start, os.SEEK_SET)
        end = start
        for chunk in _in_chunks(parts):
            # unbuffered, so that nothing is left to be written after a failure
            end += _write_whole(descriptor, chunk)
        os.fsync(descriptor)
    except BaseException as error:
        with suppress(OSError):
            os.ftruncate(descriptor, start)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        os.close(descriptor)
    return end


def _in_chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= _CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _write_whole(descriptor: int, chunk: bytes) -> int:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return len(chunk)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def user_data() -> Path:
    """The user's data folder; LORAWIZ_HOME moves it."""
    home = os.environ.get("LORAWIZ_HOME")
    return Path(home) / "data" if home else Path(platformdirs.user_data_dir("lorawiz"))


def user_cache() -> Path:
    """The user's cache folder; LORAWIZ_HOME moves it."""
    home = os.environ.get("LORAWIZ_HOME")
    return Path(home) / "cache" if home else Path(platformdirs.user_cache_dir("lorawiz"))


def model_folders(project: Project | None) -> list[Path]:
    """Where a model name is looked up: the project's models/, LORAWIZ_MODELS, the data folder."""
    folders = [project.models] if project else []
    folders += [Path(p) for p in os.environ.get("LORAWIZ_MODELS", "").split(os.pathsep) if p]
    return [*folders, user_data() / "models"]


def iter_model_candidates(name: str, project: Project | None) -> Iterator[Path]:
    """Every place where the model `name` may lie, first choice first."""
    if Path(name).is_absolute():
        yield Path(name)
        return
    for folder in model_folders(project):
        yield folder / name


TellBytes = Callable[[int, int], None]
"""Is told how many bytes have been read, of how many."""


def file_sha256(path: Path, tell: TellBytes | None = None) -> str:
    """SHA-256 of a file's bytes in hex; of a large file it is remembered by size and mtime.

    A 4 GB checkpoint takes seconds to hash; the answer is kept in the user's cache folder
    under the file's real path, size and modification time.
    """
    real = path.resolve()
    stat = real.stat()
    if stat.st_size < _REMEMBERED_BYTES:
        return _hash_file(real, tell)
    key = hashlib.sha256(f"{real}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()
    memory = user_cache() / "sha256" / key[:2] / key
    with suppress(OSError):
        known = memory.read_text()
        if len(known) == 64:
            return known
    digest = _hash_file(real, tell)
    with suppress(OSError):
        write_atomically(memory, digest)
    return digest


def _hash_file(path: Path, tell: TellBytes | None = None) -> str:
    with path.open("rb") as file:
        if tell is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest, num_bytes = hashlib.sha256(), path.stat().st_size
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            tell(file.tell(), num_bytes)
        return digest.hexdigest()


def folder_sha256(folder: Path, tell: TellBytes | None = None) -> str:
    """One SHA-256 over a model folder: the names and hashes of its weights and configs."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in {".safetensors", ".json"} and path.is_file()
    )
    num_bytes, num_read = [(folder / name).stat().st_size for name in names], 0
    listing = []
    for name, size in zip(names, num_bytes, strict=True):
        listing.append([name, file_sha256(folder / name, _shift(tell, num_read, sum(num_bytes)))])
        num_read += size
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def _shift(tell: TellBytes | None, num_before: int, num_all: int) -> TellBytes | None:
    """Tells of one file as a part of all of them."""
    if tell is None:
        return None
    return lambda num_read, _num_bytes: tell(num_before + num_read, num_all)


def model_sha256(path: Path, tell: TellBytes | None = None) -> str:
    """SHA-256 that identifies a model, be it a file or a folder."""
    return folder_sha256(path, tell) if path.is_dir() else file_sha256(path, tell)
