"""The effective prompt: what the text encoder reads for an image in an epoch.

One pure function serves the trainer, the checks and every screen. It follows sd-scripts'
`process_caption` (train_util.py) step by step; only the random numbers differ, which here
are a function of seed, epoch and image.
"""

import random
from dataclasses import dataclass

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.seeds import derive_seed
from lorawiz.spec.tables import PromptTable, Spec


@dataclass(frozen=True)
class PromptParts:
    """A caption text split for shuffling."""

    kept: tuple[str, ...]
    shuffled: tuple[str, ...]
    kept_end: tuple[str, ...] = ()


def effective_prompt(record: ImageRecord, spec: Spec, epoch: int, repeat: int = 0) -> str:
    """The prompt of an image in `epoch` (counted from 1). Same inputs, same string."""
    table = spec.prompt
    key = (record.image_path, epoch, repeat)
    if _is_dropped(table, epoch, derive_seed(spec.train.seed, "caption-dropout", *key)):
        return ""
    text = prompt_text(record, spec).split("\n")[0]
    if not (table.shuffle_caption or table.caption_tag_dropout_rate > 0):
        return text
    parts = split_prompt(text, table)
    draw = random.Random(derive_seed(spec.train.seed, "tags", *key))
    tags = list(parts.shuffled)
    if table.shuffle_caption:
        draw.shuffle(tags)
    if table.caption_tag_dropout_rate > 0:
        tags = [tag for tag in tags if draw.random() >= table.caption_tag_dropout_rate]
    return ", ".join([*parts.kept, *tags, *parts.kept_end])


def prompt_text(record: ImageRecord, spec: Spec) -> str:
    """Caption, separator and tags, with prefix and suffix, before anything random.

    An image without caption and tags is trained with trigger and class word.
    """
    table, project = spec.prompt, spec.project
    words = [text for text in (record.caption, ", ".join(record.tags)) if text]
    text = table.caption_separator.join(words) or f"{project.trigger} {project.class_word}".strip()
    if table.caption_prefix:
        text = f"{table.caption_prefix} {text}"
    if table.caption_suffix:
        text = f"{text} {table.caption_suffix}"
    return text


def split_prompt(text: str, table: PromptTable) -> PromptParts:
    """`text` as the part that stays in place and the tags that are shuffled or dropped."""
    mark = table.keep_tokens_separator
    if mark and mark in text:
        kept, _, rest = text.partition(mark)
        shuffled, _, kept_end = rest.partition(mark)
        return PromptParts(_split(kept, table), _split(shuffled, table), _split(kept_end, table))
    tags = [tag.strip() for tag in text.strip().split(table.caption_separator)]
    return PromptParts(tuple(tags[: table.keep_tokens]), tuple(tags[table.keep_tokens :]))


def varies(table: PromptTable) -> bool:
    """Whether an image's prompt can differ from epoch to epoch."""
    return (
        table.shuffle_caption
        or table.caption_tag_dropout_rate > 0
        or table.caption_dropout_rate > 0
        or table.caption_dropout_every_n_epochs > 0
    )


def _split(text: str, table: PromptTable) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in text.split(table.caption_separator) if tag.strip())


def _is_dropped(table: PromptTable, epoch: int, seed: int) -> bool:
    every = table.caption_dropout_every_n_epochs
    if every > 0 and epoch % every == 0:
        return True
    return table.caption_dropout_rate > 0 and random.Random(seed).random() < (
        table.caption_dropout_rate
    )
