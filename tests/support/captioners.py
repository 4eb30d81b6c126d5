"""Tiny captioners of random weights, in folders as the hub lays them out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lorawiz.annotate.blip import build_bert_tokenizer
from lorawiz.spec.annotating import CaptionTable

_WORDS = """
[PAD] [UNK] [CLS] [SEP] [MASK] a an the picture photo of with in on under near and is woman man girl
boy dog cat horse red green blue white black long short hair hat coat tree house sea sky street cafe
smiling standing sitting running ##s ##ing ##y ##er ' - . , ! ?
"""
WORDS = _WORDS.split()
BLIP_SIDE_PX = 32
FLORENCE2_SIDE_PX = 64
_CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
_CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
_IMAGENET_MEAN, _IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# what configs of older transformers say, as those on the hub do
_OLD_SETTINGS = {
    "top_k": 50, "top_p": 1.0, "temperature": 1.0, "do_sample": False, "num_beams": 1,
    "max_length": 20, "min_length": 0, "early_stopping": False, "repetition_penalty": 1.0,
    "length_penalty": 1.0, "no_repeat_ngram_size": 0, "torchscript": False, "use_bfloat16": False,
}  # fmt: skip


def build_blip(folder: Path, seed: int = 0) -> Path:
    """A BLIP of 30 thousand weights; another seed is another model."""
    import torch
    from transformers.models.blip.configuration_blip import BlipConfig
    from transformers.models.blip.modeling_blip import BlipForConditionalGeneration

    text = {
        "vocab_size": len(WORDS) + 2,
        "hidden_size": 32,
        "encoder_hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "bos_token_id": len(WORDS),  # BLIP's start mark lies behind BERT's words
        "eos_token_id": 2,
        "pad_token_id": WORDS.index("[PAD]"),
        "sep_token_id": WORDS.index("[SEP]"),
        "initializer_range": 0.4,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": BLIP_SIDE_PX,
        "patch_size": 8,
        "initializer_range": 0.4,
    }
    torch.manual_seed(seed)
    config = BlipConfig(text_config=text, vision_config=vision, initializer_range=0.4)
    _save(BlipForConditionalGeneration(config), folder)
    edit_json(folder / "config.json", lambda saved: saved["text_config"].update(_OLD_SETTINGS))
    tokenizer = build_bert_tokenizer(WORDS)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8")
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "BertTokenizer", "do_lower_case": True},
    )
    write_json(
        folder / "preprocessor_config.json",
        _pictures(BLIP_SIDE_PX, _CLIP_MEAN, _CLIP_STD, "BlipImageProcessor"),
    )
    return folder


def build_florence2(folder: Path, seed: int = 0) -> Path:
    """A Florence-2 of some ten thousand weights in the layout that transformers knows itself."""
    import torch
    from transformers.models.florence2.configuration_florence2 import Florence2Config
    from transformers.models.florence2.modeling_florence2 import Florence2ForConditionalGeneration

    tokenizer = _byte_tokenizer()
    text = {
        "model_type": "bart",
        "vocab_size": tokenizer.get_vocab_size(),
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 128,
        "init_std": 0.4,
    }
    vision = {
        "embed_dim": [8, 8, 16, 16],
        "num_heads": [1, 1, 2, 2],
        "num_groups": [1, 1, 2, 2],
        "depths": [1, 1, 1, 1],
        "window_size": 2,
        "projection_dim": 32,
        "initializer_range": 0.4,
    }
    torch.manual_seed(seed)
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=tokenizer.token_to_id("<image>")
    )
    _save(Florence2ForConditionalGeneration(config), folder)
    write_json(
        folder / "generation_config.json",
        {
            "num_beams": 3, "early_stopping": True, "no_repeat_ngram_size": 3,
            "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
            "forced_bos_token_id": 0, "forced_eos_token_id": 2,
        },
    )  # fmt: skip
    tokenizer.save(str(folder / "tokenizer.json"))
    pictures = _pictures(FLORENCE2_SIDE_PX, _IMAGENET_MEAN, _IMAGENET_STD, "CLIPImageProcessor")
    pictures |= {"do_center_crop": False, "image_seq_length": 5}
    write_json(folder / "preprocessor_config.json", pictures)
    return folder


def caption_table(**settings: Any) -> CaptionTable:
    """The settings of `lorawiz caption`, with shorter captions."""
    return CaptionTable(**{"max_length": 24, **settings})


def random_pictures(num: int) -> list[Image.Image]:
    """Pictures of coarse random patches, of several sizes and shapes; always the same."""
    random = np.random.default_rng(7)
    pictures = []
    for index in range(num):
        patches = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        size = (40 + 7 * (index % 5), 36 + 11 * (index % 3))
        pictures.append(Image.fromarray(patches).resize(size, Image.Resampling.BILINEAR))
    return pictures


def keys_of(pictures: Sequence[Image.Image]) -> list[str]:
    """What stands for the pictures' SHA-256."""
    return [f"{index:064x}" for index in range(len(pictures))]


def caption_all(captioner: Any, pictures: Sequence[Image.Image], batch_size: int = 8) -> list[str]:
    """The captions of all pictures, in batches."""
    inputs, keys = [captioner.prepare(each) for each in pictures], keys_of(pictures)
    texts: list[str] = []
    for start in range(0, len(inputs), batch_size):
        part = slice(start, start + batch_size)
        texts += captioner.run(inputs[part], keys[part])
    return texts


def write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2), "utf-8")


def edit_json(path: Path, edit: Any) -> None:
    """Change a JSON file by a function that changes what it holds."""
    values = json.loads(path.read_text("utf-8"))
    edit(values)
    write_json(path, values)


def _save(model: Any, folder: Path) -> None:
    """Weights and config; the folder must not be there yet."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True)
    try:
        model.eval().save_pretrained(folder)
    finally:
        logging.enable_progress_bar()
    (folder / "generation_config.json").unlink(missing_ok=True)


def _pictures(
    side_px: int, mean: Sequence[float], std: Sequence[float], processor: str
) -> dict[str, Any]:
    return {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": mean, "image_std": std, "image_processor_type": processor,
        "resample": 3, "rescale_factor": 1 / 255, "size": {"height": side_px, "width": side_px},
    }  # fmt: skip


def _byte_tokenizer() -> Any:
    """A tokenizer of BART's kind with a few hundred pieces and Florence-2's marks."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    from lorawiz.annotate.florence2 import TASKS

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    sentences = [*TASKS.values(), " ".join(word for word in WORDS if word.isalpha())]
    tokenizer.train_from_iterator(sentences, trainer)
    marks = ["<mask>", "<od>", "</od>", *(f"<loc_{place}>" for place in range(4)), "<image>"]
    tokenizer.add_special_tokens([AddedToken(m, special=True, normalized=False) for m in marks])
    return tokenizer
