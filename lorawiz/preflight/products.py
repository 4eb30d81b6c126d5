"""What a run makes and how large it is: a LoRA, the whole model, a new word."""

from dataclasses import dataclass
from typing import Literal

from lorawiz.families import FAMILIES
from lorawiz.loras.layout import count_parameters, count_tensors
from lorawiz.preflight.inspection import Inspection

SAVE_BYTES = {"float": 4, "fp16": 2, "bf16": 2}
"""A saved number, by save_precision."""
TENSOR_OVERHEAD_BYTES = 120
"""A tensor's line in a safetensors header, about."""
_TOKENIZER_BYTES = 1_600_000
"""A diffusers folder has one beside each text encoder."""
_METADATA_BYTES = 4_000
"""What a file says of its run, about."""
_TENSORS_A_MODEL = 1_200


@dataclass(frozen=True)
class ProductSize:
    """One kind of file that each save writes."""

    label: Literal["LoRA", "model", "word"]
    num_parameters: int
    """Those that train."""
    file_bytes: int
    is_folder: bool = False


def list_products(at: Inspection) -> tuple[ProductSize, ...]:
    """What each save of the project as it stands writes."""
    found = [_measure_word(at)] if at.spec.trains_token else []
    if at.spec.trains_full:
        found.append(_measure_model(at))
    elif at.spec.trains_unet or at.spec.trains_text_encoder:
        found.append(_measure_lora(at))
    return tuple(found)


def _measure_word(at: Inspection) -> ProductSize:
    # the U-Net reads all encoders side by side: its width is theirs together
    num_parameters = at.spec.textual_inversion.num_vectors_per_token * at.size_facts.context_dim
    file_bytes = num_parameters * SAVE_BYTES[at.spec.train.save_precision]
    return ProductSize("word", num_parameters, file_bytes + _METADATA_BYTES)


def _measure_lora(at: Inspection) -> ProductSize:
    num_parameters = sum(count_parameters(at.spec.network, each) for each in at.placed)
    num_tensors = count_tensors(at.spec.network.kind) * len(at.placed)
    file_bytes = num_parameters * SAVE_BYTES[at.spec.train.save_precision]
    return ProductSize("LoRA", num_parameters, file_bytes + num_tensors * TENSOR_OVERHEAD_BYTES)


def _measure_model(at: Inspection) -> ProductSize:
    sizes = at.size_facts.num_parameters
    file_bytes = sum(sizes) * SAVE_BYTES[at.spec.train.save_precision]
    file_bytes += _TENSORS_A_MODEL * TENSOR_OVERHEAD_BYTES
    is_folder = at.spec.train.save_model_as == "diffusers"
    if is_folder:
        parts = FAMILIES[at.family].parts
        file_bytes += _TOKENIZER_BYTES * sum(part.startswith("text_encoder") for part in parts)
    num_trained = sum(_trained_only(at, sizes[:2]))
    return ProductSize("model", num_trained, file_bytes, is_folder)


def _trained_only(at: Inspection, values: tuple[int, int]) -> tuple[int, int]:
    return values[0] * at.spec.trains_unet, values[1] * at.spec.trains_text_encoder
