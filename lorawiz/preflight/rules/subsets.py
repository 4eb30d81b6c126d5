"""Rules on [[dataset.subsets]] and class images."""

from collections.abc import Iterator

from lorawiz.dataset.batches import find_unused
from lorawiz.dataset.subsets import find_subset
from lorawiz.errors import visible_text
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import by_hand, choose_photos, edit_setting, review, unset
from lorawiz.preflight.inspection import Inspection
from lorawiz.wording import show_count


@rule("subset-empty", "error")
def find_empty_subsets(at: Inspection) -> Iterator[Problem]:
    """A subset without images is a folder that was named wrongly, or not filled yet."""
    used = {find_subset(record, at.spec.dataset) for record in at.all_records}
    for number, subset in enumerate(at.spec.dataset.subsets):
        if subset not in used:
            folder = visible_text(subset.image_dir)
            name = folder.removeprefix("images/")
            yield Problem(
                f"no image in {folder}/ is in use",
                by_hand(f"lorawiz add --subset {name} PHOTOS…", "only you have the photos"),
                f"dataset.subsets.{number}",
            )


@rule("prior-loss-weight-idle", "warning")
def find_idle_prior_weight(at: Inspection) -> Iterator[Problem]:
    """prior_loss_weight weighs class images; without any it does nothing at all."""
    if at.spec.train.prior_loss_weight != 1.0 and not at.class_records:
        yield Problem(
            "prior_loss_weight has no effect: there are no class images",
            unset("train.prior_loss_weight"),
            "train.prior_loss_weight",
        )


@rule("class-images-alone", "error")
def find_class_images_alone(at: Inspection) -> Iterator[Problem]:
    """Class images are seen as often as those of the subject: without any, never."""
    if at.class_records and not at.records:
        yield Problem(
            f"{show_count(len(at.class_records), 'class image')}, and none of the subject",
            choose_photos(),
            "dataset.subsets",
        )


@rule("class-images-unused", "info")
def find_unused_class_images(at: Inspection) -> Iterator[Problem]:
    """Each epoch sees as many class images as others; further ones are never seen."""
    unused = find_unused(at.spec, at.all_records) if at.records else set()
    if unused:
        yield Problem(
            f"{show_count(len(unused), 'class image')} never seen: there are more of them than "
            "views of the subject",
            edit_setting("dataset.num_repeats", words="{} sees more of them"),
            "dataset.subsets",
        )


@rule("class-image-has-trigger", "warning")
def find_class_images_with_trigger(at: Inspection) -> Iterator[Problem]:
    """Class images keep the class as the base knows it: the trigger must not call it."""
    trigger = at.spec.project.trigger
    found = [
        record.image_path
        for record in at.class_records
        if trigger and trigger in (*record.tags, *record.caption.split())
    ]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Problem(
            f"the trigger is in the words of the class image {visible_text(found[0])}{more}",
            review(image_paths=found),
            "dataset.subsets",
        )
