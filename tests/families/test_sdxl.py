"""SDXL against diffusers' own pipeline: encoders, conditions, layer names, the LoRA file."""

import gzip
import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from lorawiz.dataset.batches import Item
from lorawiz.dataset.buckets import BucketFit
from lorawiz.dataset.prompts import RunStep
from lorawiz.dataset.records import ImageRecord
from lorawiz.families import clip
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import Framing
from lorawiz.families.sdxl.adapter import TextEncoders, list_framing_numbers
from lorawiz.paths import Project
from lorawiz.spec.document import build_spec
from lorawiz.train.caches import TextCache, find_framing
from lorawiz.train.sampling import SamplePrompt, draw_latents
from tests.families.conftest import TinyFamily
from tests.support.training import make_run, train

CPU = torch.device("cpu")
PROMPTS = ["a photo of a cat", "", "word " * 100]


def make_pipeline(tiny: TinyFamily, folder: Path) -> Any:
    """diffusers' pipeline over the tiny base, with the published tokenizers."""
    parts = tiny.parts
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    pipeline = StableDiffusionXLPipeline(
        parts["vae"], parts["text_encoder"], parts["text_encoder_2"],
        make_tokenizer(folder / "1", "<|endoftext|>"), make_tokenizer(folder / "2", "!"),
        parts["unet"], scheduler, add_watermarker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_tokenizer(folder: Path, pad_token: str) -> CLIPTokenizer:
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(clip.load_tokenizer().get_vocab()))
    packed = Path(clip.__file__).with_name("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    merges = gzip.decompress(packed).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    found: CLIPTokenizer = CLIPTokenizer.from_pretrained(
        folder, model_max_length=77, pad_token=pad_token
    )
    return found


@pytest.fixture(scope="module")
def pipeline(tiny_sdxl: TinyFamily, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_pipeline(tiny_sdxl, tmp_path_factory.mktemp("tokenizers"))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_conditioning_is_the_one_of_diffusers(
    tiny_sdxl: TinyFamily, pipeline: Any, prompt: str
) -> None:
    encoders = TextEncoders(tiny_sdxl.parts["text_encoder"], tiny_sdxl.parts["text_encoder_2"])
    with torch.no_grad():
        ours = tiny_sdxl.adapter.encode_prompts(encoders, [prompt], Reading())
        states, _, pooled, _ = pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)
    assert ours.pooled_BD is not None
    assert torch.allclose(ours.states_BTD, states, atol=1e-6)
    assert torch.allclose(ours.pooled_BD, pooled, atol=1e-6)


def test_clip_skip_changes_nothing(tiny_sdxl: TinyFamily) -> None:
    encoders = TextEncoders(tiny_sdxl.parts["text_encoder"], tiny_sdxl.parts["text_encoder_2"])
    with torch.no_grad():
        one, two = (
            tiny_sdxl.adapter.encode_prompts(encoders, ["a cat"], Reading(skip)).states_BTD
            for skip in (1, 2)
        )
    assert torch.equal(one, two)
    assert not tiny_sdxl.adapter.card.reads_clip_skip


def test_a_picture_is_the_one_diffusers_draws(tiny_sdxl: TinyFamily, pipeline: Any) -> None:
    encoders = TextEncoders(tiny_sdxl.parts["text_encoder"], tiny_sdxl.parts["text_encoder_2"])
    with torch.no_grad():
        text, negative = (
            tiny_sdxl.adapter.encode_prompts(encoders, [prompt], Reading())
            for prompt in ("a cat", "bad")
        )
        spec = build_spec(
            {
                "base": {"family": "sdxl"},
                "dataset": {"resolution": [96, 64]},
                "sample": {"steps": 3},
            }
        )
        prompt = SamplePrompt(0, "a cat", text, negative)
        ours = draw_latents(tiny_sdxl.adapter, tiny_sdxl.parts["unet"], prompt, spec, CPU, 8)
    theirs = pipeline(
        "a cat", negative_prompt="bad", width=96, height=64, num_inference_steps=3,
        guidance_scale=spec.sample.guidance, output_type="latent",
        generator=torch.Generator().manual_seed(spec.sample.seed),
    ).images  # fmt: skip
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_each_condition_changes_the_prediction(tiny_sdxl: TinyFamily) -> None:
    adapter, unet = tiny_sdxl.adapter, tiny_sdxl.parts["unet"]
    encoders = TextEncoders(tiny_sdxl.parts["text_encoder"], tiny_sdxl.parts["text_encoder_2"])
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    whole = Framing.whole((64, 64))
    framings = (
        whole,
        Framing((640, 64), (0, 0), (64, 64)),
        Framing((64, 64), (0, 30), (64, 64)),
        Framing((64, 64), (30, 0), (64, 64)),
        Framing((64, 64), (0, 0), (64, 128)),
    )
    with torch.no_grad():
        text = adapter.encode_prompts(encoders, ["a cat"], Reading())
        seen = [
            adapter.predict_noise(unet, noisy, torch.tensor([500]), text, [framing])
            for framing in framings
        ]
    for index, one in enumerate(seen):
        assert not any(torch.allclose(one, other, atol=1e-6) for other in seen[index + 1 :])


