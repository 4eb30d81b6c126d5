"""Rules on what is trained: settings that the kind does not read, and the new word."""

from collections.abc import Iterator

from lorawiz.errors import visible_text
from lorawiz.families.clip import count_tokens
from lorawiz.families.clip.new_token import has_token
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import Fix, add_rule, edit_setting, review, set_to, unset
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.rules.words import name_some
from lorawiz.spec.optimizers import find_optimizer

_TABLE = "textual_inversion"
_OF_ALL_KINDS = frozenset({"kind", "train_unet_only", "train_text_encoder_only"})


@rule("nothing-trained", "error")
def find_nothing_trained(at: Inspection) -> Iterator[Problem]:
    """network.kind = "none" is for textual inversion alone: without a new word nothing trains."""
    if at.spec.network.kind == "none" and not at.spec.trains_token:
        yield Problem(
            "network.kind = 'none' and no new word: nothing would be trained",
            set_to("network.kind", "lora") | edit_setting(f"{_TABLE}.token_string", "WORD"),
            "network.kind",
        )


@rule("lora-settings-idle", "info")
def find_idle_lora_settings(at: Inspection) -> Iterator[Problem]:
    """Rank, scale and dropout belong to a LoRA: nothing else that is trained has them."""
    network = at.spec.network
    if network.has_adapter:
        return
    chosen = network.model_fields_set - _OF_ALL_KINDS
    idle = [key for key in type(network).model_fields if key in chosen]
    if idle:
        yield Problem(
            f"{', '.join(idle)} without effect: network.kind = {network.kind!r}",
            unset(*(f"network.{key}" for key in idle)) | set_to("network.kind", "lora"),
            f"network.{idle[0]}",
        )


@rule("save-model-as-idle", "warning")
def find_idle_model_format(at: Inspection) -> Iterator[Problem]:
    """Only whole models can be diffusers folders; a LoRA is one file, which diffusers reads."""
    train = at.spec.train
    if train.save_model_as != "safetensors" and not at.spec.trains_full:
        yield Problem(
            f"save_model_as = {train.save_model_as!r} has no effect: a LoRA is one file",
            unset("train.save_model_as") | set_to("network.kind", "full"),
            "train.save_model_as",
        )


@rule("new-word-known", "error")
def find_known_word(at: Inspection) -> Iterator[Problem]:
    """A word that is one token has a meaning already: as a new word it would lose it everywhere."""
    word = at.spec.textual_inversion.token_string
    if word and count_tokens(word) == 1:
        yield Problem(
            f"{visible_text(word)!r} is a word that CLIP knows",
            edit_setting(f"{_TABLE}.token_string", "WORD", "{}: one of your own, such as ohwx-lyq"),
            f"{_TABLE}.token_string",
        )


@rule("new-word-beginning", "error")
def find_unfit_beginning(at: Inspection) -> Iterator[Problem]:
    """The new word's vectors begin as those of known words: one for all, or one for each."""
    table, word = at.spec.textual_inversion, at.spec.init_word
    if not table.token_string:
        return
    edit = edit_setting(f"{_TABLE}.init_word", "WORD", "{}: such as woman")
    if not word.strip():
        yield Problem(
            f"neither {_TABLE}.init_word nor project.class_word says what the new word begins as",
            edit,
            f"{_TABLE}.init_word",
        )
        return
    num_tokens = count_tokens(word)
    if num_tokens not in (1, table.num_vectors_per_token):
        key = f"{_TABLE}.init_word" if table.init_word else "project.class_word"
        fix = edit if table.init_word else edit_setting(f"{_TABLE}.init_word", "WORD")
        yield Problem(
            f"the new word begins as {visible_text(word)!r}: {num_tokens} tokens, for "
            f"num_vectors_per_token = {table.num_vectors_per_token}",
            fix | set_to(f"{_TABLE}.num_vectors_per_token", str(num_tokens)),
            key,
        )


@rule("new-word-nowhere", "error")
def find_unused_word(at: Inspection) -> Iterator[Problem]:
    """A word that is in no prompt gets no gradient: nothing would be trained of it."""
    word = at.spec.textual_inversion.token_string
    if word and at.prompts and len(_list_without(at, word)) == len(at.prompts):
        yield Problem(
            f"the new word {visible_text(word)!r} is in no prompt",
            _mend_absent(at, word),
            f"{_TABLE}.token_string",
        )


@rule("new-word-absent", "warning")
def find_absent_word(at: Inspection) -> Iterator[Problem]:
    """An image whose prompt lacks the new word teaches it nothing."""
    word = at.spec.textual_inversion.token_string
    absent = _list_without(at, word) if word else []
    if absent and len(absent) < len(at.prompts):
        yield Problem(
            f"the new word {visible_text(word)!r} is missing in {name_some(absent)}",
            _mend_absent(at, word) | review(image_paths=absent),
            f"{_TABLE}.token_string",
        )


@rule("new-word-rate", "error")
def find_unequal_word_rate(at: Inspection) -> Iterator[Problem]:
    """Prodigy and D-Adaptation find one rate for all parts: the new word cannot have its own."""
    train, own = at.spec.train, at.spec.textual_inversion.learning_rate
    if not at.spec.trains_token or own is None or at.spec.network.kind == "none":
        return
    if find_optimizer(train.optimizer_type).adapts_rate and own != train.learning_rate:
        yield Problem(
            f"{train.optimizer_type} takes one rate for all parts, but {_TABLE}.learning_rate = "
            f"{own:g} and train.learning_rate = {train.learning_rate:g}",
            unset(f"{_TABLE}.learning_rate"),
            f"{_TABLE}.learning_rate",
        )


@rule("new-word-idle", "info")
def find_idle_word_settings(at: Inspection) -> Iterator[Problem]:
    """Without token_string there is no new word, and nothing to set of it."""
    table = at.spec.textual_inversion
    idle = sorted(table.model_fields_set - {"token_string"})
    if idle and not table.token_string:
        yield Problem(
            f"{', '.join(idle)} without effect: {_TABLE}.token_string is empty",
            edit_setting(f"{_TABLE}.token_string", "WORD")
            | unset(*(f"{_TABLE}.{key}" for key in idle)),
            f"{_TABLE}.{idle[0]}",
        )


def _list_without(at: Inspection, word: str) -> list[str]:
    """The images of which some prompt lacks the word."""
    return [p for p, texts in at.prompts.items() if not all(has_token(t, word) for t in texts)]


def _mend_absent(at: Inspection, word: str) -> Fix:
    prepend = add_rule("prepend", tags=[word])
    has_lines = any(len(texts) > 1 for texts in at.prompts.values())
    # a prefix is put before the first line alone
    return prepend if has_lines else set_to("prompt.caption_prefix", f"{word},") | prepend
