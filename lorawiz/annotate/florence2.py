"""Florence-2, base and large: a sentence or a paragraph about a picture, as a task asks for it.

Xiao et al. 2023, "Florence-2: Advancing a Unified Representation for a Variety of Vision Tasks"
(https://arxiv.org/abs/2311.06242). The folder is in the layout that transformers knows itself;
the layout of the first release runs code of its own, which lorawiz never does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from lorawiz.annotate.captioning import TorchCaptioner
from lorawiz.annotate.pictures import PICTURE_FILES, read_picture_format
from lorawiz.annotate.pretrained import check_model_folder, load_pretrained, read_json
from lorawiz.annotate.protocols import Captioner
from lorawiz.annotate.sampling import decoding_options, drawing_processors
from lorawiz.errors import ModelError, visible_text
from lorawiz.spec.annotating import CaptionTable

if TYPE_CHECKING:
    from torch import Tensor


MODEL_TYPE = "florence2"
FILES = (("tokenizer.json",), PICTURE_FILES)
"""Beside config.json and the weights: one of each."""

TASKS = {
    "short": "What does the image describe?",
    "detailed": "Describe in detail what is shown in the image.",
    "more_detailed": "Describe with a paragraph what is shown in the image.",
}
"""What the model was trained to be asked for <CAPTION>, <DETAILED_CAPTION> and
<MORE_DETAILED_CAPTION>, by caption.detail."""

_START, _END = "<s>", "</s>"
_PIXELS_A_FEATURE = 32
"""DaViT's strides are 4, 2, 2 and 2; one more feature is the mean of all."""


def load_florence2(folder: Path, table: CaptionTable, name: str) -> Captioner:
    """The captioner in `folder`, called `name`. Raises ModelError and MissingExtraError."""
    _refuse_own_code(folder)
    check_model_folder(folder, MODEL_TYPE, FILES, "Florence2ForConditionalGeneration")
    pictures = read_picture_format(folder)
    tokenizer = _load_tokenizer(folder)
    loaded = load_pretrained(_import_class, folder, "captioning")
    writer = Florence2Writer(loaded.model, tokenizer, table)
    return TorchCaptioner(name, loaded, pictures, writer.write, table.batch_size)


def needs_own_code(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is of the first release's layout, which comes with Python files."""
    parts = [config.get("vision_config"), config.get("text_config")]
    types = {part.get("model_type") for part in parts if isinstance(part, Mapping)}
    return "auto_map" in config or bool(types & {"davit", "florence2_language"})


def _refuse_own_code(folder: Path) -> None:
    path = folder / "config.json"
    if path.is_file() and needs_own_code(read_json(path)):
        raise ModelError(
            f"{visible_text(str(folder))}: the layout of microsoft/Florence-2-*, which runs code "
            "from the model's repository; lorawiz never does",
            "the same models without code: lorawiz set caption.model "
            "florence-community/Florence-2-base (or -large, -base-ft, -large-ft)",
        )


def _import_class() -> Any:
    from transformers.models.florence2.modeling_florence2 import Florence2ForConditionalGeneration

    return Florence2ForConditionalGeneration


class Florence2Writer:
    """Asks one question about a batch of pictures."""

    def __init__(self, model: Any, tokenizer: Tokenizer, table: CaptionTable) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._table = table
        self._question_ids = [
            tokenizer.token_to_id(_START),
            *tokenizer.encode(TASKS[table.detail], add_special_tokens=False).ids,
            tokenizer.token_to_id(_END),
        ]
        self._options = decoding_options(table, model.config.text_config.max_position_embeddings)

    def write(self, pixels_BCHW: "Tensor", keys: Sequence[str]) -> list[str]:
        """Texts as the model spells them."""
        import torch

        num_features = _count_features(pixels_BCHW.shape[2], pixels_BCHW.shape[3])
        row = [self._model.config.image_token_id] * num_features + self._question_ids
        input_BT = torch.tensor([row] * len(keys), device=pixels_BCHW.device)
        ids_BT = self._model.generate(
            pixel_values=pixels_BCHW,
            input_ids=input_BT,
            attention_mask=torch.ones_like(input_BT),
            logits_processor=drawing_processors(self._table, keys),
            **self._options,
        )
        return [self._tokenizer.decode(ids) for ids in ids_BT.tolist()]


def _count_features(num_rows_px: int, num_columns_px: int) -> int:
    """How many places a picture takes in the question. 768 × 768 pixels take 577."""
    high, wide = (-(-side // _PIXELS_A_FEATURE) for side in (num_rows_px, num_columns_px))
    return high * wide + 1


def _load_tokenizer(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    read_json(path)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    missing = [mark for mark in (_START, _END) if tokenizer.token_to_id(mark) is None]
    if missing:
        raise ModelError(
            f"{visible_text(str(path))}: no {', '.join(missing)}, so not Florence-2's tokenizer",
            "take the file anew from the model's repository",
        )
    return tokenizer
