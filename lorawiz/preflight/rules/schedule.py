"""Rules on how long a run is and what happens along its way."""

from collections.abc import Iterator

from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import set_to, unset
from lorawiz.preflight.inspection import Inspection

FEW_STEPS = 300


@rule("steps-few", "warning")
def find_few_steps(at: Inspection) -> Iterator[Problem]:
    """A LoRA of a face or a style wants several hundred updates; fewer hardly change the base."""
    count, train = at.count, at.spec.train
    if 0 < count.total_steps < FEW_STEPS:
        epochs = -(-FEW_STEPS // count.steps_per_epoch)
        key = "train.max_train_epochs" if train.max_train_epochs else "train.max_train_steps"
        wanted = epochs if train.max_train_epochs else FEW_STEPS
        yield Problem(
            f"{count.total_steps} steps in all: {describe_steps(at)}",
            set_to(key, wanted),
            key,
        )


@rule("save-never-reached", "warning")
def find_unreached_saves(at: Inspection) -> Iterator[Problem]:
    """A save interval longer than the run saves nothing until the end: a crash loses it all."""
    train, count = at.spec.train, at.count
    every_epochs, every_steps = train.save_every_n_epochs, train.save_every_n_steps
    if count.total_steps == 0:
        return
    if every_epochs is not None and every_epochs >= count.num_epochs > 1:
        yield Problem(
            f"save_every_n_epochs = {every_epochs}, but there are {count.num_epochs} epochs",
            set_to("train.save_every_n_epochs", max(1, count.num_epochs // 10)),
            "train.save_every_n_epochs",
        )
    if every_steps is not None and every_steps >= count.total_steps:
        yield Problem(
            f"save_every_n_steps = {every_steps}, but there are {count.total_steps} steps",
            set_to("train.save_every_n_steps", max(1, count.total_steps // 10)),
            "train.save_every_n_steps",
        )


@rule("save-never", "warning")
def find_no_saves(at: Inspection) -> Iterator[Problem]:
    """Without saves on the way a crash loses the run, and there is nothing to compare."""
    train = at.spec.train
    if (
        train.save_every_n_epochs is None
        and train.save_every_n_steps is None
        and at.count.total_steps
    ):
        yield Problem(
            "nothing is saved before the end",
            set_to("train.save_every_n_epochs", max(1, at.count.num_epochs // 10)),
            "train",
        )


@rule("sample-never-reached", "warning")
def find_unreached_samples(at: Inspection) -> Iterator[Problem]:
    """A sample interval longer than the run draws only at the end, when it is too late to stop."""
    sample, count = at.spec.sample, at.count
    if not sample.prompts or count.total_steps == 0:
        return
    if sample.every_n_epochs is not None and sample.every_n_epochs >= count.num_epochs > 1:
        yield Problem(
            f"sample.every_n_epochs = {sample.every_n_epochs}, but there are "
            f"{count.num_epochs} epochs",
            set_to("sample.every_n_epochs", max(1, count.num_epochs // 5)),
            "sample.every_n_epochs",
        )
    if sample.every_n_steps is not None and sample.every_n_steps >= count.total_steps:
        yield Problem(
            f"sample.every_n_steps = {sample.every_n_steps}, but there are {count.total_steps} steps",
            set_to("sample.every_n_steps", max(1, count.total_steps // 5)),
            "sample.every_n_steps",
        )


@rule("sample-none", "warning")
def find_no_samples(at: Inspection) -> Iterator[Problem]:
    """Loss says little about a LoRA: without pictures on the way a run cannot be judged."""
    sample = at.spec.sample
    if not sample.prompts:
        trigger = f"{at.spec.project.trigger} {at.spec.project.class_word}".strip()
        prompt = f"a photo of {trigger}" if trigger else "a photo"
        yield Problem(
            "no sample prompts",
            set_to("sample.prompts", [prompt]),
            "sample.prompts",
        )
    elif not (sample.every_n_epochs or sample.every_n_steps or sample.at_first):
        yield Problem(
            "sample prompts, but no interval: none is ever drawn",
            set_to("sample.every_n_epochs", 2),
            "sample.prompts",
        )


@rule("warmup-too-long", "warning")
def find_long_warmup(at: Inspection) -> Iterator[Problem]:
    """A warm-up as long as the run never reaches the learning rate that is set."""
    warmup, total = at.spec.train.lr_warmup_steps, at.count.total_steps
    if total and warmup >= 1 and warmup >= total:
        yield Problem(
            f"lr_warmup_steps = {warmup:g}, but there are {total} steps",
            set_to("train.lr_warmup_steps", "0.05"),
            "train.lr_warmup_steps",
        )


@rule("steps-overridden", "info")
def find_overridden_steps(at: Inspection) -> Iterator[Problem]:
    """max_train_epochs takes the place of max_train_steps, as in sd-scripts."""
    train = at.spec.train
    if train.max_train_epochs is not None and "max_train_steps" in train.model_fields_set:
        yield Problem(
            f"max_train_steps = {train.max_train_steps} is not used: max_train_epochs is set",
            unset("train.max_train_steps"),
            "train.max_train_steps",
        )


def describe_steps(at: Inspection) -> str:
    """The arithmetic: 42 images × 2 repeats ÷ batch 4 × 20 epochs."""
    spec, count = at.spec, at.count
    num_class = count.num_class_images
    # of class images as many are seen as of the others
    per_epoch = " × 2 with class images" if num_class else ""
    text = (
        f"{count.num_images} images × {spec.dataset.num_repeats}{per_epoch} "
        f"÷ batch {spec.dataset.batch_size}"
    )
    if spec.train.gradient_accumulation_steps > 1:
        text += f" ÷ accumulation {spec.train.gradient_accumulation_steps}"
    if spec.launch.num_processes > 1:
        text += f" ÷ {spec.launch.num_processes} processes"
    return f"{text} = {count.steps_per_epoch} steps an epoch, {count.num_epochs} epochs"
