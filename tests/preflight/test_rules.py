"""Every rule has a project that it complains about and one that it is silent on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from lorawiz.dataset.adding import add_images
from lorawiz.dataset.evidence import Evidence, Journal, Model, merge_journals
from lorawiz.dataset.holdout import split_records
from lorawiz.dataset.records import load_dataset, save_dataset
from lorawiz.dataset.sources import Source
from lorawiz.paths import Project
from lorawiz.preflight import rules
from lorawiz.preflight.finding import RULES, Problem
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.machine import MachineFacts, TorchFacts
from lorawiz.preflight.plan import build_plan
from lorawiz.spec import load_spec
from lorawiz.spec.document import set_value, unset_value
from lorawiz.spec.tables import Spec
from lorawiz.spec.validating import ValidationTable
from tests.families.test_checkpoints import CONTEXT, TEXT, UNET, write_safetensors
from tests.support.masks import mask_images, white_mask
from tests.support.projects import link_base, make_project, save_photo

assert rules

CPU = TorchFacts("2.13.0", "cpu", "CPU", 0, bf16=True)
OLD_GPU = TorchFacts("2.13.0", "cuda", "Tesla T4", 16 * 10**9, bf16=False)
TWO_GPUS = TorchFacts("2.13.0", "cuda", "RTX 4090", 24 * 10**9, bf16=True, num_devices=2)
APPLE = TorchFacts("2.13.0", "mps", "Apple GPU", 0, bf16=True)
TWO_MACHINES = {
    "launch.num_processes": "4", "launch.main_process_ip": "10.0.0.1", "launch.num_machines": "2"
}  # fmt: skip
MACHINE = MachineFacts((), CPU, 10**12, 10**12, None)

Change = Callable[[Project], None]


@dataclass(frozen=True)
class Case:
    """A project and machine; settings are put over a small one that has no findings."""

    settings: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    project: Mapping[str, Any] = field(default_factory=dict)
    change: Change | None = None
    said: str = ""
    """What the finding must say."""


GOOD: dict[str, str] = {
    "train.max_train_epochs": "100",
    "train.save_every_n_epochs": "10",
    "sample.prompts": '["a photo of lyq woman"]',
    "sample.every_n_epochs": "10",
    "train.learning_rate": "1e-4",
}


WORD = {
    "textual_inversion.token_string": "lyq",
    "textual_inversion.num_vectors_per_token": "2",
}
"""A new word that is in every prompt."""


def relabel(**changes: Any) -> Change:
    """Change the first image's line."""

    def change(project: Project) -> None:
        dataset = load_dataset(project.dataset)
        save_dataset(
            project.dataset, dataset.with_records([replace(dataset.records[0], **changes)])
        )

    return change


def bring_lora(rank: int) -> Change:
    """A LoRA of one layer of the tiny base in the project's folder."""
    key = "lora_unet_down_blocks_0_attentions_0_proj_in"
    shapes = {
        f"{key}.lora_down.weight": [rank, 32, 1, 1],
        f"{key}.lora_up.weight": [32, rank, 1, 1],
    }

    def change(project: Project) -> None:
        write_safetensors(project.root / "old.safetensors", shapes)

    return change


def add_class_images(num: int, caption: str = "", tables: str = "is_reg = true") -> Change:
    """A subset of class images, `num` of them, in images/class."""

    def change(project: Project) -> None:
        table = f'\n[[dataset.subsets]]\nimage_dir = "images/class"\n{tables}\n'
        project.spec.write_text(project.spec.read_text() + table)
        sources = [
            Source(save_photo(project.root / "brought" / f"c{i}.jpg", seed=500 + i), caption)
            for i in range(num)
        ]
        add_images(project, sources, subset="class")

    return change


def remove_image(project: Project) -> None:
    sorted(project.images.iterdir())[0].unlink()


def change_image(project: Project) -> None:
    save_photo(sorted(project.images.iterdir())[0], seed=99)


def add_copy(name: str, scale: float = 1, blur: float = 0, light: float = 1) -> Change:
    """Add the first photo once more, changed; a scale of -1 mirrors it."""

    def change(project: Project) -> None:
        with Image.open(project.images / "IMG_0000.jpg") as photo:
            size = (round(photo.width * abs(scale)), round(photo.height * abs(scale)))
            changed = photo.resize(size).filter(ImageFilter.GaussianBlur(blur))
        changed = ImageOps.mirror(changed) if scale < 0 else changed
        ImageEnhance.Brightness(changed).enhance(light).save(project.images / name)
        add_images(project, [Source(project.images / name)])

    return change


def find_faces(count: int, side: float = 0.4) -> Change:
    """Evidence of a detector that found so many faces in the first photo."""

    def change(project: Project) -> None:
        record = load_dataset(project.dataset).records[0]
        model = Model("faces", "blazeface", "0" * 64)
        faces = [{"box": [0.3, 0.3, 0.3 + side, 0.3 + side], "score": 0.9}] * count
        journal = Journal(project, model)
        journal.append([Evidence(record.image_path, record.sha256, "", {"faces": faces})])
        journal.close()
        merge_journals(project, model)

    return change


def full_size_base(project: Project) -> None:
    path = project.models / "full.safetensors"
    write_safetensors(path, {UNET: [320, 4, 3, 3], CONTEXT: [320, 768], TEXT: [768]})
    set_value(project.spec, "base.checkpoint", "full.safetensors")


