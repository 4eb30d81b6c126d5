"""The torch-free tokenizer counts what transformers' own would."""

import gzip
import json
from pathlib import Path

import pytest

from lorawiz.families import clip

PROMPTS = [
    "a photo of a cat",
    "  Hello,  WORLD's 123 äöü 日本語 😀 ^_^ <lora:x:1> don't",
    "(word:1.2), [x]",
    "naïve café",
    "lyq, smile, red coat,outdoors",
    "",
]


def test_known_ids_of_a_known_prompt() -> None:
    # the ids that SD1.x has always used
    assert clip.encode_prompt("a photo of a cat")[:8] == [
        49406,
        320,
        1125,
        539,
        320,
        2368,
        49407,
        49407,
    ]


def test_the_tokenizer_agrees_with_transformers(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    (tmp_path / "vocab.json").write_text(json.dumps(clip.load_tokenizer().get_vocab()))
    packed = Path(clip.__file__).with_name("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    merges = gzip.decompress(packed).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    theirs = CLIPTokenizer.from_pretrained(tmp_path, model_max_length=77, pad_token="<|endoftext|>")
    for prompt in PROMPTS:
        padded = theirs(prompt, padding="max_length", truncation=True, max_length=77).input_ids
        assert clip.encode_prompt(prompt) == padded
        assert clip.count_tokens(prompt) == len(theirs(prompt, add_special_tokens=False).input_ids)


@pytest.mark.parametrize("prompt", [*PROMPTS, "word " * 200])
def test_a_prompt_is_always_77_ids(prompt: str) -> None:
    ids = clip.encode_prompt(prompt)
    assert len(ids) == 77
    assert (ids[0], ids[-1]) == (clip.START_ID, clip.END_ID)
