"""A whole base to be saved: trained parts from memory, the others from where they were read.

As one file in the original layout (exporting.py has its names), or as a diffusers folder.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
from torch import nn

from lorawiz.families.card import FamilyCard
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.families.clip.files import write_tokenizer
from lorawiz.families.latent_diffusion.exporting import (
    iter_file_marks,
    iter_marks,
    iter_original_text,
    iter_original_unet,
    iter_original_vae,
    iter_text_extras,
    list_file,
)
from lorawiz.families.latent_diffusion.loading import OpenPart
from lorawiz.families.latent_diffusion.text import TextEncoderPart
from lorawiz.families.latent_diffusion.weights import TensorFiles
from lorawiz.families.stored import StoredTensor
from lorawiz.spec.tables import BaseTable

_FROM_DIFFUSERS = ("unet", "vae")
_NOISE = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000, "steps_offset": 1, "trained_betas": None,
}  # fmt: skip
_SCHEDULERS: dict[str, dict[str, Any]] = {
    "DDIMScheduler": {"clip_sample": False, "set_alpha_to_one": False},
    "EulerDiscreteScheduler": {"interpolation_type": "linear", "use_karras_sigmas": False},
}


@dataclass(frozen=True)
class FolderFormat:
    """What diffusers calls a family."""

    pipeline: str
    scheduler: str
    settings: Mapping[str, Any]
    """Of the pipeline itself, and which of its parts there are not."""


SD_FOLDER = FolderFormat(
    "StableDiffusionPipeline", "DDIMScheduler",
    {"safety_checker": [None, None], "feature_extractor": [None, None],
     "image_encoder": [None, None], "requires_safety_checker": False},
)  # fmt: skip
SDXL_FOLDER = FolderFormat(
    "StableDiffusionXLPipeline", "EulerDiscreteScheduler",
    {"feature_extractor": [None, None], "image_encoder": [None, None],
     "force_zeros_for_empty_prompt": True},
)  # fmt: skip


class BaseExport:
    """See `lorawiz.families.adapter.Export`."""

    def __init__(
        self,
        card: FamilyCard,
        folder: FolderFormat,
        checkpoint: Checkpoint,
        parts: Mapping[str, OpenPart],
        text_parts: Sequence[TextEncoderPart],
        trained: Mapping[str, nn.Module],
    ) -> None:
        self._card = card
        self._folder = folder
        self._checkpoint = checkpoint
        self._parts = parts
        self._text_parts = text_parts
        self._weights = {
            part: _list_in_memory(trained[part]) if part in trained else opened.list_tensors()
            for part, opened in parts.items()
        }

    def name_originally(self, base: BaseTable) -> dict[str, StoredTensor]:
        weights, parts = self._weights, self._parts
        files: dict[str, StoredTensor] = {}
        if self._checkpoint.layout == "single":
            files = list_file(TensorFiles([self._checkpoint.path], ""))
        found = dict(iter_original_unet(weights["unet"], parts["unet"].model.config))
        found |= dict(iter_original_vae(weights["vae"], parts["vae"].model.config))
        for about in self._text_parts:
            text = dict(iter_original_text(weights[about.part], about))
            found |= text | dict(iter_text_extras(text, files, about))
        is_v = base.prediction_type == "v_prediction" != self._card.prediction
        marks = dict(iter_marks(is_v, bool(base.zero_terminal_snr)))
        return found | marks | dict(iter_file_marks(files))

    def name_for_folder(self) -> dict[str, dict[str, StoredTensor]]:
        files = {}
        for part, weights in self._weights.items():
            if part in _FROM_DIFFUSERS:
                files[f"{part}/diffusion_pytorch_model.safetensors"] = dict(weights)
            else:
                files[f"{part}/model.safetensors"] = {
                    _published_name(name): tensor for name, tensor in weights.items()
                }
        return files

    def write_configs(self, folder: Path, base: BaseTable) -> None:
        for part, opened in self._parts.items():
            _write_json(folder / part / "config.json", _describe(part, opened.model))
        for about in self._text_parts:
            write_tokenizer(folder / _tokenizer_of(about.part), about.padding_id)
        scheduler = {
            "_class_name": self._folder.scheduler,
            **_NOISE,
            **_SCHEDULERS[self._folder.scheduler],
            "prediction_type": base.prediction_type or self._card.prediction,
        }
        if base.zero_terminal_snr:
            # all noise stands at the last timestep alone: sampling has to begin there
            scheduler |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        _write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
        _write_json(folder / "model_index.json", self._build_index())

    def _build_index(self) -> dict[str, Any]:
        index: dict[str, Any] = {
            "_class_name": self._folder.pipeline,
            "_diffusers_version": diffusers.__version__,
            **self._folder.settings,
            "scheduler": ["diffusers", self._folder.scheduler],
        }
        for part, opened in self._parts.items():
            library = "diffusers" if part in _FROM_DIFFUSERS else "transformers"
            index[part] = [library, type(opened.model).__name__]
        for about in self._text_parts:
            index[_tokenizer_of(about.part)] = ["transformers", "CLIPTokenizer"]
        return index


def _list_in_memory(model: nn.Module) -> dict[str, StoredTensor]:
    return {
        name: StoredTensor(tuple(tensor.shape), tensor.detach)
        for name, tensor in model.state_dict().items()
    }


def _published_name(name: str) -> str:
    """transformers has dropped `text_model.` in some classes; files have it everywhere."""
    has_it = name.startswith(("text_model.", "text_projection."))
    return name if has_it else f"text_model.{name}"


def _tokenizer_of(part: str) -> str:
    return part.replace("text_encoder", "tokenizer")


def _describe(part: str, model: Any) -> dict[str, Any]:
    """A part's config.json, without what says where it lay."""
    if part in _FROM_DIFFUSERS:
        values: dict[str, Any] = json.loads(model.to_json_string())
    else:
        values = json.loads(model.config.to_json_string())
        values["architectures"] = [type(model).__name__]
    return {key: value for key, value in values.items() if key != "_name_or_path"}


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", "utf-8")