def pickled_base(project: Project) -> None:
    (project.models / "old.ckpt").write_bytes(b"PK\x03\x04pickle")
    set_value(project.spec, "base.checkpoint", "old.ckpt")


def torn_vae(project: Project) -> None:
    (project.models / "vae.safetensors").write_bytes(b"torn")
    set_value(project.spec, "base.vae", "vae.safetensors")


def refiner_base(project: Project) -> None:
    mark = {"conditioner.embedders.0.model.ln_final.weight": [4]}
    write_safetensors(project.models / "refiner.safetensors", {UNET: [384, 4, 3, 3], **mark})
    set_value(project.spec, "base.checkpoint", "refiner.safetensors")


def clean_rule(project: Project) -> None:
    rule = '\n[[clean]]\nrule = "remove"\ntags = ["smile"]\n'
    project.spec.write_text(project.spec.read_text() + rule)


def seed_that_holds_out(project: Project, split: float, num: int) -> str:
    """A validation.seed with which a share means so many of the project's images."""
    records = load_dataset(project.dataset).trained
    specs = (Spec(validation=ValidationTable(split=split, seed=seed)) for seed in range(10_000))
    found = (spec for spec in specs if len(split_records(spec, records).held_out) == num)
    return str(next(found).validation.seed)


def hold_out(split: float, num: int) -> Change:
    """Set a share, and a seed with which it means so many images."""

    def change(project: Project) -> None:
        set_value(project.spec, "validation.split", str(split))
        set_value(project.spec, "validation.seed", seed_that_holds_out(project, split, num))
        set_value(project.spec, "validation.every_n_epochs", "1")

    return change


def make_masks(project: Project) -> None:
    mask_images(project, white_mask)


WEIGHTED = {"prompt.weighted_captions": "true"}
SHUFFLED = {"prompt.shuffle_caption": "true", "prompt.keep_tokens": "2"}
LONG = ", ".join(f"word{i} other" for i in range(40))

