"""The effective prompt: what the text encoder reads for an image at a step.

One pure function serves the trainer, the checks and every screen. It follows sd-scripts'
`process_caption` (train_util.py) step by step; only the random numbers differ, which here
are a function of seed, epoch, image and repeat.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.seeds import derive_seed
from lorawiz.dataset.subsets import find_subset
from lorawiz.dataset.wildcards import Choose, expand_wildcards
from lorawiz.spec.tables import PromptTable, Spec


@dataclass(frozen=True, slots=True)
class PromptParts:
    """A caption text split for shuffling. What secondary_separator joins is one part."""

    kept: tuple[str, ...]
    shuffled: tuple[str, ...]
    kept_end: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunStep:
    """Where in a run a prompt is read; the warm-up of tags depends on it."""

    step: int
    """Counted from 1."""
    total_steps: int


@dataclass(frozen=True, slots=True)
class DrawnPrompt:
    """A prompt as it is trained, and how it came about."""

    text: str
    """What the text encoder reads."""
    parts: PromptParts | None = None
    """The parts in the order of `text`; None where the text is used as it stands."""
    is_dropped: bool = False
    """Empty by caption dropout."""

    def in_brackets(self) -> str:
        """The prompt with what stays in place in brackets: `[a woman, lyq] smile, hat`."""
        if self.parts is None:
            return self.text
        kept, shuffled, kept_end = (
            ", ".join(tags) for tags in (self.parts.kept, self.parts.shuffled, self.parts.kept_end)
        )
        shown = [f"[{kept}]" if kept else "", shuffled, f"[{kept_end}]" if kept_end else ""]
        return " ".join(filter(None, shown))


def effective_prompt(
    record: ImageRecord, spec: Spec, epoch: int, repeat: int = 0, at: RunStep | None = None
) -> str:
    """The prompt of an image in `epoch` (counted from 1). Same inputs, same string.

    Without `at` it is the prompt behind the warm-up of tags.
    """
    return draw_prompt(record, spec, epoch, repeat, at).text


def draw_prompt(
    record: ImageRecord, spec: Spec, epoch: int, repeat: int = 0, at: RunStep | None = None
) -> DrawnPrompt:
    """The effective prompt with its parts, for those who show it."""
    table, seed = spec.prompt, spec.train.seed
    key = (record.image_path, epoch, repeat)
    if _is_dropped(table, epoch, seed, key):
        return DrawnPrompt("", is_dropped=True)
    text = prompt_text(record, spec)
    if table.enable_wildcard:
        text = _draw_line(text, random.Random(derive_seed(seed, "wildcards", *key)).choice)
    else:
        text = text.split("\n", 1)[0]
    if not splits(table):
        return DrawnPrompt(_join_groups(text, table))
    parts = split_prompt(text, table)
    tags = list(_warm_up(parts.shuffled, table, at))
    draw = random.Random(derive_seed(seed, "tags", *key))
    if table.shuffle_caption:
        draw.shuffle(tags)
    if table.caption_tag_dropout_rate > 0:
        tags = [tag for tag in tags if draw.random() >= table.caption_tag_dropout_rate]
    return _join_parts(PromptParts(parts.kept, tuple(tags), parts.kept_end), table)


def prompt_text(record: ImageRecord, spec: Spec) -> str:
    """Caption, separator and tags, with prefix and suffix, before anything random.

    An image without caption and tags is trained with trigger and class word, a class image with
    the class alone. With wildcards, tags stand behind each line of the caption; the prefix is before the first line alone, and
    the suffix behind the last, as in sd-scripts.
    """
    table = spec.prompt
    text = _join_words(record, table) or _name_wordless(record, spec)
    if table.caption_prefix:
        text = f"{table.caption_prefix} {text}"
    if table.caption_suffix:
        text = f"{text} {table.caption_suffix}"
    return text


def _name_wordless(record: ImageRecord, spec: Spec) -> str:
    """The prompt of an image that has no words."""
    project, subset = spec.project, find_subset(record, spec.dataset)
    if subset is not None and subset.class_tokens:
        return subset.class_tokens
    if subset is not None and subset.is_reg:
        return project.class_word
    return f"{project.trigger} {project.class_word}".strip()


def prompt_lines(record: ImageRecord, spec: Spec, choose: Choose) -> list[str]:
    """Each text that can be drawn as the prompt, before it is split; `choose` for wildcards.

    Without wildcards that is the first line alone.
    """
    lines = prompt_text(record, spec).split("\n")
    if not spec.prompt.enable_wildcard:
        return lines[:1]
    return [expand_wildcards(line, choose) for line in lines]


def longest_prompt(record: ImageRecord, spec: Spec, measure: Callable[[str], int]) -> str:
    """The prompt that measures most: nothing left out, of each wildcard the longest choice."""
    lines = prompt_lines(record, spec, lambda choices: max(choices, key=measure))
    return max((join_line(line, spec.prompt) for line in lines), key=measure)


def join_line(line: str, table: PromptTable) -> str:
    """A drawn line as the text encoder reads it when nothing is shuffled or left out."""
    if not splits(table):
        return _join_groups(line, table)
    return _join_parts(split_prompt(line, table), table).text


def settled_prompt(record: ImageRecord, spec: Spec, seed: int) -> str:
    """The prompt that an image is measured with: nothing shuffled, nothing left out.

    Wildcards are drawn once, by `seed`. Where prompts do not vary it is the one that is trained.
    """
    draw = random.Random(derive_seed(seed, "wildcards", record.image_path))
    return join_line(prompt_lines(record, spec, draw.choice)[0], spec.prompt)


def split_prompt(text: str, table: PromptTable) -> PromptParts:
    """`text` as the part that stays in place and the tags that are shuffled or left out."""
    mark = table.keep_tokens_separator
    if mark and mark in text:
        kept, _, rest = text.partition(mark)
        shuffled, _, kept_end = rest.partition(mark)
        return PromptParts(*(_split_filled(each, table) for each in (kept, shuffled, kept_end)))
    tags = _split(text.strip(), table)
    return PromptParts(tags[: table.keep_tokens], tags[table.keep_tokens :])


def splits(table: PromptTable) -> bool:
    """Whether prompts are split into parts; otherwise a text is used as it stands."""
    return (
        table.shuffle_caption or table.token_warmup_step > 0 or table.caption_tag_dropout_rate > 0
    )


def varies(table: PromptTable) -> bool:
    """Whether an image's prompt can differ from step to step."""
    return (
        splits(table)
        or table.enable_wildcard
        or table.caption_dropout_rate > 0
        or table.caption_dropout_every_n_epochs > 0
    )


