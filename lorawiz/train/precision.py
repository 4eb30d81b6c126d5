"""Number formats of a run: what is computed in, and what each model's weights are kept in."""

from typing import Literal

import torch

from lorawiz.spec import Spec

_COMPUTE = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SAVE_DTYPES = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def compute_dtype(spec: Spec) -> torch.dtype:
    """What matrix products are computed in."""
    return _COMPUTE[spec.train.mixed_precision]


def weights_dtype(spec: Spec, part: Literal["unet", "text_encoder"]) -> torch.dtype:
    """What a model's weights are kept in: fp32 where they train, so that small steps count."""
    trains = spec.trains_unet if part == "unet" else spec.trains_text_encoder
    return torch.float32 if spec.trains_full and trains else compute_dtype(spec)
