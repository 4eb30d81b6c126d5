"""Rules on the trigger, captions, tags and prompts."""

import re
from collections.abc import Iterator, Sequence

from lorawiz.dataset.prompts import count_warmup_steps, prompt_text, split_prompt, splits
from lorawiz.dataset.wildcards import has_wildcard
from lorawiz.errors import visible_text
from lorawiz.families.clip import count_tokens
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import Fix, add_rule, edit_setting, review, run, set_to, unset
from lorawiz.preflight.inspection import Inspection

MANY_TRIGGER_TOKENS = 3
_PREPEND = add_rule("prepend", tags=["{trigger}"])


@rule("trigger-unset", "warning")
def find_unset_trigger(at: Inspection) -> Iterator[Problem]:
    """Without a trigger the LoRA cannot be called by a word of its own."""
    if not at.spec.project.trigger:
        yield Problem("no trigger", edit_setting("project.trigger", "WORD"), "project.trigger")


@rule("trigger-absent", "warning")
def find_absent_trigger(at: Inspection) -> Iterator[Problem]:
    """An image whose prompt lacks the trigger teaches its content to the prompt's other words."""
    if not at.spec.project.trigger:
        return
    absent = [path for path, indices in at.trigger_parts.items() if None in indices]
    if absent:
        # a prefix is put before the first line alone
        has_lines = any(len(at.prompts[path]) > 1 for path in absent)
        prefix = set_to("prompt.caption_prefix", f"{at.spec.project.trigger},")
        yield Problem(
            f"the trigger {visible_text(at.spec.project.trigger)!r} is missing in {name_some(absent)}",
            (_PREPEND if has_lines else prefix | _PREPEND) | review(image_paths=absent),
            "project.trigger",
        )


@rule("trigger-not-kept", "warning")
def find_shuffled_trigger(at: Inspection) -> Iterator[Problem]:
    """Behind the kept part the trigger is moved about or left out, so it is learnt less firmly."""
    if not (at.spec.project.trigger and splits(at.spec.prompt)):
        return
    mark = at.spec.prompt.keep_tokens_separator
    loose, deepest, has_mark = [], 0, False
    for path, indices in at.trigger_parts.items():
        for text, index in zip(at.prompts[path], indices, strict=True):
            if index is not None and _is_loose(text, index, at):
                loose.append(path)
                deepest = max(deepest, index)
                has_mark |= bool(mark) and mark in text
    if loose:
        paths = list(dict.fromkeys(loose))
        words = f"write it before the {visible_text(mark)} in these captions: {{}}"
        yield Problem(
            f"the trigger is in the shuffled part of {name_some(paths)}",
            review(image_paths=paths, words=words)
            if has_mark
            else set_to("prompt.keep_tokens", deepest + 1),
            "prompt.keep_tokens",
        )


def _is_loose(text: str, index: int, at: Inspection) -> bool:
    parts = split_prompt(text, at.spec.prompt)
    return 0 <= index - len(parts.kept) < len(parts.shuffled)


@rule("trigger-not-first", "info")
def find_late_trigger(at: Inspection) -> Iterator[Problem]:
    """CLIP gives the first words the most weight: the trigger is best first, or behind a caption."""
    if not at.spec.project.trigger:
        return
    late = [
        path
        for path, indices in at.trigger_parts.items()
        if any(index is not None and index > 1 for index in indices)
    ]
    if late:
        yield Problem(
            f"the trigger is neither first nor right behind the caption in {name_some(late)}",
            _PREPEND | review(image_paths=late),
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
            edit_setting("project.trigger", "WORD", "{}: a short rare one, such as lyq or ohwx"),
            "project.trigger",
        )


