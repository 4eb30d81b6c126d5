"""Rules on the trigger, captions, tags and prompts."""

from collections.abc import Iterator, Sequence

from lorawiz.dataset.prompts import split_prompt
from lorawiz.errors import visible_text
from lorawiz.families.clip import CHUNK_TOKENS, count_tokens
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.inspection import Inspection

MANY_TRIGGER_TOKENS = 3


@rule("trigger-unset", "warning")
def find_unset_trigger(at: Inspection) -> Iterator[Problem]:
    """Without a trigger the LoRA cannot be called by a word of its own."""
    if not at.spec.project.trigger:
        yield Problem("no trigger", "lorawiz set project.trigger WORD", "project.trigger")


@rule("trigger-absent", "warning")
def find_absent_trigger(at: Inspection) -> Iterator[Problem]:
    """An image whose prompt lacks the trigger teaches its content to the prompt's other words."""
    if not at.spec.project.trigger:
        return
    absent = [
        path for path, prompt in at.prompts.items() if at.find_part_of_trigger(prompt) is None
    ]
    if absent:
        yield Problem(
            f"the trigger {visible_text(at.spec.project.trigger)!r} is missing in {name_some(absent)}",
            f"lorawiz set prompt.caption_prefix '{at.spec.project.trigger},'",
            "project.trigger",
        )


@rule("trigger-not-kept", "warning")
def find_shuffled_trigger(at: Inspection) -> Iterator[Problem]:
    """Shuffling moves the trigger about, so it is learnt less firmly than a word in its place."""
    if not (at.spec.project.trigger and at.spec.prompt.shuffle_caption):
        return
    loose, deepest = [], 0
    for path, prompt in at.prompts.items():
        index = at.find_part_of_trigger(prompt)
        if index is not None and index >= len(split_prompt(prompt, at.spec.prompt).kept):
            loose.append(path)
            deepest = max(deepest, index)
    if loose:
        yield Problem(
            f"the trigger is in the shuffled part of {name_some(loose)}",
            f"lorawiz set prompt.keep_tokens {deepest + 1}",
            "prompt.keep_tokens",
        )


@rule("trigger-not-first", "info")
def find_late_trigger(at: Inspection) -> Iterator[Problem]:
    """CLIP gives the first words the most weight: the trigger is best first, or behind a caption."""
    if not at.spec.project.trigger:
        return
    late = [
        path for path, prompt in at.prompts.items() if (at.find_part_of_trigger(prompt) or 0) > 1
    ]
    if late:
        yield Problem(
            f"the trigger is neither first nor right behind the caption in {name_some(late)}",
            "put it first in the tags of dataset.jsonl",
            "project.trigger",
        )


@rule("trigger-many-tokens", "info")
def find_long_trigger(at: Inspection) -> Iterator[Problem]:
    """A trigger of many tokens is made of word parts that mean something already."""
    trigger = at.spec.project.trigger
    num_tokens = count_tokens(trigger) if trigger else 0
    if num_tokens > MANY_TRIGGER_TOKENS:
        yield Problem(
            f"the trigger {visible_text(trigger)!r} is {num_tokens} tokens",
            "lorawiz set project.trigger a short rare word, such as lyq or ohwx",
            "project.trigger",
        )


@rule("caption-comma", "warning")
def find_caption_commas(at: Inspection) -> Iterator[Problem]:
    """keep_tokens counts comma parts: a comma inside a caption pushes the trigger out of them."""
    prompt = at.spec.prompt
    if not (prompt.shuffle_caption and prompt.keep_tokens and prompt.caption_separator):
        return
    split = [r.image_path for r in at.records if r.tags and prompt.caption_separator in r.caption]
    if split and not prompt.keep_tokens_separator:
        yield Problem(
            f"a {prompt.caption_separator!r} inside the caption of {name_some(split)} counts as a "
            f"kept part",
            "take the commas out of these captions in dataset.jsonl, or raise prompt.keep_tokens",
            "prompt.keep_tokens",
        )


@rule("captions-missing", "warning")
def find_missing_captions(at: Inspection) -> Iterator[Problem]:
    """An image without words is trained as `trigger class_word`: all of it becomes the trigger."""
    bare = [r.image_path for r in at.records if not (r.caption or r.tags)]
    if bare:
        shown = f"{at.spec.project.trigger} {at.spec.project.class_word}".strip()
        yield Problem(
            f"neither caption nor tags for {name_some(bare)}: trained as {visible_text(shown)!r}",
            "write them into dataset.jsonl, or lorawiz add photos with .caption and .txt beside them",
        )


@rule("prompt-too-long", "warning")
def find_long_prompts(at: Inspection) -> Iterator[Problem]:
    """The text encoder reads 75 tokens; what stands behind them is never seen."""
    long = [path for path, count in at.num_tokens.items() if count > CHUNK_TOKENS]
    if long:
        most = max(at.num_tokens[path] for path in long)
        yield Problem(
            f"prompts over {CHUNK_TOKENS} tokens (up to {most}): {name_some(long)}",
            "shorten their captions or tags in dataset.jsonl",
        )


@rule("keep-tokens-idle", "info")
def find_idle_keep_tokens(at: Inspection) -> Iterator[Problem]:
    """keep_tokens holds parts in place; where nothing is shuffled or dropped it does nothing."""
    prompt = at.spec.prompt
    if (
        "keep_tokens" in prompt.model_fields_set
        and prompt.keep_tokens
        and not (prompt.shuffle_caption or prompt.caption_tag_dropout_rate)
    ):
        yield Problem(
            f"keep_tokens = {prompt.keep_tokens} has no effect without shuffle_caption",
            "lorawiz set prompt.shuffle_caption true",
            "prompt.keep_tokens",
        )


def name_some(paths: Sequence[str], most: int = 3) -> str:
    """`IMG_1.jpg, IMG_2.jpg and 12 more`."""
    names = [visible_text(path.rpartition("/")[2]) for path in paths[:most]]
    rest = len(paths) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")
