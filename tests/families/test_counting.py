"""Counting by words gives the tokenizer's own count."""

from hypothesis import given
from hypothesis import strategies as st

from lorawiz.families.clip import count_tokens
from lorawiz.families.clip.counting import count_prompt_tokens

# letters whose small form depends on their neighbours or is longer, marks that join to the left
TRICKY = "aΣσİıßéＡ１9日😀,.!'’s{}|<>_- \t\n\x1c\x85\u200b\u0301\u0345"


@given(st.one_of(st.text(alphabet=TRICKY), st.text(st.characters(exclude_categories=["Cs"]))))
def test_words_counted_alone_add_up(prompt: str) -> None:
    assert count_prompt_tokens(prompt) == count_tokens(prompt)
