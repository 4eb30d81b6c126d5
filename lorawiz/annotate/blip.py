"""BLIP, base and large: one sentence about a picture that continues a prompt.

Li et al. 2022, "BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language
Understanding and Generation" (https://arxiv.org/abs/2201.12086).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from lorawiz.annotate.captioning import TorchCaptioner
from lorawiz.annotate.pictures import PICTURE_FILES, read_picture_format
from lorawiz.annotate.pretrained import check_model_folder, load_pretrained, read_json
from lorawiz.annotate.protocols import Captioner
from lorawiz.annotate.sampling import decoding_options, drawing_processors
from lorawiz.errors import ModelError, SpecError, visible_text
from lorawiz.spec.annotating import CaptionTable

if TYPE_CHECKING:
    from torch import Tensor


MODEL_TYPE = "blip"
FILES = (("tokenizer.json", "vocab.txt"), PICTURE_FILES)
"""Beside config.json and the weights: one of each."""

_BERT_MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def load_blip(folder: Path, table: CaptionTable, name: str) -> Captioner:
    """The captioner in `folder`, called `name`.

    Raises ModelError, MissingExtraError, and SpecError where the prefix leaves no room.
    """
    check_model_folder(folder, MODEL_TYPE, FILES, "BlipForConditionalGeneration")
    pictures = read_picture_format(folder)
    tokenizer = load_bert_tokenizer(folder)
    loaded = load_pretrained(_import_class, folder, "captioning")
    writer = BlipWriter(loaded.model, tokenizer, table)
    return TorchCaptioner(name, loaded, pictures, writer.write, table.batch_size)


def _import_class() -> Any:
    from transformers.models.blip.modeling_blip import BlipForConditionalGeneration

    return BlipForConditionalGeneration


class BlipWriter:
    """Continues the prompt for a batch of pictures and takes it off again."""

    def __init__(self, model: Any, tokenizer: Tokenizer, table: CaptionTable) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._table = table
        marks = model.config.text_config
        prompt = tokenizer.encode(table.prefix, add_special_tokens=False).ids
        self._prompt = tokenizer.decode(prompt)
        # `generate` of BLIP puts the start mark in place of the first and drops the last
        self._prompt_ids = [marks.bos_token_id, *prompt, marks.sep_token_id]
        self._options = decoding_options(table, marks.max_position_embeddings)
        _check_room(table.prefix, len(prompt) + 1, self._options["max_length"])

    def write(self, pixels_BCHW: "Tensor", keys: Sequence[str]) -> list[str]:
        """Texts in the tokenizer's own spelling, which for BERT is lower case."""
        import torch

        prompt_BT = torch.tensor([self._prompt_ids] * len(keys), device=pixels_BCHW.device)
        ids_BT = self._model.generate(
            pixel_values=pixels_BCHW,
            input_ids=prompt_BT,
            attention_mask=torch.ones_like(prompt_BT),
            logits_processor=drawing_processors(self._table, keys),
            **self._options,
        )
        return [self._read(ids) for ids in ids_BT.tolist()]

    def _read(self, ids: list[int]) -> str:
        # a WordPiece text is its pieces' texts in a row, so the prompt's is always its beginning,
        # also where the first new piece ends the prompt's last word
        return self._tokenizer.decode(ids).removeprefix(self._prompt)


def load_bert_tokenizer(folder: Path) -> Tokenizer:
    """BERT's uncased tokenizer from tokenizer.json, or from vocab.txt. Raises ModelError."""
    tokenizer_file = folder / "tokenizer.json"
    if tokenizer_file.is_file():
        read_json(tokenizer_file)
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        tokenizer.no_truncation()
        tokenizer.no_padding()
    else:
        tokenizer = build_bert_tokenizer(_read_words(folder / "vocab.txt"))
    # what a user writes into the prefix is text, also where it reads [SEP]
    tokenizer.encode_special_tokens = True
    return tokenizer


def build_bert_tokenizer(words: Sequence[str]) -> Tokenizer:
    """The tokenizer of bert-base-uncased over another list of words (Devlin et al. 2019)."""
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tokenizer.add_special_tokens(_BERT_MARKS)
    return tokenizer


def _read_words(path: Path) -> list[str]:
    try:
        words = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{visible_text(str(path))}: cannot be read: {error}") from error
    missing = [mark for mark in _BERT_MARKS if mark not in words]
    if missing:
        raise ModelError(
            f"{visible_text(str(path))}: no {', '.join(missing)}, so not BERT's list of words",
            "take the file anew from the model's repository",
        )
    return words


def _check_room(prefix: str, num_prompt_tokens: int, max_length: int) -> None:
    if num_prompt_tokens >= max_length:
        raise SpecError(
            f"caption.prefix {visible_text(prefix)!r} takes {num_prompt_tokens} tokens with the "
            f"start mark, and a caption ends at {max_length}",
            f"lorawiz set caption.max_length {num_prompt_tokens + 30}, or shorten the prefix",
        )
