"""One run's inputs, frozen: what the trainer reads from its folder before torch is loaded."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorawiz.dataset.batches import StepCount, count_steps
from lorawiz.dataset.buckets import count_buckets
from lorawiz.dataset.holdout import split_records
from lorawiz.dataset.prompts import prompt_text
from lorawiz.dataset.records import ImageRecord, load_dataset
from lorawiz.dataset.subsets import is_class_image
from lorawiz.families import FAMILIES
from lorawiz.families.card import FamilyCard
from lorawiz.families.checkpoints import Checkpoint, find_checkpoint, inspect_checkpoint
from lorawiz.families.resolution import resolve_base
from lorawiz.loras.metadata import BaseFacts, Product, RunFacts, build_metadata, legacy_model_hash
from lorawiz.loras.reading import LoraFile, find_lora, read_lora
from lorawiz.paths import Project
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.manifest import read_manifest
from lorawiz.spec import Spec, load_spec


@dataclass(frozen=True)
class Job:
    """Everything that decides the result of a run."""

    run: RunFolder
    project: Project
    spec: Spec
    card: FamilyCard
    records: Sequence[ImageRecord]
    """The images that are trained."""
    held_out: Sequence[ImageRecord]
    """The images that are only measured."""
    count: StepCount
    checkpoint: Checkpoint
    vae: Path | None
    weights: LoraFile | None
    """The LoRA that training goes on from."""
    manifest: dict[str, Any]
    started_at: float

    @property
    def ranks(self) -> Mapping[str, tuple[int, float]] | None:
        """(dim, alpha) by key, where another file decides them."""
        takes_them = self.spec.network.dim_from_weights and self.weights is not None
        return self.weights.ranks if takes_them and self.weights else None

    @property
    def vae_sha256(self) -> str:
        """Identifies the VAE that latents are made with."""
        models = self.manifest["models"]
        return str(models.get("vae", models["base"])["sha256"])

    @property
    def vae_scale(self) -> int:
        """Pixels per latent cell, along a side."""
        return self.card.vae_scale_of(self.checkpoint.size)

    @property
    def base_sha256(self) -> str:
        return str(self.manifest["models"]["base"]["sha256"])

    def metadata(self, step: int, epoch: int, product: Product) -> dict[str, str]:
        """The metadata of `product` when it is saved behind `step`."""
        spec = self.spec
        base = BaseFacts(
            name=Path(spec.base.checkpoint).name,
            sha256=self.base_sha256,
            legacy_hash=legacy_model_hash(self.checkpoint.path),
            vae_name=Path(spec.base.vae).name,
            vae_sha256=self.vae_sha256 if spec.base.vae else "",
        )
        run = RunFacts(
            run_id=self.run.run_id,
            started_at=self.started_at,
            finished_at=time.time(),
            num_images=self.count.num_images,
            class_images=Counter(
                record.image_path.rsplit("/", 2)[1]
                for record in self.records
                if is_class_image(record, spec.dataset)
            ),
            num_held_out=len(self.held_out),
            batches_per_epoch=self.count.batches_per_epoch,
            num_epochs=self.count.num_epochs,
            epoch=epoch,
            step=step,
            total_steps=self.count.total_steps,
            tags=[
                _list_parts(record, spec)
                for record in self.records
                if not is_class_image(record, spec.dataset)
            ],
            bucket_counts=count_buckets((r.content_size for r in self.records), spec.dataset),
        )
        return build_metadata(spec, self.card, base, run, product)


def _list_parts(record: ImageRecord, spec: Spec) -> list[str]:
    separator = spec.prompt.caption_separator
    lines = prompt_text(record, spec).split("\n")
    return [part for line in lines for part in (line.split(separator) if separator else [line])]


def _load_weights(spec: Spec, project: Project) -> LoraFile | None:
    name = spec.network.weights if spec.network.has_adapter else ""
    return read_lora(find_lora(name, project)) if name else None


def load_job(run: RunFolder) -> Job:
    """Read a run's folder. Raises LorawizError for what is not as it was frozen."""
    project = run.project
    spec = load_spec(run.spec)
    split = split_records(spec, load_dataset(run.dataset).trained)
    checkpoint = inspect_checkpoint(find_checkpoint(spec.base.checkpoint, project))
    spec = spec.model_copy(update={"base": resolve_base(spec.base, checkpoint)})
    return Job(
        run=run,
        project=project,
        spec=spec,
        card=FAMILIES[spec.base.family],
        records=split.trained,
        held_out=split.held_out,
        count=count_steps(spec, split.trained),
        checkpoint=checkpoint,
        vae=find_checkpoint(spec.base.vae, project) if spec.base.vae else None,
        weights=_load_weights(spec, project),
        manifest=read_manifest(run.manifest),
        started_at=time.time(),
    )
