"""The model hub: which files of a repository are wanted, found in its cache, or fetched."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lorawiz.errors import MissingExtraError, ModelError, visible_text
from lorawiz.paths import Project, model_folders

_PART = r"(?!\S*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"^({_PART}/{_PART}(?<!\.git))((?:/[\w.-]+)*)$")
"""What the hub itself takes as owner/name, and folders behind it."""


@dataclass(frozen=True)
class HubFiles:
    """What is needed of a repository."""

    patterns: tuple[str, ...]
    """As `snapshot_download` takes them, relative to the model's folder."""
    weights: tuple[str, ...]
    """Patterns of the files that hold the weights: one of them has to be there."""
    advice: str
    """The files in words: "unet/, vae/ and text_encoder/"."""
    command: str
    """The command that fetches them."""


@dataclass(frozen=True)
class HubId:
    """owner/name, and the folder in it for repositories that hold several models."""

    repo: str
    folder: str = ""

    @property
    def name(self) -> str:
        return self.repo + (f"/{self.folder}" if self.folder else "")

    def patterns(self, files: HubFiles) -> list[str]:
        prefix = f"{self.folder}/" if self.folder else ""
        return [prefix + pattern for pattern in files.patterns]


def is_hub_id(name: str) -> bool:
    """Whether `name` can be a hub id, owner/name or owner/name/folder."""
    return bool(_HUB_ID.fullmatch(name))


def is_offline() -> bool:
    """Whether the user forbids the network (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def parse_hub_id(name: str) -> HubId:
    """The parts of a hub id. Raises ModelError."""
    match = _HUB_ID.fullmatch(name)
    if match is None:
        raise ModelError(f"{visible_text(name)}: not a hub id", "a hub id is owner/name")
    return HubId(match[1], match[2].strip("/"))


def iter_model_folders(name: str, project: Project | None) -> Iterator[Path]:
    """Every folder where a model called `name` may lie, first choice first.

    A hub id is looked for as owner/name, as sd-scripts writes it (owner_name), and by its name
    alone, since people fetch these by hand.
    """
    if Path(name).is_absolute():
        yield Path(name)
        return
    names = [name]
    if is_hub_id(name):
        owner, _, rest = name.partition("/")
        names += [f"{owner}_{rest}", rest]
    for folder in model_folders(project):
        yield from (folder / each for each in names)


def find_in_hub_cache(name: str, files: HubFiles) -> Path:
    """The folder of a hub model that is in the local cache. Never touches the network.

    Raises ModelError that names the files and the folder to put them in.
    """
    hub_id = parse_hub_id(name)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError(f"the hub model {name}", "train") from error
    missing = ModelError(
        f"{name}: not on this machine",
        f"{files.command} fetches it; without a network put {files.advice} into models/{name}/",
    )
    try:
        found = snapshot_download(
            hub_id.repo, allow_patterns=hub_id.patterns(files), local_files_only=True
        )
    except LocalEntryNotFoundError as error:
        raise missing from error
    folder = Path(found) / hub_id.folder
    if not any(any(folder.glob(pattern)) for pattern in files.weights):
        raise missing
    return folder


def hub_download_bytes(name: str, files: HubFiles) -> int:
    """Bytes that fetching `name` would move. Asks the hub. Raises ModelError."""
    from huggingface_hub import HfApi

    hub_id = parse_hub_id(name)
    try:
        siblings = HfApi().model_info(hub_id.repo, files_metadata=True).siblings or []
    except _network_errors() as error:
        raise _failure(name, files, error) from error
    patterns = hub_id.patterns(files)
    wanted = [f for f in siblings if any(Path(f.rfilename).match(p) for p in patterns)]
    if not any(Path(f.rfilename).match(p) for f in wanted for p in files.weights):
        raise ModelError(f"{name}: the hub's repository lacks {' or '.join(files.weights)}")
    return sum(f.size or 0 for f in wanted)


def cached_bytes(name: str) -> int:
    """Bytes of a hub model's repository in the hub's cache, what is half there included."""
    from huggingface_hub import constants

    repo = parse_hub_id(name).repo.replace("/", "--")
    blobs = Path(constants.HF_HUB_CACHE) / f"models--{repo}" / "blobs"
    total = 0
    for path in list_folder(blobs):
        with suppress(OSError):  # renamed when it is whole
            total += path.stat().st_size
    return total


def list_hub_cache() -> list[str]:
    """The hub ids of everything in the hub's cache, whole or not. Never touches the network."""
    try:
        from huggingface_hub import constants
    except ImportError:
        return []
    names = (path.name for path in list_folder(Path(constants.HF_HUB_CACHE)))
    ids = (
        name.removeprefix("models--").replace("--", "/", 1)
        for name in names
        if name.startswith("models--")
    )
    return [name for name in ids if is_hub_id(name)]


def list_folder(folder: Path) -> list[Path]:
    """What is in a folder, by name; nothing where it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def fetch_from_hub(name: str, files: HubFiles) -> Path:
    """Fetch a hub model into the hub's cache (resumes what is half there). Raises ModelError."""
    from huggingface_hub import snapshot_download

    hub_id = parse_hub_id(name)
    try:
        found = snapshot_download(hub_id.repo, allow_patterns=hub_id.patterns(files))
    except _network_errors() as error:
        raise _failure(name, files, error) from error
    return Path(found) / hub_id.folder


def _network_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises where the network, the hub or the name is at fault."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    # the hub's client has changed its HTTP library twice; the root of its errors tells which
    root = next((c for c in HfHubHTTPError.__mro__ if c.__name__ == "HTTPError"), HfHubHTTPError)
    assert issubclass(root, Exception)
    return HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, root, OSError


def _failure(name: str, files: HubFiles, error: Exception) -> ModelError:
    endpoint = os.environ.get("HF_ENDPOINT", "the hub")
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ModelError(
        f"{name}: not to be had from {endpoint}: {visible_text(first_line)[:200]}",
        f"check the name and the network, or put {files.advice} into models/{name}/",
    )
