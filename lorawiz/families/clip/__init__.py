"""CLIP's byte-pair tokenizer without torch: exact token counts for every screen and rule."""

import gzip
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

START_ID = 49406
END_ID = 49407
CHUNK_TOKENS = 75
"""Tokens of a prompt that one pass of the text encoder reads, without start and end."""

_MERGES_FILE = Path(__file__).with_name("bpe_simple_vocab_16e6.txt.gz")
_NUM_MERGES = 49152 - 256 - 2
_END_OF_WORD = "</w>"


def count_tokens(prompt: str) -> int:
    """Tokens of `prompt`, without start and end marks and without truncation."""
    return len(load_tokenizer().encode(prompt).ids)


def encode_prompt(prompt: str, padding_id: int = END_ID) -> list[int]:
    """The 77 ids that the text encoder reads of `prompt`; see `frame_ids`."""
    return frame_ids(load_tokenizer().encode(prompt).ids, padding_id)


def frame_ids(ids: Sequence[int], padding_id: int = END_ID) -> list[int]:
    """77 ids: start, at most 75 tokens, end, padding.

    OpenAI's encoders are padded with ends, OpenCLIP's with id 0.
    """
    ids = ids[:CHUNK_TOKENS]
    return [START_ID, *ids, END_ID, *[padding_id] * (CHUNK_TOKENS - len(ids))]


@cache
def load_tokenizer() -> Tokenizer:
    """The tokenizer, built from OpenAI's merges (github.com/openai/CLIP, simple_tokenizer.py)."""
    lines = gzip.decompress(_MERGES_FILE.read_bytes()).decode("utf-8").split("\n")
    merges = [_pair(line) for line in lines[1 : _NUM_MERGES + 1]]
    letters = _byte_letters()
    words = [*letters, *(letter + _END_OF_WORD for letter in letters), *map("".join, merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={word: index for index, word in enumerate(words)},
            merges=merges,
            unk_token="<|endoftext|>",
            end_of_word_suffix=_END_OF_WORD,
            continuing_subword_prefix="",
            fuse_unk=False,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words_pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words_pattern), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _pair(line: str) -> tuple[str, str]:
    first, second = line.split()
    return first, second


def _byte_letters() -> list[str]:
    """One printable letter for each byte, in CLIP's order: printable bytes stand for themselves."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(b) for b in printable] + [chr(256 + index) for index in range(len(others))]