FAILING: dict[str, Sequence[Case]] = {
    "steps-few": [
        Case({"train.max_train_epochs": "20"}, said="80 steps in all: 4 images × 1 ÷ batch 1"),
    ],
    "save-never-reached": [
        Case({"train.max_train_epochs": "20", "train.save_every_n_epochs": "200"}, said="200, but there are 20"),
        Case({"train.save_every_n_steps": "5000"}, said="save_every_n_steps = 5000"),
    ],
    "save-never": [Case({"train.save_every_n_epochs": ""}, said="nothing is saved before the end")],
    "sample-never-reached": [
        Case({"sample.every_n_epochs": "200"}, said="but there are 100 epochs"),
        Case({"sample.every_n_steps": "5000"}, said="but there are 400 steps"),
    ],
    "sample-none": [
        Case({"sample.prompts": "[]"}, said="no sample prompts"),
        Case({"sample.every_n_epochs": ""}, said="none is ever drawn"),
    ],
    "warmup-too-long": [Case({"train.lr_warmup_steps": "400"}, said="400, but there are 400 steps")],
    "steps-overridden": [Case({"train.max_train_steps": "1600"}, said="is not used")],
    "trigger-unset": [Case({"project.trigger": ""}, said="no trigger")],
    "trigger-absent": [
        Case(change=relabel(tags=("smile",)), said="'lyq' is missing in IMG_0000.jpg"),
        Case(change=relabel(tags=("lyqx",)), said="missing"),
        Case(
            {"prompt.enable_wildcard": "true"},
            change=relabel(caption="a {lyq|woman}", tags=()),
            said="'lyq' is missing in IMG_0000.jpg",
        ),
        Case(
            {"prompt.enable_wildcard": "true", "prompt.caption_prefix": "lyq,"},
            change=relabel(caption="a woman\nsmiling", tags=()),
            said="'lyq' is missing in IMG_0000.jpg",
        ),
    ],
    "trigger-not-kept": [
        Case({**SHUFFLED, "prompt.keep_tokens": "1"}, said="shuffled part of IMG_0000.jpg"),
        Case(SHUFFLED, change=relabel(caption="a woman, smiling"), said="shuffled part of IMG_0000.jpg"),
        Case({"prompt.token_warmup_step": "0.3"}, said="shuffled part of IMG_0000.jpg"),
        Case({"prompt.caption_tag_dropout_rate": "0.1"}, said="shuffled part of IMG_0000.jpg"),
        Case(
            {**SHUFFLED, "prompt.keep_tokens_separator": "|||"},
            change=relabel(caption="a woman|||smiling"),
            said="shuffled part of IMG_0000.jpg",
        ),
    ],
    "trigger-not-first": [Case(change=relabel(tags=("smile", "lyq")), said="neither first")],
    "trigger-many-tokens": [
        Case({"project.trigger": "xqzvwkjy"}, project={"tags": ("xqzvwkjy",)}, said="tokens"),
    ],
    "caption-comma": [Case(SHUFFLED, change=relabel(caption="a woman, smiling"), said="',' inside the caption")],
    "captions-missing": [Case(change=relabel(caption="", tags=()), said="trained as 'lyq woman'")],
    "prompt-too-long": [
        Case(change=relabel(caption=LONG), said="prompts over 75 tokens"),
        Case(
            {"prompt.enable_wildcard": "true", "prompt.caption_tag_dropout_rate": "0.9"},
            change=relabel(caption=f"a woman\nlyq, {{hat|{LONG}}}"),
            said="prompts over 75 tokens",
        ),
    ],
    "weights-unread": [
        Case(change=relabel(caption="a (red:1.2) coat"), said="trained as they stand in IMG_0000.jpg"),
    ],
    "names-as-weights": [
        Case(WEIGHTED, change=relabel(tags=("lyq", "alice (wonderland)")), said="count as weights in IMG_0000.jpg"),
    ],
    "weights-idle": [Case(WEIGHTED, said="no prompt has a weight")],
    "keep-tokens-idle": [Case({"prompt.keep_tokens": "2"}, said="no effect without shuffle_caption")],
    "keep-mark-literal": [
        Case(
            {"prompt.keep_tokens_separator": "|||"},
            change=relabel(caption="lyq|||a woman"),
            said="||| is trained as it stands in IMG_0000.jpg",
        ),
    ],
    "wildcards-literal": [
        Case(change=relabel(caption="a {red|blue} coat"), said="as they stand in IMG_0000.jpg"),
        Case(change=relabel(tags=("lyq", "{hat|cap}")), said="as they stand in IMG_0000.jpg"),
        Case({"prompt.caption_prefix": "a {photo|picture} of"}, said="as they stand in IMG_0000.jpg"),
    ],
    "caption-lines-unused": [
        Case(change=relabel(caption="lyq\nsmiling"), said="caption and no tag is trained of IMG_0000.jpg"),
        Case(change=relabel(caption="lyq\nsmiling", tags=()), said="of the caption is trained of IMG_0000.jpg"),
        Case(change=relabel(caption="", tags=("lyq\nsmile",)), said="of the caption is trained of IMG_0000.jpg"),
    ],
    "wildcards-idle": [Case({"prompt.enable_wildcard": "true"}, said="no prompt has a {wildcard|choice}")],
    "token-warmup-too-long": [
        Case({"prompt.token_warmup_step": "400"}, said="token_warmup_step = 400, but there are 400 steps"),
    ],
    "token-warmup-idle": [
        Case({"prompt.token_warmup_step": "10", "prompt.keep_tokens": "3"}, said="no prompt has more than 1 tags"),
        Case({"prompt.token_warmup_step": "10", "prompt.token_warmup_min": "4"}, said="no prompt has more than 4 tags"),
        Case({"prompt.token_warmup_step": "0.001"}, said="that share of 400 steps is less than one"),
        Case({"prompt.token_warmup_min": "2"}, said="no effect without token_warmup_step"),
    ],
    "secondary-separator-idle": [
        Case({"prompt.secondary_separator": ";;;"}, said="it is in no caption and no tag"),
        Case({"prompt.secondary_separator": ",,"}, said="tags are taken apart first"),
    ],
    "images-none": [
        Case(project={"num_images": 0}, said="no images"),
        Case(project={"num_images": 1}, change=relabel(keep=False), said="1 are rejected or broken"),
    ],
    "images-broken": [Case(change=relabel(status="broken", reason="empty file"), said="IMG_0000.jpg: empty file")],
    "images-changed": [
        Case(change=remove_image, said="not there: IMG_0000.jpg"),
        Case(change=change_image, said="not the files that were added: IMG_0000.jpg"),
        Case(change=relabel(image_path="../outside.jpg"), said="outside the project"),
    ],
    "images-same-name": [Case(change=add_copy("IMG_0000.PNG"), said="IMG_0000.PNG and IMG_0000.jpg")],
    "images-duplicate": [
        Case(change=add_copy("saved-again.png"), said="1 image in the dataset twice: saved-again.png"),
    ],
    "images-near-duplicate": [
        Case(change=add_copy("again.jpg"), said="again.jpg (near-duplicate: "),
    ],
    "images-blurred": [
        Case(change=add_copy("soft.jpg", blur=6), said="1 image not sharp: soft.jpg (blurred: sharpness"),
    ],
    "images-exposure": [
        Case(change=add_copy("night.jpg", light=0.1), said="night.jpg (dark: brightness"),
        Case(change=add_copy("sun.jpg", light=9), said="sun.jpg ("),
    ],
    "faces-none": [Case(change=find_faces(0), said="1 image without a face: IMG_0000.jpg")],
    "faces-several": [Case(change=find_faces(2), said="1 image with several faces: IMG_0000.jpg (2 faces)")],
    "faces-small": [Case(change=find_faces(1, side=0.1), said="IMG_0000.jpg (small face: 10 %")],
    "images-small": [
        Case({"dataset.resolution": "128"}, project={"size": (100, 70)}, said="smaller than their bucket"),
        Case(project={"size": (50, 60)}, said="smaller than their bucket"),
    ],
    "batch-larger-than-bucket": [
        Case(
            {"dataset.batch_size": "3", "dataset.resolution": "128"},
            change=relabel(width=2000, height=400),
            said="1 of 2 buckets",
        ),
    ],
    "masks-missing": [
        Case({"cutout.background": "white"}, change=relabel(mask="a" * 64), said="no mask, or another one, for IMG_0000.jpg"),
        Case({"train.masked_loss": "true"}, change=relabel(mask="a" * 64), said="no mask, or another one, for IMG_0000.jpg"),
    ],
    "cutout-idle": [Case({"cutout.background": "white"}, said="'white', but no mask for IMG_0000.jpg")],
    "clean-due": [Case(change=clean_rule, said="what [tag] and [[clean]] make of them now: IMG_0000.jpg")],
    "flip-on-face": [Case({"dataset.flip_aug": "true"}, said="mirrors the face")],
    "base-unset": [Case({"base.checkpoint": ""}, said="no base checkpoint")],
    "base-missing": [Case({"base.checkpoint": "none.safetensors"}, said="no such model")],
    "base-fetched": [Case({"base.checkpoint": "someone/some-model"}, said="not on this machine")],
    "base-unusable": [
        Case(change=pickled_base, said="pickled checkpoint"),
        Case(change=refiner_base, said="the refiner of Stable Diffusion XL, which"),
    ],
    "base-changed": [Case({"base.sha256": "0" * 64}, said="the spec says 000000000000…")],
    "vae-missing": [
        Case({"base.vae": "none.safetensors"}, said="no such model"),
        Case(change=torn_vae, said="not a safetensors file"),
    ],
    "block-list-length": [
        Case({"network.block_dims": "[4, 4]"}, said="block_dims has 2 numbers, and sd15 has 25"),
        Case({"network.mid_lr_weight": "[1, 1]"}, said="mid_lr_weight has 2 numbers, and sd15 has 1"),
    ],
    "target-idle": [Case({"network.targets": '["*atn*"]'}, said="*atn* fits no layer of sd15; names look like lora_unet_")],
    "network-empty": [
        Case({"network.targets": '["!*"]'}, said="no layer is left to train"),
        Case({"network.block_dims": f"[{', '.join('0' * 25)}]", "network.train_unet_only": "true"}, said="no layer"),
    ],
    "network-setting-idle": [
        Case({"network.conv_alpha": "2"}, said="conv_alpha has no effect without conv_dim"),
        Case({"network.block_lr_zero_threshold": "0.1"}, said="without down_lr_weight"),
    ],
    "weights-unusable": [
        Case({"network.weights": "none.safetensors"}, said="no such LoRA"),
        Case({"network.weights": "old.safetensors"}, change=bring_lora(5), said="has rank 5 in lora_unet_"),
        Case({"network.weights": "old.safetensors", "network.kind": "loha"}, change=bring_lora(4), said="is a lora, and network.kind is loha"),
        Case({"network.weights": "old.safetensors", "network.targets": '["*attn1*"]'}, change=bring_lora(4), said="1 layer not trained here"),
    ],
    "subset-empty": [
        Case(change=add_class_images(0), said="no image in images/class/ is in use"),
    ],
    "prior-loss-weight-idle": [Case({"train.prior_loss_weight": "0.5"}, said="there are no class images")],
    "class-images-alone": [
        Case(project={"num_images": 0}, change=add_class_images(2), said="2 class images, and none"),
    ],
    "class-images-unused": [Case(change=add_class_images(9), said="5 class images never seen")],
    "class-image-has-trigger": [
        Case(change=add_class_images(2, caption="a photo of lyq"), said="class image images/class/c0.jpg and 1 more"),
    ],
    "alpha-scale": [
        Case({"network.alpha": "1"}, said="by 0.25"),
        Case({"network.alpha": "64"}, said="by 16"),
    ],
    "learning-rate-unusual": [
        Case({"train.learning_rate": "0.1"}, said="learning_rate = 0.1"),
        Case({"train.unet_lr": "1e-8"}, said="unet_lr = 1e-08"),
        Case({"train.learning_rate": "1.0"}, said="learning_rate = 1, far from AdamW's usual 1e-4"),
        Case({"train.optimizer_type": "Prodigy"}, said="learning_rate = 0.0001, far from Prodigy's usual 1.0"),
        Case({"network.kind": "full"}, said="learning_rate = 0.0001, far from AdamW's usual 5e-06"),
    ],
    "nothing-trained": [Case({"network.kind": "none"}, said="nothing would be trained")],
    "lora-settings-idle": [
        Case({"network.kind": "full"}, said="dim, alpha without effect: network.kind = 'full'"),
    ],
    "new-word-known": [Case(WORD | {"textual_inversion.token_string": "cat"}, said="'cat' is a word that CLIP knows")],
    "new-word-beginning": [
        Case(WORD | {"project.class_word": ""}, said="neither textual_inversion.init_word nor project.class_word"),
        Case(WORD | {"textual_inversion.init_word": "a red coat"}, said="'a red coat': 3 tokens, for num_vectors_per_token = 2"),
        Case(WORD | {"project.class_word": "a red coat"}, said="'a red coat': 3 tokens"),
    ],
    "new-word-nowhere": [
        Case(WORD | {"textual_inversion.token_string": "ohwx-lyq"}, said="the new word 'ohwx-lyq' is in no prompt"),
    ],
    "new-word-absent": [
        Case(WORD, change=relabel(caption="a woman", tags=()), said="the new word 'lyq' is missing in IMG_0000.jpg"),
    ],
    "new-word-rate": [
        Case(
            WORD | {"train.optimizer_type": "Prodigy", "train.learning_rate": "1", "textual_inversion.learning_rate": "1e-3"},
            said="Prodigy takes one rate for all parts, but textual_inversion.learning_rate = 0.001",
        ),
    ],
    "new-word-idle": [
        Case({"textual_inversion.init_word": "woman"}, said="init_word without effect: textual_inversion.token_string is empty"),
    ],
    "save-model-as-idle": [
        Case({"train.save_model_as": "diffusers"}, said="save_model_as = 'diffusers' has no effect"),
    ],
    "learning-rate-idle": [
        Case(WORD | {"network.kind": "none", "train.unet_lr": "1e-4"}, said="unet_lr without effect: network.kind = 'none'"),
        Case({"network.train_unet_only": "true", "train.text_encoder_lr": "1e-4"}, said="text_encoder_lr has no"),
        Case({"network.train_text_encoder_only": "true", "train.unet_lr": "1e-4"}, said="unet_lr has no"),
    ],
    "learning-rates-unequal": [
        Case({"train.optimizer_type": "Prodigy", "train.unet_lr": "1.0"}, said="one rate for all parts, but unet_lr = 1"),
        Case(
            {"train.optimizer_type": "DAdaptAdam", "train.unet_lr": "1.0", "train.text_encoder_lr": "0.5"},
            said="text_encoder_lr = 0.5",
        ),
    ],
    "loss-prediction": [
        Case(
            {"train.scale_v_pred_loss_like_noise_pred": "true"},
            said="scale_v_pred_loss_like_noise_pred is for a v-prediction base",
        ),
        Case(
            {"base.prediction_type": "v_prediction", "train.v_pred_like_loss": "0.1"},
            said="v_pred_like_loss is for a base that predicts noise",
        ),
        Case({"base.zero_terminal_snr": "true"}, said="with a base that predicts noise"),
    ],
    "loss-setting-idle": [
        Case({"train.adaptive_noise_scale": "0.1"}, said="adaptive_noise_scale has no effect: noise_offset is not set"),
        Case({"train.multires_noise_discount": "0.5"}, said="multires_noise_iterations is not set"),
        Case({"train.huber_c": "0.5"}, said="huber_c has no effect with loss_type = l2"),
        Case({"train.unmasked_weight": "0.2"}, said="unmasked_weight has no effect: masked_loss is not set"),
    ],
    "masked-loss-idle": [
        Case({"train.masked_loss": "true"}, said="masked_loss is on, but no mask for"),
        Case(
            {"train.masked_loss": "true", "train.unmasked_weight": "1.0"},
            change=make_masks, said="no effect with unmasked_weight = 1",
        ),
    ],
    "loss-weights-twice": [
        Case({"train.min_snr_gamma": "5", "train.debiased_estimation_loss": "true"}, said="both on"),
    ],
    "noise-offset-strong": [Case({"train.noise_offset": "0.5"}, said="noise_offset = 0.5")],
    "validation-empty": [Case(change=hold_out(0.1, 0), said="holds out none of 4 images")],
    "validation-too-much": [
        Case(change=hold_out(0.25, 3), said="3 of 4 images are held out; validation.split = 0.25 means about 1"),
    ],
    "validation-never": [Case({"validation.split": "0.5"}, said="measured at the end alone")],
    "validation-idle": [
        Case({"validation.every_n_steps": "5"}, said="validation.every_n_steps without effect"),
    ],
    "optimizer-missing": [
        Case({"train.optimizer_type": "no_such_package.Adam"}, said="needs no_such_package: not installed here"),
    ],
    "optimizer-without-gpu": [
        Case({"train.optimizer_type": "PagedAdamW32bit"}, said="PagedAdamW32bit is made for an NVIDIA GPU"),
        Case({"train.optimizer_type": "SGDNesterov8bit"}, said="made for an NVIDIA GPU"),
    ],
    "optimizer-settings-wrong": [
        Case({"train.optimizer_args": "{ wieght_decay = 0.1 }"}, said="AdamW has no argument wieght_decay"),
        Case({"train.lr_scheduler_args": "{ num_cycles = 2 }"}, said="constant has no argument num_cycles"),
        Case({"train.optimizer_type": "os.path.join"}, said="os.path.join is no Optimizer"),
        Case({"train.lr_scheduler": "torch.optim.lr_scheduler.StepLR"}, said="step_size"),
    ],
    "warmup-refused": [
        Case({"train.optimizer_type": "DAdaptSGD", "train.lr_warmup_steps": "10"}, said="cannot begin at a learning rate of 0"),
    ],
    "stored-weights-refused": [
        Case({"train.fp8_base": "true", "network.kind": "dora"}, said="fp8_base with network.kind = dora"),
        Case({"train.nf4_base": "true", "network.kind": "full"}, said="nf4_base with network.kind = full"),
    ],
    "stored-weights-missing": [Case({"train.nf4_base": "true"}, said="nf4_base needs bitsandbytes")],
    "average-twice": [
        Case({"train.optimizer_type": "AdamWScheduleFree", "train.ema_decay": "0.9"}, said="does so again"),
    ],
    "average-late": [
        Case({"train.ema_decay": "0.999"}, said="averages about 1000 steps, and there are 400"),
    ],
    "schedule-free-scheduled": [
        Case({"train.optimizer_type": "AdamWScheduleFree", "train.lr_scheduler": "cosine"}, said="with lr_scheduler = cosine"),
        Case({"train.optimizer_type": "SGDScheduleFree", "train.lr_warmup_steps": "0.1"}, said="with lr_warmup_steps"),
    ],
    "lr-scheduler-incomplete": [
        Case({"train.lr_scheduler": "cosine_with_min_lr"}, said="needs lr_scheduler_min_lr_ratio"),
        Case({"train.lr_scheduler": "warmup_stable_decay"}, said="needs lr_decay_steps"),
        Case({"train.lr_scheduler": "piecewise_constant"}, said="needs lr_scheduler_args"),
        Case({"train.lr_scheduler": "adafactor"}, said="needs optimizer_type"),
    ],
    "lr-setting-idle": [
        Case({"train.lr_decay_steps": "50"}, said="lr_decay_steps has no effect with lr_scheduler = constant"),
        Case(
            {"train.lr_scheduler": "torch.optim.lr_scheduler.StepLR", "train.lr_warmup_steps": "5"},
            said="lr_warmup_steps has no effect",
        ),
        Case(
            {"train.optimizer_type": "AdaFactor", "train.learning_rate": "1e-3", "train.lr_scheduler": "cosine"},
            said="learning_rate, lr_scheduler without effect: AdaFactor's relative_step",
        ),
    ],
    "bucket-settings-idle": [
        Case({"dataset.enable_bucket": "false", "dataset.bucket_no_upscale": "true"}, said="enable_bucket is off"),
    ],
    "resolution-not-divisible": [
        Case({"dataset.enable_bucket": "false", "dataset.resolution": "100"}, said="100×100 is not a multiple"),
    ],
    "base-family": [
        Case({"base.family": "sdxl"}, said="tiny is sd15, but base.family = 'sdxl'"),
    ],
    "bucket-steps-odd": [
        Case({"dataset.bucket_reso_steps": "32"}, said="in steps of 32"),
        Case({"base.family": "sdxl", "dataset.bucket_reso_steps": "48"}, said="not multiples of 32"),
    ],
    "resolution-low": [
        Case({"dataset.resolution": "256"}, change=full_size_base, said="was trained at 512×512"),
    ],
    "clip-skip-idle": [
        Case({"base.family": "sdxl", "base.clip_skip": "2"}, said="clip_skip has no effect with sdxl"),
    ],
    "extra-missing": [Case(machine={"missing_packages": ("torch",), "torch": None}, said="torch: not installed")],
    "precision-unsupported": [
        Case({"train.mixed_precision": "fp16"}, said="needs a GPU"),
        Case({"train.mixed_precision": "bf16"}, {"torch": OLD_GPU}, said="Tesla T4 does not compute in bf16"),
    ],
    "too-few-gpus": [
        Case({"launch.num_processes": "3"}, {"torch": TWO_GPUS}, said="3 processes on a machine with 2 GPUs"),
        Case({"launch.num_processes": "2"}, {"torch": APPLE}, said="Apple's GPU is one"),
    ],
    "idle-gpus": [Case({}, {"torch": TWO_GPUS}, said="2 GPUs here, and the run uses 1")],
    "disk-full": [Case(machine={"free_disk_bytes": 1000}, said="1.0 kB are free")],
    "memory-short": [Case(machine={"memory_bytes": 10**6}, said="and there are 1.0 MB")],
    "run-active": [Case(machine={"active_run": "lyq-0004"}, said="lyq-0004 is on")],
    "training-on-cpu": [Case(change=full_size_base, said="finds no GPU")],
}  # fmt: skip