@rule("caption-comma", "warning")
def find_caption_commas(at: Inspection) -> Iterator[Problem]:
    """keep_tokens counts comma parts: a comma inside a caption pushes the trigger out of them."""
    prompt = at.spec.prompt
    if not (splits(prompt) and prompt.keep_tokens and prompt.caption_separator):
        return
    split = [r.image_path for r in at.records if r.tags and prompt.caption_separator in r.caption]
    if split and not prompt.keep_tokens_separator:
        yield Problem(
            f"a {prompt.caption_separator!r} inside the caption of {name_some(split)} counts as a "
            f"kept part",
            add_rule(
                "regex",
                "take it out: {}",
                pattern=re.escape(prompt.caption_separator),
                on="caption",
            )
            | edit_setting("prompt.keep_tokens", "N", "raise keep_tokens: {}")
            | review(image_paths=split),
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
            _describe_images(at) | review("tags:0 -caption:? keep:yes status:ok"),
        )


@rule("prompt-too-long", "warning")
def find_long_prompts(at: Inspection) -> Iterator[Problem]:
    """What stands behind the tokens that are read is never seen."""
    most_read = at.spec.prompt.max_token_length
    long = [path for path, count in at.num_tokens.items() if count > most_read]
    if long:
        most = max(at.num_tokens[path] for path in long)
        yield Problem(
            f"prompts over {most_read} tokens (up to {most}): {name_some(long)}",
            edit_setting("prompt.max_token_length", "150", "read more of them: {}")
            | review(f"tokens:>{most_read} keep:yes status:ok", words="shorten them: {}")
            | add_rule("limit", "keep the first tags: {}", max_tags=20),
        )


@rule("keep-tokens-idle", "info")
def find_idle_keep_tokens(at: Inspection) -> Iterator[Problem]:
    """keep_tokens holds parts in place; where nothing is shuffled or dropped it does nothing."""
    prompt = at.spec.prompt
    if "keep_tokens" in prompt.model_fields_set and prompt.keep_tokens and not splits(prompt):
        yield Problem(
            f"keep_tokens = {prompt.keep_tokens} has no effect without shuffle_caption",
            set_to("prompt.shuffle_caption", True) | unset("prompt.keep_tokens"),
            "prompt.keep_tokens",
        )


@rule("keep-mark-literal", "warning")
def find_literal_keep_marks(at: Inspection) -> Iterator[Problem]:
    """keep_tokens_separator is taken out only where prompts are split; otherwise it is trained."""
    mark = at.spec.prompt.keep_tokens_separator
    if not mark or splits(at.spec.prompt):
        return
    marked = [path for path, texts in at.prompts.items() if any(mark in text for text in texts)]
    if marked:
        yield Problem(
            f"nothing is shuffled, so {visible_text(mark)} is trained as it stands in "
            f"{name_some(marked)}",
            set_to("prompt.shuffle_caption", True) | review(image_paths=marked),
            "prompt.keep_tokens_separator",
        )


@rule("wildcards-literal", "warning")
def find_literal_wildcards(at: Inspection) -> Iterator[Problem]:
    """{a|b} means one of both only where wildcards are on; otherwise braces and bars are trained."""
    if at.spec.prompt.enable_wildcard:
        return
    literal = [path for path, texts in at.prompts.items() if any(map(has_wildcard, texts))]
    if literal:
        yield Problem(
            f"wildcards such as {{a|b}} are trained as they stand in {name_some(literal)}",
            set_to("prompt.enable_wildcard", True) | review(image_paths=literal),
            "prompt.enable_wildcard",
        )


@rule("caption-lines-unused", "warning")
def find_unused_lines(at: Inspection) -> Iterator[Problem]:
    """Without wildcards a prompt ends at its first line break; tags come behind the caption."""
    if at.spec.prompt.enable_wildcard:
        return
    cut = [r for r in at.records if "\n" in r.caption or "\n" in prompt_text(r, at.spec)]
    if cut:
        lost = " and no tag" if any(r.tags and "\n" in r.caption for r in cut) else ""
        yield Problem(
            f"only the first line of the caption{lost} is trained of "
            f"{name_some([r.image_path for r in cut])}",
            set_to("prompt.enable_wildcard", True)
            | add_rule("regex", pattern=r"\s*\n\s*", replacement=" ", on="caption")
            | review(image_paths=[record.image_path for record in cut]),
            "prompt.enable_wildcard",
        )


