"""manifest.json: the hashes and versions that make a run repeatable, and their comparison."""

import json
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import lorawiz
from lorawiz.dataset.records import ImageRecord, dataset_digest, find_image, load_dataset
from lorawiz.errors import RunError, visible_text
from lorawiz.paths import Project, file_sha256, model_sha256, write_atomically
from lorawiz.runs.folder import RunFolder
from lorawiz.spec import Spec, load_spec
from lorawiz.spec.document import flatten

_PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "numpy", "pillow")


def build_manifest(
    run_id: str,
    spec: Spec,
    records: Sequence[ImageRecord],
    models: dict[str, tuple[str, Path]],
) -> dict[str, Any]:
    """What the run is made from. `models` maps base and vae to (name in the spec, path)."""
    return {
        "schema": 1,
        "run": run_id,
        "spec": flatten(spec),
        "dataset_digest": dataset_digest(records),
        "images": {record.image_path: record.sha256 for record in records},
        "models": {
            role: {"name": name, "sha256": model_sha256(path)}
            for role, (name, path) in models.items()
        },
        "versions": installed_versions(),
        "machine": {"system": platform.platform(), "processor": platform.machine()},
    }


def installed_versions() -> dict[str, str]:
    """Versions of lorawiz, Python and the packages a result depends on, without importing them."""
    versions = {"lorawiz": lorawiz.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest at `path`. Raises RunError."""
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{visible_text(str(path))}: cannot be read", "start a new run") from error
    return manifest


def find_frozen_changes(manifest: dict[str, Any], run: RunFolder) -> list[str]:
    """What is no more as it was frozen in the run's own folder: one sentence a setting."""
    changes = []
    now = flatten(load_spec(run.spec))
    frozen = manifest.get("spec", now)
    for key in sorted(frozen.keys() | now.keys()):
        was, found = frozen.get(key), json.loads(json.dumps(now.get(key)))
        if was != found:
            changes.append(f"{run.spec.name}: {key} is {found!r}, and was {was!r}")
    if dataset_digest(load_dataset(run.dataset).records) != manifest["dataset_digest"]:
        changes.append(f"{run.run_id}/{run.dataset.name} has changed since it was frozen")
    return changes


def find_changes(
    manifest: dict[str, Any], project: Project, models: dict[str, tuple[str, Path]]
) -> list[str]:
    """What differs now from what the run was made from: one sentence a difference."""
    changes = []
    for image_path, sha256 in manifest["images"].items():
        path = find_image(project, ImageRecord(image_path, sha256, 0, 0))
        shown = visible_text(image_path)
        if not path.is_file():
            changes.append(f"{shown} is gone")
        elif file_sha256(path) != sha256:
            changes.append(f"{shown} has changed")
    for role, (name, path) in models.items():
        if model_sha256(path) != manifest["models"].get(role, {}).get("sha256"):
            changes.append(f"the {role} model {visible_text(name)} is another file")
    return changes
