"""Token counts of many prompts: each word is looked up once."""

from collections.abc import Callable
from functools import lru_cache

from lorawiz.families.clip import count_tokens
from lorawiz.families.clip.new_token import NewToken, read_ids
from lorawiz.spec.textual_inversion import TextualInversionTable


def count_prompt_tokens(prompt: str) -> int:
    """What `count_tokens` says. Tokens never reach over a space, so words are counted alone."""
    return sum(map(_count_word, prompt.split(" ")))


def prompt_counter(table: TextualInversionTable) -> Callable[[str], int]:
    """What counts the tokens of prompts: the new word, where there is one, is its vectors."""
    if not table.token_string:
        return count_prompt_tokens
    token = NewToken(table.token_string, table.num_vectors_per_token)
    return lambda prompt: len(read_ids(prompt, token))


@lru_cache(maxsize=1 << 16)
def _count_word(word: str) -> int:
    return count_tokens(word)
