"""Rules on the images."""

from collections.abc import Iterator

from lorawiz.dataset.buckets import count_buckets, fit_bucket
from lorawiz.dataset.records import find_image
from lorawiz.errors import LorawizError, visible_text
from lorawiz.paths import file_sha256
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.rules.words import name_some


@rule("images-none", "error")
def find_no_images(at: Inspection) -> Iterator[Problem]:
    """There is nothing to train on."""
    if not at.records:
        kept_out = len(at.dataset.records)
        note = f" ({kept_out} are rejected or broken)" if kept_out else ""
        yield Problem(f"no images{note}", "lorawiz add PHOTOS…")


@rule("images-broken", "warning")
def find_broken_images(at: Inspection) -> Iterator[Problem]:
    """Broken files are left out; the run is shorter than the folder looks."""
    broken = [r for r in at.dataset.records if r.status == "broken" and r.keep]
    if broken:
        reasons = "; ".join(
            f"{visible_text(r.image_path)}: {visible_text(r.reason)}" for r in broken[:3]
        )
        yield Problem(
            f"{len(broken)} broken: {reasons}",
            "add a good copy under another name, or set their keep to false in dataset.jsonl",
        )


@rule("images-changed", "error")
def find_changed_images(at: Inspection) -> Iterator[Problem]:
    """dataset.jsonl was written for other bytes; size, crop and words may not fit these."""
    changed, gone = [], []
    for record in at.records:
        try:
            path = find_image(at.project, record)
        except LorawizError as error:
            yield Problem(error.message, error.hint)
            continue
        if not path.is_file():
            gone.append(record.image_path)
        elif file_sha256(path) != record.sha256:
            changed.append(record.image_path)
    if gone:
        yield Problem(
            f"not there: {name_some(gone)}",
            "put the files back, or set their keep to false in dataset.jsonl",
        )
    if changed:
        yield Problem(
            f"not the files that were added: {name_some(changed)}",
            "put the old files back, or add the new ones under other names",
        )


@rule("images-small", "warning")
def find_small_images(at: Inspection) -> Iterator[Problem]:
    """An image smaller than its bucket is enlarged: the LoRA learns the blur."""
    small, has_tiny = [], False
    for record in at.records:
        width, height = record.content_size
        resized = fit_bucket((width, height), at.spec.dataset).resized
        if resized[0] > width or resized[1] > height:
            small.append(record.image_path)
            has_tiny = has_tiny or min(width, height) < at.spec.dataset.bucket_reso_steps
    if small:
        yield Problem(
            f"smaller than their bucket: {name_some(small)}",
            "set their keep to false in dataset.jsonl: no bucket is that small"
            if has_tiny
            else "lorawiz set dataset.bucket_no_upscale true, or a smaller dataset.resolution",
            "dataset.resolution",
        )


@rule("batch-larger-than-bucket", "info")
def find_thin_buckets(at: Inspection) -> Iterator[Problem]:
    """A bucket with fewer images than the batch gives small batches: more and noisier steps."""
    table = at.spec.dataset
    buckets = count_buckets((r.content_size for r in at.records), table)
    thin = [size for size, count in buckets.items() if count * table.num_repeats < table.batch_size]
    if thin and len(buckets) > 1:
        shown = ", ".join(f"{w}×{h}" for w, h in thin[:3])
        yield Problem(
            f"{len(thin)} of {len(buckets)} buckets hold less than a batch of {table.batch_size}: "
            f"{shown}",
            "lorawiz set dataset.batch_size 1, or crop the photos to one aspect",
            "dataset.batch_size",
        )


@rule("flip-on-face", "info")
def find_flipped_faces(at: Inspection) -> Iterator[Problem]:
    """Faces are not symmetric: mirrored ones teach a face that nobody has."""
    if at.spec.dataset.flip_aug and at.spec.project.class_word in (
        "woman",
        "man",
        "person",
        "face",
    ):
        yield Problem(
            "flip_aug mirrors the face", "lorawiz set dataset.flip_aug false", "dataset.flip_aug"
        )