def test_framings_are_rows_before_columns_in_full_precision() -> None:
    numbers = list_framing_numbers([Framing((1333, 2001), (5, 7), (1024, 896))])
    assert numbers.dtype == torch.float32
    assert numbers.tolist() == [[2001, 1333, 7, 5, 896, 1024]]


@pytest.mark.parametrize(("flipped", "left"), [(False, 8), (True, 9)])
def test_an_image_is_framed_by_its_bucket(flipped: bool, left: int) -> None:
    record = ImageRecord(
        image_path="images/a.jpg", sha256="0" * 64, width=300, height=200, crop=(10, 0, 210, 200)
    )
    fit = BucketFit(bucket=(64, 64), resized=(81, 64))
    item = Item(record, 0, 1, flipped, fit, RunStep(1, 1))
    assert find_framing(item) == Framing(record.content_size, (left, 0), (64, 64))


def test_cached_text_comes_back_with_its_pooled_vector(
    tiny_sdxl: TinyFamily, tmp_path: Path
) -> None:
    encoders = TextEncoders(tiny_sdxl.parts["text_encoder"], tiny_sdxl.parts["text_encoder_2"])
    with torch.no_grad():
        text = tiny_sdxl.adapter.encode_prompts(encoders, ["a cat"], Reading())
    cache = TextCache(Project(tmp_path))
    assert cache.find("a cat") is None
    cache.put(text, "a cat")
    found = cache.find("a cat")
    assert found is not None
    assert found.pooled_BD is not None
    assert text.pooled_BD is not None
    assert torch.equal(found.states_BTD, text.states_BTD)
    assert torch.equal(found.pooled_BD, text.pooled_BD)


def test_diffusers_reads_the_same_model_from_our_single_file(tiny_sdxl: TinyFamily) -> None:
    _, base = tiny_sdxl.checkpoints
    configs = tiny_sdxl.adapter.card.sizes["tiny"].configs
    tensors = load_file(tiny_sdxl.single_file)
    for part, load in (
        ("unet", lambda: tiny_sdxl.adapter.load_unet(base, torch.float32)),
        ("vae", lambda: tiny_sdxl.adapter.load_vae(base, None)),
    ):
        kind = UNet2DConditionModel if part == "unet" else AutoencoderKL
        theirs = kind.from_single_file(
            dict(tensors), config=str(configs / f"{part}.json"), local_files_only=True
        ).state_dict()
        ours = load().state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_the_lora_loads_in_diffusers_with_no_matrix_left_over(
    tiny_sdxl: TinyFamily, pipeline: Any, tmp_path: Path
) -> None:
    settings = {
        "base.family": "sdxl", "train.max_train_steps": "1", "train.save_precision": "float",
    }  # fmt: skip
    run = make_run(tmp_path / "run", tiny_sdxl.folder, settings, num_images=1)
    assert train(run) == 0
    path = run.path / "lyq.safetensors"
    tensors = load_file(path)
    num_modules = 242 + 24
    assert len(tensors) == 3 * num_modules
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.load_lora_weights(path.parent, weight_name=path.name, local_files_only=True)
    try:
        parts = (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2)
        arrived = Counter(
            weight.numpy().tobytes()
            for part in parts
            for name, weight in part.state_dict().items()
            if ".lora_A." in name or ".lora_B." in name
        )
        assert arrived == Counter(
            value.numpy().tobytes() for key, value in tensors.items() if key.endswith(".weight")
        )
        layer = pipeline.unet.down_blocks[1].attentions[0].transformer_blocks[0].attn1.to_q
        ours = tensors["lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_up.weight"]
        assert torch.equal(layer.lora_B["default_0"].weight, ours)
        assert layer.scaling["default_0"] == pytest.approx(0.5)
    finally:
        pipeline.unload_lora_weights()