PASSING: dict[str, Sequence[Case]] = {
    "bucket-steps-odd": [Case({"base.family": "sdxl", "dataset.bucket_reso_steps": "32"})],
    "clip-skip-idle": [Case({"base.clip_skip": "2"})],
    "resolution-low": [Case({"dataset.resolution": "448"}, change=full_size_base)],
    "precision-unsupported": [
        Case({"train.mixed_precision": "bf16"}),
        Case({"train.mixed_precision": "fp16"}, {"torch": OLD_GPU}),
    ],
    "too-few-gpus": [
        Case({"launch.num_processes": "2"}, {"torch": TWO_GPUS}),
        Case({"launch.num_processes": "2"}),
        Case(TWO_MACHINES, {"torch": TWO_GPUS}),
    ],
    "idle-gpus": [
        Case({"launch.num_processes": "2"}, {"torch": TWO_GPUS}),
        Case(TWO_MACHINES, {"torch": TWO_GPUS}),
    ],
    "alpha-scale": [Case({"network.kind": "full", "network.alpha": "64"})],
    "nothing-trained": [Case(WORD | {"network.kind": "none"})],
    "new-word-known": [Case(WORD)],
    "new-word-beginning": [Case(WORD), Case(WORD | {"textual_inversion.init_word": "red coat"})],
    "new-word-nowhere": [Case(WORD), Case(WORD, change=relabel(caption="a woman", tags=()))],
    "new-word-absent": [Case(WORD), Case(WORD | {"textual_inversion.token_string": "ohwx-lyq"})],
    "new-word-rate": [
        Case(WORD | {"textual_inversion.learning_rate": "5e-3"}),
        Case(WORD | {"train.optimizer_type": "Prodigy", "train.learning_rate": "1"}),
    ],
    "new-word-idle": [Case(WORD)],
    "save-model-as-idle": [
        Case({"network.kind": "full", "train.save_model_as": "diffusers"}),
    ],
    "learning-rate-unusual": [
        Case({"network.kind": "full", "train.learning_rate": "5e-6"}),
        Case({"train.optimizer_type": "Prodigy", "train.learning_rate": "1"}),
        Case(
            {"train.learning_rate": "1.0", "train.unet_lr": "1e-4", "train.text_encoder_lr": "5e-5"}
        ),
        Case({"train.optimizer_type": "AdaFactor", "train.learning_rate": "1.0"}),
        Case({"train.optimizer_type": "torch.optim.RAdam", "train.learning_rate": "1.0"}),
    ],
    "learning-rates-unequal": [
        Case({"train.optimizer_type": "Prodigy"}),
        Case({"train.unet_lr": "2e-4"}),
        Case(
            {
                "train.optimizer_type": "Prodigy",
                "train.unet_lr": "1.0",
                "network.train_unet_only": "true",
            }
        ),
    ],
    "loss-prediction": [
        Case(
            {
                "base.prediction_type": "v_prediction",
                "base.zero_terminal_snr": "true",
                "train.scale_v_pred_loss_like_noise_pred": "true",
            }
        ),
        Case({"train.v_pred_like_loss": "0.1"}),
    ],
    "loss-setting-idle": [
        Case({"train.noise_offset": "0.05", "train.adaptive_noise_scale": "0.1"}),
        Case({"train.loss_type": "smooth_l1", "train.huber_c": "0.5"}),
    ],
    "masked-loss-idle": [Case({"train.masked_loss": "true"}, change=make_masks)],
    "loss-weights-twice": [Case({"train.min_snr_gamma": "5"})],
    "noise-offset-strong": [Case({"train.noise_offset": "0.1"})],
    "validation-empty": [Case(change=hold_out(0.25, 1))],
    "validation-too-much": [Case(change=hold_out(0.25, 2))],
    "validation-never": [Case(change=hold_out(0.25, 1))],
    "validation-idle": [Case(change=hold_out(0.25, 1))],
    "optimizer-missing": [
        Case({"train.optimizer_type": "AdaFactor"}),
        Case({"train.optimizer_type": "torch.optim.RAdam"}),
    ],
    "optimizer-without-gpu": [
        Case({"train.optimizer_type": "AdamW8bit"}, {"torch": OLD_GPU}),
        Case({"train.optimizer_type": "AdamW8bit"}, {"torch": None}),
    ],
    "optimizer-settings-wrong": [
        Case({"train.optimizer_args": "{ weight_decay = 0.1, betas = [0.9, 0.99] }"}),
        Case({"train.optimizer_args": "{ wieght_decay = 0.1 }"}, {"missing_packages": ("torch",)}),
    ],
    "warmup-refused": [
        Case({"train.optimizer_type": "DAdaptAdam", "train.lr_warmup_steps": "10"}),
    ],
    "stored-weights-refused": [Case({"train.fp8_base": "true"})],
    "stored-weights-missing": [Case({"train.fp8_base": "true"})],
    "average-twice": [Case({"train.ema_decay": "0.9"})],
    "average-late": [Case({"train.ema_decay": "0.99"})],
    "schedule-free-scheduled": [
        Case({"train.optimizer_type": "AdamWScheduleFree"}),
        Case({"train.optimizer_type": "RAdamScheduleFree", "train.lr_warmup_steps": "10"}),
    ],
    "lr-scheduler-incomplete": [
        Case(
            {"train.lr_scheduler": "cosine_with_min_lr", "train.lr_scheduler_min_lr_ratio": "0.1"}
        ),
        Case(
            {
                "train.lr_scheduler": "cosine_with_min_lr",
                "train.lr_scheduler_args": "{ min_lr = 1e-6 }",
            }
        ),
        Case({"train.lr_scheduler": "adafactor", "train.optimizer_type": "AdaFactor"}),
    ],
    "lr-setting-idle": [
        Case({"train.lr_scheduler": "warmup_stable_decay", "train.lr_decay_steps": "50"}),
        Case({"train.optimizer_type": "AdaFactor", "train.lr_scheduler": "adafactor"}),
        Case(
            {
                "train.optimizer_type": "AdaFactor",
                "train.learning_rate": "1e-3",
                "train.optimizer_args": "{ relative_step = false }",
            }
        ),
    ],
    "trigger-not-kept": [
        Case(SHUFFLED),
        Case(
            {**SHUFFLED, "prompt.keep_tokens_separator": "|||"},
            change=relabel(caption="a woman|||smiling|||lyq", tags=()),
        ),
    ],
    "caption-comma": [Case(SHUFFLED)],
    "keep-tokens-idle": [
        Case(SHUFFLED),
        Case({"prompt.keep_tokens": "2", "prompt.token_warmup_step": "0.3"}),
        Case({"prompt.keep_tokens": "2", "prompt.caption_tag_dropout_rate": "0.1"}),
    ],
    "keep-mark-literal": [
        Case({"prompt.keep_tokens_separator": "|||"}),
        Case(
            {"prompt.keep_tokens_separator": "|||", "prompt.shuffle_caption": "true"},
            change=relabel(caption="lyq|||a woman"),
        ),
    ],
    "wildcards-literal": [
        Case({"prompt.enable_wildcard": "true"}, change=relabel(caption="a {red|blue} coat")),
        Case(change=relabel(caption="a {red} coat")),
    ],
    "caption-lines-unused": [
        Case({"prompt.enable_wildcard": "true"}, change=relabel(caption="lyq\nsmiling")),
    ],
    "wildcards-idle": [
        Case({"prompt.enable_wildcard": "true"}, change=relabel(caption="a {red|blue} coat")),
        Case({"prompt.enable_wildcard": "true"}, change=relabel(caption="lyq\nsmiling")),
    ],
    "weights-unread": [
        Case(WEIGHTED, change=relabel(caption="a (red:1.2) coat")),
        Case(change=relabel(tags=("lyq", "alice (wonderland)"))),
    ],
    "names-as-weights": [
        Case(WEIGHTED, change=relabel(tags=("lyq", r"alice \(wonderland\)", "(red coat:1.2)"))),
        Case(change=relabel(tags=("lyq", "alice (wonderland)"))),
    ],
    "weights-idle": [Case(WEIGHTED, change=relabel(tags=("lyq", "[red coat]")))],
    "token-warmup-too-long": [Case({"prompt.token_warmup_step": "399"})],
    "token-warmup-idle": [Case({"prompt.token_warmup_step": "0.3"})],
    "secondary-separator-idle": [
        Case({"prompt.secondary_separator": ";;;"}, change=relabel(tags=("lyq", "coat;;;fur"))),
    ],
    "prompt-too-long": [
        Case({"prompt.max_token_length": "225"}, change=relabel(caption=LONG)),
        Case(
            {"prompt.enable_wildcard": "true"},
            change=relabel(caption="{" + LONG.replace(", ", "|") + "}"),
        ),
    ],
    "trigger-absent": [
        Case(change=relabel(caption="lyq smiles", tags=())),
        Case(
            {"prompt.enable_wildcard": "true"}, change=relabel(caption="a {red|blue} coat\nsmiling")
        ),
        Case({"prompt.secondary_separator": ";;;"}, change=relabel(tags=("lyq;;;smile",))),
    ],
    "bucket-settings-idle": [
        Case(
            {
                "dataset.max_bucket_reso": "",
                "dataset.min_bucket_reso": "",
                "dataset.enable_bucket": "false",
            }
        )
    ],
    "training-on-cpu": [Case(machine={"torch": OLD_GPU}, change=full_size_base)],
    "faces-none": [
        Case(change=find_faces(1)),
        Case({"project.class_word": "style"}, change=find_faces(0)),
    ],
    "faces-several": [Case(change=find_faces(1))],
    "faces-small": [Case(change=find_faces(1)), Case(change=find_faces(0))],
    "images-duplicate": [Case(change=add_copy("half.jpg", scale=0.5))],
    "images-near-duplicate": [Case(change=add_copy("mirrored.png", scale=-1))],
}
"""Beside the small good project, which every rule must be silent on."""


