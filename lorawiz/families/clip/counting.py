"""Token counts of many prompts: each word is looked up once."""

from functools import lru_cache

from lorawiz.families.clip import count_tokens


def count_prompt_tokens(prompt: str) -> int:
    """What `count_tokens` says. Tokens never reach over a space, so words are counted alone."""
    return sum(map(_count_word, prompt.split(" ")))


@lru_cache(maxsize=1 << 16)
def _count_word(word: str) -> int:
    return count_tokens(word)
