"""Token counts of many prompts: each word is looked up once."""

from collections.abc import Callable
from functools import lru_cache

from lorawiz.families.clip import count_tokens
from lorawiz.families.clip.new_token import NewToken
from lorawiz.families.clip.tokens import read_tokens
from lorawiz.spec import Spec

_MARKS = frozenset("()[]\\")


def count_prompt_tokens(prompt: str) -> int:
    """What `count_tokens` says. Tokens never reach over a space, so words are counted alone."""
    return sum(map(_count_word, prompt.split(" ")))


def prompt_counter(spec: Spec) -> Callable[[str], int]:
    """What counts the tokens of a spec's prompts: a new word is its vectors, and brackets that are
    weights are none."""
    token, is_weighted = NewToken.of(spec), spec.prompt.weighted_captions
    if token is None and not is_weighted:
        return count_prompt_tokens

    def count(prompt: str) -> int:
        if token is None and not _MARKS.intersection(prompt):
            return count_prompt_tokens(prompt)
        return len(read_tokens(prompt, token, is_weighted))

    return count


@lru_cache(maxsize=1 << 16)
def _count_word(word: str) -> int:
    return count_tokens(word)