def count_warmup_steps(table: PromptTable, total_steps: int) -> float:
    """Steps of the warm-up of tags; a share of all steps is rounded down."""
    steps = table.token_warmup_step
    return steps if steps >= 1 else math.floor(steps * total_steps)


def _join_words(record: ImageRecord, table: PromptTable) -> str:
    separator = table.caption_separator
    tags = (separator if separator.endswith(" ") else f"{separator} ").join(record.tags)
    if not table.enable_wildcard:
        return separator.join(filter(None, (record.caption, tags)))
    tags = tags.replace("\n", separator)
    lines = [line for line in record.caption.split("\n") if line.strip()]
    # sd-scripts would lose the tags of an image without a caption here
    return "\n".join(separator.join(filter(None, (line, tags))) for line in lines or [""])


def _is_dropped(table: PromptTable, epoch: int, seed: int, key: tuple[str | int, ...]) -> bool:
    every, rate = table.caption_dropout_every_n_epochs, table.caption_dropout_rate
    if every > 0 and epoch % every == 0:
        return True
    return rate > 0 and random.Random(derive_seed(seed, "caption-dropout", *key)).random() < rate


def _draw_line(text: str, choose: Choose) -> str:
    lines = text.split("\n")
    return expand_wildcards(choose(lines) if len(lines) > 1 else text, choose)


def _warm_up(tags: tuple[str, ...], table: PromptTable, at: RunStep | None) -> tuple[str, ...]:
    """The tags that are shown at a step: the first few, and one by one the others."""
    if at is None:
        return tags
    # sd-scripts counts steps done too, but behind by what its data loader reads ahead
    num_steps, num_done = count_warmup_steps(table, at.total_steps), at.step - 1
    if num_done >= num_steps:
        return tags
    per_step = (len(tags) - table.token_warmup_min) / num_steps
    return tags[: math.floor(num_done * per_step) + table.token_warmup_min]


def _split_filled(text: str, table: PromptTable) -> tuple[str, ...]:
    return tuple(filter(None, _split(text, table)))


def _split(text: str, table: PromptTable) -> tuple[str, ...]:
    return tuple([part.strip() for part in text.split(table.caption_separator)])


def _join_groups(text: str, table: PromptTable) -> str:
    """`text` with caption_separator for secondary_separator."""
    mark = table.secondary_separator
    return text.replace(mark, table.caption_separator) if mark else text


def _join_parts(parts: PromptParts, table: PromptTable) -> DrawnPrompt:
    text = ", ".join([*parts.kept, *parts.shuffled, *parts.kept_end])
    if not table.secondary_separator:
        return DrawnPrompt(text, parts)
    shown = [
        tuple(_join_groups(tag, table) for tag in tags)
        for tags in (parts.kept, parts.shuffled, parts.kept_end)
    ]
    return DrawnPrompt(_join_groups(text, table), PromptParts(*shown))