def inspect(tmp_path: Path, tiny_base: Path, case: Case) -> Inspection:
    project = make_project(tmp_path / "p", settings=GOOD, **case.project)
    link_base(project, tiny_base)
    for key, value in case.settings.items():
        if value == "" and key not in ("base.checkpoint", "project.trigger"):
            unset_value(project.spec, key)
        else:
            set_value(project.spec, key, value)
    if case.change is not None:
        case.change(project)
    return Inspection(project, load_spec(project.spec), replace(MACHINE, **case.machine))


def problems(code: str, at: Inspection) -> list[Problem]:
    return list(RULES[code].find(at))


def name_cases(cases: Sequence[tuple[str, Case]]) -> list[str]:
    return [f"{code}-{index}" for index, (code, _) in enumerate(cases)]


FAILING_CASES = [(code, case) for code, cases in FAILING.items() for case in cases]
PASSING_CASES = [(code, case) for code in RULES for case in (Case(), *PASSING.get(code, ()))]


def test_there_are_twenty_rules_and_each_has_its_cases() -> None:
    assert len(RULES) >= 20
    assert set(RULES) == set(FAILING)


@pytest.mark.parametrize(("code", "case"), FAILING_CASES, ids=name_cases(FAILING_CASES))
def test_a_rule_complains(tmp_path: Path, tiny_base: Path, code: str, case: Case) -> None:
    found = problems(code, inspect(tmp_path, tiny_base, case))
    assert found, f"{code} is silent"
    assert case.said in " ".join(problem.message for problem in found)
    assert all(problem.fix.text for problem in found)


@pytest.mark.parametrize(("code", "case"), PASSING_CASES, ids=name_cases(PASSING_CASES))
def test_a_rule_is_silent(tmp_path: Path, tiny_base: Path, code: str, case: Case) -> None:
    assert problems(code, inspect(tmp_path, tiny_base, case)) == []


@pytest.mark.parametrize("code", RULES)
def test_every_rule_gives_its_reason(code: str) -> None:
    assert RULES[code].reason.endswith((".", ")"))
    assert len(RULES[code].reason) > 20


def test_the_plans_memory_and_disk_follow_the_optimizer(tmp_path: Path, tiny_base: Path) -> None:
    plans = {}
    for name in ("AdamW", "Lion", "Prodigy", "torch.optim.RAdam"):
        at = inspect(tmp_path / name, tiny_base, Case({"train.optimizer_type": name}))
        plans[name] = build_plan(at)
    size = plans["AdamW"].num_parameters
    kept = {name: plan.state_bytes / size for name, plan in plans.items()}
    assert kept == {"AdamW": 12, "Lion": 8, "Prodigy": 20, "torch.optim.RAdam": 12}
    assert plans["Prodigy"].memory_bytes - plans["Lion"].memory_bytes == 12 * size