@rule("wildcards-idle", "info")
def find_idle_wildcards(at: Inspection) -> Iterator[Problem]:
    """With wildcards on, prompts count as changing, and the text encoder's outputs are not cached."""
    if not (at.spec.prompt.enable_wildcard and at.records):
        return
    texts = (prompt_text(record, at.spec) for record in at.records)
    if not any("\n" in text or "{{" in text or has_wildcard(text) for text in texts):
        yield Problem(
            "enable_wildcard is on, but no prompt has a {wildcard|choice} or several lines",
            set_to("prompt.enable_wildcard", False),
            "prompt.enable_wildcard",
        )


@rule("token-warmup-too-long", "warning")
def find_long_token_warmup(at: Inspection) -> Iterator[Problem]:
    """A warm-up of tags as long as the run never shows all of them."""
    warmup, total = at.spec.prompt.token_warmup_step, at.count.total_steps
    if total and warmup >= 1 and warmup >= total:
        yield Problem(
            f"token_warmup_step = {warmup:g}, but there are {total} steps",
            set_to("prompt.token_warmup_step", "0.3"),
            "prompt.token_warmup_step",
        )


@rule("token-warmup-idle", "info")
def find_idle_token_warmup(at: Inspection) -> Iterator[Problem]:
    """The warm-up adds tags behind the kept part one by one; it needs steps and more tags."""
    prompt = at.spec.prompt
    if prompt.token_warmup_step == 0:
        if prompt.token_warmup_min > 1:
            yield Problem(
                f"token_warmup_min = {prompt.token_warmup_min} has no effect without "
                "token_warmup_step",
                set_to("prompt.token_warmup_step", "0.3"),
                "prompt.token_warmup_min",
            )
        return
    if at.count.total_steps and not count_warmup_steps(prompt, at.count.total_steps):
        why = f"that share of {at.count.total_steps} steps is less than one"
    elif at.records and not any(
        len(split_prompt(text, prompt).shuffled) > prompt.token_warmup_min
        for texts in at.prompts.values()
        for text in texts
    ):
        why = f"no prompt has more than {prompt.token_warmup_min} tags behind the kept part"
    else:
        return
    yield Problem(
        f"token_warmup_step = {prompt.token_warmup_step:g} has no effect: {why}",
        set_to("prompt.token_warmup_step", "0"),
        "prompt.token_warmup_step",
    )


@rule("secondary-separator-idle", "info")
def find_idle_secondary_separator(at: Inspection) -> Iterator[Problem]:
    """secondary_separator joins tags to one part, where it is written between them."""
    prompt = at.spec.prompt
    mark = prompt.secondary_separator
    if not mark or not at.records:
        return
    if prompt.caption_separator and prompt.caption_separator in mark:
        why = f"it holds {prompt.caption_separator!r}, where tags are taken apart first"
    elif not any(mark in text for texts in at.prompts.values() for text in texts):
        why = "it is in no caption and no tag"
    else:
        return
    yield Problem(
        f"secondary_separator = {visible_text(mark)!r} has no effect: {why}",
        set_to("prompt.secondary_separator", ""),
        "prompt.secondary_separator",
    )


def _describe_images(at: Inspection) -> Fix:
    """Let the model that is set say something; where none is, one has to be chosen."""
    for command, model in (("tag", at.spec.tag.model), ("caption", at.spec.caption.model)):
        if model not in ("", "none"):
            return run(command)
    return edit_setting("tag.model", "MODEL", "{}, then lorawiz tag") | edit_setting(
        "caption.model", "MODEL", "{}, then lorawiz caption"
    )


def name_some(paths: Sequence[str], most: int = 3) -> str:
    """`IMG_1.jpg, IMG_2.jpg and 12 more`."""
    names = [visible_text(path.rpartition("/")[2]) for path in paths[:most]]
    rest = len(paths) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")
