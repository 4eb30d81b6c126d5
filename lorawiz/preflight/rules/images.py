"""Rules on the images."""

from collections.abc import Iterator

from lorawiz.dataset.buckets import count_buckets, fit_bucket
from lorawiz.dataset.hashing import hash_images
from lorawiz.dataset.names import name_key
from lorawiz.dataset.problems import ProblemCode
from lorawiz.dataset.records import find_image
from lorawiz.errors import LorawizError, visible_text
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import Fix, by_hand, choose_photos, edit_setting, review, run, set_to
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.rules.words import name_some
from lorawiz.wording import show_count

PERSON_WORDS = frozenset(
    {"woman", "man", "person", "face", "girl", "boy", "lady", "guy", "child", "baby"}
)
_REVIEW = "{} shows them, space leaves one out"


@rule("images-none", "error")
def find_no_images(at: Inspection) -> Iterator[Problem]:
    """There is nothing to train on."""
    if not at.records:
        kept_out = len(at.dataset.records)
        note = f" ({kept_out} are rejected or broken)" if kept_out else ""
        fix = choose_photos()
        if kept_out:
            fix |= review("keep:no or status:broken", words="{} takes some back")
        yield Problem(f"no images{note}", fix)


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
            review("status:broken keep:yes", words=_REVIEW)
            | by_hand("add a good copy under another name", "only you may have one"),
        )


@rule("images-changed", "error")
def find_changed_images(at: Inspection) -> Iterator[Problem]:
    """dataset.jsonl was written for other bytes; size, crop and words may not fit these."""
    inside = []
    for record in at.records:
        try:
            find_image(at.project, record)
        except LorawizError as error:
            fix = review(image_paths=[record.image_path], words=f"{_REVIEW}; {error.hint}")
            yield Problem(error.message, fix)
        else:
            inside.append(record)
    hashes = hash_images(at.project, inside)
    gone = [path for path, sha256 in hashes.items() if sha256 is None]
    changed = [r.image_path for r in inside if hashes[r.image_path] not in (None, r.sha256)]
    if gone:
        yield Problem(
            f"not there: {name_some(gone)}",
            review(image_paths=gone, words=_REVIEW)
            | by_hand("put the files back", "only you may have them"),
        )
    if changed:
        yield Problem(
            f"not the files that were added: {name_some(changed)}",
            review(image_paths=changed, words=_REVIEW)
            | by_hand("put the old files back", "only you may have them")
            | by_hand("add the new ones under other names", "only you know which to keep"),
        )


@rule("images-same-name", "warning")
def find_same_names(at: Inspection) -> Iterator[Problem]:
    """Other tools know an image by its name without the ending, and some disks ignore case."""
    first: dict[str, str] = {}
    twins, paths = [], []
    for record in at.records:
        other = first.setdefault(name_key(record.image_path), record.image_path)
        if other != record.image_path:
            paths += [other, record.image_path]
            twins.append(f"{other.rpartition('/')[2]} and {record.image_path.rpartition('/')[2]}")
    if twins:
        yield Problem(
            f"one name for two images: {name_some(twins)}",
            review(image_paths=list(dict.fromkeys(paths)), words=_REVIEW)
            | by_hand("rename one of the files and add it again", "the files are yours"),
        )


@rule("images-duplicate", "warning")
def find_duplicates(at: Inspection) -> Iterator[Problem]:
    """A picture that is in twice is trained twice as often as the others."""
    yield from _tell(at, {"duplicate"}, "in the dataset twice")


@rule("images-near-duplicate", "info")
def find_near_duplicates(at: Inspection) -> Iterator[Problem]:
    """Nearly equal pictures weigh like one that is repeated: their pose and light are learnt too."""
    yield from _tell(at, {"near-duplicate"}, "nearly the same as another")


@rule("images-blurred", "warning")
def find_blurred_images(at: Inspection) -> Iterator[Problem]:
    """The LoRA learns the blur of its photos."""
    yield from _tell(at, {"blurred"}, "not sharp")


@rule("images-exposure", "info")
def find_badly_lit_images(at: Inspection) -> Iterator[Problem]:
    """Where a photo is black or white, there is nothing to learn from."""
    yield from _tell(at, {"dark", "bright", "clipped"}, "badly lit")


@rule("faces-none", "warning")
def find_images_without_face(at: Inspection) -> Iterator[Problem]:
    """A photo of a person without the face says little about who it is."""
    if _is_person(at):
        yield from _tell(at, {"no-face"}, "without a face")


@rule("faces-several", "warning")
def find_images_with_several_faces(at: Inspection) -> Iterator[Problem]:
    """With two faces in a picture, the trigger means both."""
    if _is_person(at):
        fix = run("crop", words="crop to the largest of them: {}")
        yield from _tell(at, {"several-faces"}, "with several faces", fix)


@rule("faces-small", "info")
def find_small_faces(at: Inspection) -> Iterator[Problem]:
    """The VAE blurs a face of few pixels; closer crops teach more of it."""
    if _is_person(at):
        fix = run("crop", words="crop closer: {}")
        yield from _tell(at, {"small-face"}, "with a small face", fix)


@rule("images-small", "warning")
def find_small_images(at: Inspection) -> Iterator[Problem]:
    """An image smaller than its bucket is enlarged: the LoRA learns the blur."""
    small, tiny = [], []
    for record in at.records:
        width, height = record.content_size
        resized = fit_bucket((width, height), at.spec.dataset).resized
        if resized[0] > width or resized[1] > height:
            small.append(record.image_path)
            if min(width, height) < at.spec.dataset.bucket_reso_steps:
                tiny.append(record.image_path)
    if small:
        yield Problem(
            f"smaller than their bucket: {name_some(small)}",
            review(image_paths=tiny, words=f"no bucket is that small: {_REVIEW}")
            if tiny
            else set_to("dataset.bucket_no_upscale", True)
            | edit_setting("dataset.resolution", "PIXELS", "a smaller resolution: {}"),
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
            set_to("dataset.batch_size", 1)
            | by_hand("crop the photos to one aspect", "what may be cut off is yours to say"),
            "dataset.batch_size",
        )


@rule("flip-on-face", "info")
def find_flipped_faces(at: Inspection) -> Iterator[Problem]:
    """Faces are not symmetric: mirrored ones teach a face that nobody has."""
    if at.spec.dataset.flip_aug and _is_person(at):
        yield Problem(
            "flip_aug mirrors the face", set_to("dataset.flip_aug", False), "dataset.flip_aug"
        )


def _tell(
    at: Inspection, codes: set[ProblemCode], what: str, fix: Fix | None = None, most: int = 3
) -> Iterator[Problem]:
    """One problem of all images with one of these codes; the first few with their figures."""
    found = [each for each in at.image_problems if each.code in codes]
    if found:
        told = [f"{name_some([each.image_path])} ({each.message})" for each in found[:most]]
        rest = f" and {len(found) - most} more" if len(found) > most else ""
        look = review(" or ".join(f"finding:{code}" for code in sorted(codes)), words=_REVIEW)
        yield Problem(
            f"{show_count(len(found), 'image')} {what}: {', '.join(told)}{rest}",
            look if fix is None else fix | look,
        )


def _is_person(at: Inspection) -> bool:
    return at.spec.project.class_word.lower() in PERSON_WORDS
