"""Freezing a run's inputs: spec, dataset and hashes, so that later edits are the next run's."""

from collections.abc import Sequence
from pathlib import Path

import tomlkit

from lorawiz.dataset.holdout import split_records
from lorawiz.dataset.records import Dataset, ImageRecord, dataset_digest, save_dataset
from lorawiz.paths import Project, write_atomically
from lorawiz.runs.folder import RunFolder, create_run
from lorawiz.runs.manifest import build_manifest, write_manifest
from lorawiz.spec.document import dump_spec
from lorawiz.spec.tables import Spec

Models = dict[str, tuple[str, Path]]
"""base, vae and the weights to go on from: (name in the spec, path on this machine)."""


def freeze_run(
    project: Project, spec: Spec, records: Sequence[ImageRecord], models: Models
) -> RunFolder:
    """Make the run's folder with everything that decides its result."""
    run = create_run(project, spec.project.name)
    manifest = build_manifest(run.run_id, spec, records, models)
    write_atomically(run.spec, dump_spec(spec))
    save_dataset(run.dataset, Dataset(tuple(records)))
    write_manifest(run.manifest, manifest)
    write_lock_file(project, spec, records, manifest["models"], manifest["versions"])
    return run


def write_lock_file(
    project: Project,
    spec: Spec,
    records: Sequence[ImageRecord],
    models: dict[str, dict[str, str]],
    versions: dict[str, str],
) -> None:
    """lorawiz.lock: what the last run was made from, for the commit beside the spec."""
    document = tomlkit.document()
    document.add(tomlkit.comment("Written by `lorawiz run`: what the last run was made from."))
    num_held_out = len(split_records(spec, records).held_out)
    document.update(
        {
            "schema": 1,
            "dataset": {
                "num_images": len(records),
                **({"num_held_out": num_held_out} if num_held_out else {}),
                "sha256": dataset_digest(records),
            },
            "models": models,
            "versions": versions,
            "images": {record.image_path: record.sha256 for record in records},
        }
    )
    write_atomically(project.lock_file, tomlkit.dumps(document))
