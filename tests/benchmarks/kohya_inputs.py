"""What sd-scripts wants beside a checkpoint: a folder of photos by its rule, and a tokenizer."""

import json
import shutil
from pathlib import Path

from lorawiz.families.clip import load_tokenizer


def build_photo_folder(workdir: Path) -> Path:
    """The photos of WORKDIR as `1_lyq`: one repeat, the class lyq."""
    folder = workdir / "sd-scripts-photos"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(workdir / "photos", folder / "1_lyq")
    return folder


def build_tokenizer_folder(workdir: Path) -> Path:
    """CLIP's vocabulary where sd-scripts looks before it asks the network."""
    folder = workdir / "tokenizers"
    kept = folder / "openai_clip-vit-large-patch14"
    kept.mkdir(parents=True, exist_ok=True)
    model = json.loads(load_tokenizer().to_str())["model"]
    pairs = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    end = "<|endoftext|>"
    settings = {
        "model_max_length": 77, "bos_token": "<|startoftext|>",
        "eos_token": end, "unk_token": end, "pad_token": end,
    }  # fmt: skip
    (kept / "vocab.json").write_text(json.dumps(model["vocab"]))
    (kept / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]))
    (kept / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
