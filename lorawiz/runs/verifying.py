"""Whether a run can be repeated: its inputs, its files, and a copy of it to train again."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorawiz.errors import LorawizError, visible_text
from lorawiz.loras.comparison import compare_tensors, hash_tensors, read_saved_hash
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.manifest import (
    find_changes,
    find_frozen_changes,
    installed_versions,
    read_manifest,
)
from lorawiz.runs.view import load_view

Models = Mapping[str, tuple[str, Path]]


@dataclass(frozen=True)
class Verdict:
    """What was found: `problems` say that the run cannot be repeated as it was, or is damaged."""

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What may make another result, and files that are no longer there."""
    num_files: int = 0
    """Saved files that were hashed."""


def verify_inputs(run: RunFolder, models: Models) -> Verdict:
    """Images, models and words against the manifest; versions that differ are notes."""
    manifest = read_manifest(run.manifest)
    problems = find_changes(manifest, run.project, dict(models))
    problems += find_frozen_changes(manifest, run)
    return Verdict(tuple(problems), tuple(_find_other_versions(manifest)))


def verify_files(run: RunFolder) -> Verdict:
    """Every file that the run saved against the hash that it was saved with."""
    problems: list[str] = []
    notes: list[str] = []
    num_files = 0
    view = load_view(run)
    for saved in view.saves:
        path, shown = run.project.root / saved.path, visible_text(saved.path)
        files = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
        if not path.exists():
            is_result = saved.path == view.result
            (problems if is_result else notes).append(f"{shown} is gone")
            continue
        for file in files:
            num_files += 1
            try:
                wanted = read_saved_hash(file)
                if wanted and hash_tensors(file) != wanted:
                    problems.append(f"{shown}: not the tensors that were saved")
            except LorawizError as error:
                problems.append(error.message)
    return Verdict(tuple(problems), tuple(notes), num_files)


def make_copy(run: RunFolder) -> RunFolder:
    """A run with the same frozen inputs in work/verify/, where nothing of the first is."""
    copy = RunFolder(run.project.work / "verify" / f"{run.run_id}-again")
    shutil.rmtree(copy.path, ignore_errors=True)
    for folder in (copy.path, copy.control, copy.state, copy.samples):
        folder.mkdir(parents=True)
    for name in (run.spec.name, run.dataset.name, run.manifest.name):
        shutil.copyfile(run.path / name, copy.path / name)
    return copy


def compare_results(run: RunFolder, copy: RunFolder) -> Verdict:
    """The results of both, tensor by tensor."""
    problems, num_files = [], 0
    for first, again in zip(_list_results(run), _list_results(copy), strict=True):
        num_files += 1
        if hash_tensors(first) == hash_tensors(again):
            continue
        found = compare_tensors(first, again)
        by = "" if found.largest is None else f", by at most {found.largest:.3g}"
        problems.append(
            f"{visible_text(first.name)}: {found.num_different} of {found.num_tensors} tensors "
            f"differ{by}"
        )
    return Verdict(tuple(problems), (), num_files)


def _list_results(run: RunFolder) -> list[Path]:
    """The files of the last save, in the order they were saved."""
    view = load_view(run)
    results = []
    for saved in view.saves:
        if saved.step == view.saves[-1].step:
            path = run.project.root / saved.path
            results += sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
    return results


def _find_other_versions(manifest: Mapping[str, Any]) -> list[str]:
    now = installed_versions()
    return [
        f"{package} is {now.get(package, 'not here')}, it was {was}"
        for package, was in manifest.get("versions", {}).items()
        if now.get(package) != was
    ]
