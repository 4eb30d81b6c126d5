"""Weights in prompts, and prompts of more than one pass."""

from itertools import pairwise

import pytest
import torch

from lorawiz.families.clip import CHUNK_TOKENS, count_tokens
from lorawiz.families.clip.new_token import NewToken
from lorawiz.families.clip.reading import Reading
from lorawiz.families.clip.tokens import read_tokens
from lorawiz.families.clip.weights import has_weights, parse_weights
from tests.families.conftest import TinyFamily

LONG = ", ".join(f"a red coat number {n}" for n in range(50))


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("", []),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("((a) b)", [("a", 1.21), (" b", 1.1)]),
        ("(a:1.5)", [("a", 1.5)]),
        ("(a : 1.5 )", [("a ", 1.5)]),
        ("(a:-.5)", [("a", -0.5)]),
        ("((a:2):3)", [("a", 6.0)]),
        ("[a]", [("a", 1 / 1.1)]),
        ("[a:0.5]", [("a:0.5", 1 / 1.1)]),
        (r"alice \(wonderland\)", [("alice (wonderland)", 1.0)]),
        (r"a \\ b \[c\]", [(r"a \ b [c]", 1.0)]),
        (r"a \b", [(r"a \b", 1.0)]),
        ("(a", [("a", 1.1)]),
        ("[(a", [("a", 1.0)]),
        ("a) b] :1.2)", [("a) b] :1.2)", 1.0)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:)", [("a:", 1.1)]),
        ("12:30, (b)", [("12:30, ", 1.0), ("b", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1),
                ("hill", 0.55), (", sun, ", 1.1), ("sky", 1.4641), (".", 1.1),
            ],
        ),
    ],
)  # fmt: skip
def test_a_prompt_is_read_as_the_web_uis_read_it(
    prompt: str, wanted: list[tuple[str, float]]
) -> None:
    pieces = parse_weights(prompt)
    # 1.1 · 1/1.1 is 1 but for the last bit: neighbours of one weight count as one piece
    joined: list[tuple[str, float]] = []
    for piece in pieces:
        if joined and abs(joined[-1][1] - piece.weight) < 1e-12:
            joined[-1] = (joined[-1][0] + piece.text, piece.weight)
        else:
            joined.append((piece.text, piece.weight))
    assert [text for text, _ in joined] == [text for text, _ in wanted]
    assert [weight for _, weight in joined] == pytest.approx([weight for _, weight in wanted])


def test_every_letter_knows_where_it_stood() -> None:
    prompt = r"a (red:1.2) \(coat\) [x"
    for piece in parse_weights(prompt):
        assert "".join(prompt[at] for at in piece.origins) == piece.text


def test_tokens_know_their_weight_and_place() -> None:
    prompt = "a (lyq:1.2), (red coat)"
    tokens = read_tokens(prompt, NewToken("lyq", 2), is_weighted=True)
    assert [token.weight for token in tokens] == [1.0, 1.2, 1.2, 1.0, 1.1, 1.1]
    assert [prompt[token.start] for token in tokens] == ["a", "l", "l", ",", "r", "c"]
    plain = read_tokens(prompt)
    assert all(token.weight == 1.0 for token in plain)
    assert len(plain) == count_tokens(prompt)


def test_only_some_prompts_have_weights() -> None:
    assert has_weights("a (b)")
    assert not has_weights(r"a \(b\), c:d")


@torch.no_grad()
def encode(tiny: TinyFamily, prompts: list[str], reading: Reading) -> torch.Tensor:
    text_encoder = tiny.adapter.load_text_encoder(tiny.checkpoints[0], torch.float32)
    states: torch.Tensor = tiny.adapter.encode_prompts(text_encoder, prompts, reading).states_BTD
    return states


def test_a_weight_multiplies_the_words_own_vectors(tiny: TinyFamily) -> None:
    weighted = Reading(is_weighted=True)
    plain, heavy = encode(tiny, ["a red coat", "a (red:1.5) coat"], weighted)
    assert torch.equal(heavy[2], plain[2] * 1.5)
    others = [index for index in range(77) if index != 2]
    assert torch.equal(heavy[others], plain[others])
    assert torch.equal(encode(tiny, ["a red coat"], Reading())[0], plain)


@pytest.mark.parametrize("num_chunks", [2, 3])
def test_a_long_prompt_is_read_in_passes(tiny: TinyFamily, num_chunks: int) -> None:
    tokens = read_tokens(LONG)
    starts = [tokens[CHUNK_TOKENS * index].start for index in range(4)]
    parts = [LONG[a:b] for a, b in pairwise(starts)][:num_chunks]
    passes = encode(tiny, parts, Reading())
    [states] = encode(tiny, [LONG], Reading(max_token_length=CHUNK_TOKENS * num_chunks))
    assert len(states) == CHUNK_TOKENS * num_chunks + 2
    wanted = torch.cat([passes[0, :1], passes[:, 1:-1].flatten(0, 1), passes[-1, -1:]])
    assert torch.allclose(states, wanted, atol=1e-5)


def test_a_short_prompt_beside_a_long_one_has_empty_passes(tiny: TinyFamily) -> None:
    reading = Reading(max_token_length=150)
    both = encode(tiny, ["a cat", LONG], reading)
    alone = encode(tiny, ["a cat"], reading)
    assert both.shape[1] == 152
    assert torch.allclose(both[:1], alone, atol=1e-5)
    empty = encode(tiny, [""], Reading())
    assert torch.allclose(alone[:, 76:151], empty[:, 1:76], atol=1e-5)


def test_the_pooled_vector_is_that_of_the_first_pass(tiny_sdxl: TinyFamily) -> None:
    text_encoder = tiny_sdxl.adapter.load_text_encoder(tiny_sdxl.checkpoints[0], torch.float32)
    with torch.no_grad():
        long, short = (
            tiny_sdxl.adapter.encode_prompts(text_encoder, [LONG, "a cat"], reading).pooled_BD
            for reading in (Reading(max_token_length=225), Reading())
        )
    assert long is not None and short is not None
    assert torch.allclose(long, short, atol=1e-5)


def test_drawing_reads_as_much_as_the_longest_needs_and_weights_always() -> None:
    reading = Reading(clip_skip=2)
    assert reading.for_drawing(["a cat", ""], None) == Reading(2, 75, True)
    assert reading.for_drawing(["a cat", LONG], None) == Reading(2, 225, True)
    assert reading.for_drawing([LONG * 9], None).max_token_length == 225
