"""CLIP's tokenizer as the files that transformers and diffusers read it from."""

import json
from pathlib import Path
from typing import Any

from lorawiz.families.clip import CHUNK_TOKENS, END_ID, START_ID, load_tokenizer

_NUM_PROMPT_IDS = CHUNK_TOKENS + 2


def write_tokenizer(folder: Path, padding_id: int) -> None:
    """Write vocab.json, merges.txt and their configs into `folder`. Raises OSError."""
    model = json.loads(load_tokenizer().to_str())["model"]
    names = {index: token for token, index in model["vocab"].items()}
    special = {
        "bos_token": names[START_ID],
        "eos_token": names[END_ID],
        "unk_token": names[END_ID],
        "pad_token": names[padding_id],
    }
    config = {
        **special,
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": _NUM_PROMPT_IDS,
        "tokenizer_class": "CLIPTokenizer",
    }
    merges = "\n".join(
        pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", "utf-8")
    _write_json(folder / "vocab.json", model["vocab"])
    _write_json(folder / "special_tokens_map.json", special)
    _write_json(folder / "tokenizer_config.json", config)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\n", "utf-8")
