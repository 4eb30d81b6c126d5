"""Rules on what crop, cutout, caption, tag and clean left behind."""

from collections.abc import Iterator

from lorawiz.dataset.masks import load_mask
from lorawiz.dataset.settling import settle_dataset
from lorawiz.errors import LorawizError
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import run, set_to
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.rules.words import name_some


@rule("masks-missing", "error")
def find_missing_masks(at: Inspection) -> Iterator[Problem]:
    """Masks stay out of git: on another machine they are made again, before anything is trained."""
    key = "train.masked_loss"
    if at.spec.cutout.background != "keep":
        key = "cutout.background"
    elif not at.spec.train.masked_loss:
        return
    missing = []
    for record in at.records:
        if not record.mask:
            continue
        try:
            load_mask(at.project, record)
        except LorawizError:
            missing.append(record.image_path)
    if missing:
        yield Problem(
            f"no mask, or another one, for {name_some(missing)}",
            run("cutout"),
            key,
        )


@rule("cutout-idle", "warning")
def find_idle_cutout(at: Inspection) -> Iterator[Problem]:
    """A background can only be replaced where there is a mask of the subject."""
    if at.spec.cutout.background == "keep" or not at.records:
        return
    bare = [record.image_path for record in at.records if not record.mask]
    if bare:
        yield Problem(
            f"cutout.background = {at.spec.cutout.background!r}, but no mask for {name_some(bare)}",
            run("cutout") | set_to("cutout.background", "keep"),
            "cutout.background",
        )


@rule("clean-due", "warning")
def find_due_cleaning(at: Inspection) -> Iterator[Problem]:
    """Rules and thresholds work on the words in use only when they are replayed."""
    changed = settle_dataset(at.project, at.spec, at.dataset).changed
    if changed:
        yield Problem(
            f"tags or captions are not what [tag] and [[clean]] make of them now: "
            f"{name_some([after.image_path for _, after in changed])}",
            run("clean", words="{} makes it so, {} --dry-run shows the difference"),
        )
