"""The metadata says what is true, under the names that other tools read."""

import json

import pytest

from lorawiz.families import FAMILIES
from lorawiz.loras.metadata import BaseFacts, RunFacts, build_metadata, count_tags
from lorawiz.spec.document import build_spec

RUN = RunFacts(
    run_id="lyq-0007",
    started_at=1_000_000.0,
    finished_at=1_000_600.0,
    num_images=3,
    batches_per_epoch=2,
    num_epochs=5,
    epoch=4,
    step=8,
    total_steps=10,
    tags=[["lyq", " Smile"], ["lyq", ""], ["lyq", "smile"]],
    bucket_counts={(512, 512): 2, (448, 576): 1},
)
BASE = BaseFacts("base.safetensors", "a" * 64, "12345678")


def metadata_of(**tables: dict[str, object]) -> dict[str, str]:
    project = {"name": "lyq", "trigger": "lyq"}
    spec = build_spec({"schema": 1, "project": project, **tables})
    return build_metadata(spec, FAMILIES["sd15"], BASE, RUN)


def test_every_value_is_text() -> None:
    assert all(isinstance(value, str) for value in metadata_of().values())


def test_the_networks_values_are_the_specs() -> None:
    metadata = metadata_of(network={"dim": 24, "alpha": 6.0})
    assert metadata["ss_network_module"] == "networks.lora"
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"]) == ("24", "6.0")
    assert metadata["ss_base_model_version"] == "sd_v1"
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1/lora"


def test_steps_epochs_and_images_are_counted_with_repeats() -> None:
    metadata = metadata_of(dataset={"num_repeats": 4})
    assert metadata["ss_num_train_images"] == "12"
    assert (metadata["ss_epoch"], metadata["ss_steps"]) == ("4", "8")
    buckets = json.loads(metadata["ss_bucket_info"])["buckets"]
    assert buckets["0"] == {"resolution": [512, 512], "count": 8}


def test_the_resolution_is_the_true_one() -> None:
    metadata = metadata_of(dataset={"resolution": [640, 448]})
    assert metadata["modelspec.resolution"] == "640x448"
    assert metadata["ss_resolution"] == "(640, 448)"


def test_tags_are_counted_by_image_in_lower_case() -> None:
    assert count_tags(RUN.tags) == {"lyq": 3, "smile": 2}
    assert json.loads(metadata_of()["ss_tag_frequency"]) == {"1_lyq": {"lyq": 3, "smile": 2}}


@pytest.mark.parametrize(
    ("network", "unet_lr", "text_encoder_lr"),
    [
        ({}, "0.0003", "0.0001"),
        ({"train_unet_only": True}, "0.0003", "None"),
        ({"train_text_encoder_only": True}, "None", "0.0001"),
    ],
)
def test_a_part_that_is_not_trained_has_no_learning_rate(
    network: dict[str, object], unet_lr: str, text_encoder_lr: str
) -> None:
    metadata = metadata_of(network=network, train={"unet_lr": 3e-4})
    assert (metadata["ss_unet_lr"], metadata["ss_text_encoder_lr"]) == (unet_lr, text_encoder_lr)


@pytest.mark.parametrize(
    ("train", "optimizer", "scheduler"),
    [
        ({}, "torch.optim.adamw.AdamW", "constant"),
        (
            {"optimizer_args": {"weight_decay": 0.1, "betas": [0.9, 0.99]}, "lr_scheduler": "rex"},
            "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))",
            "rex",
        ),
        ({"optimizer_type": "Prodigy"}, "prodigyopt.prodigy.Prodigy", "constant"),
        ({"optimizer_type": "SGDNesterov"}, "torch.optim.sgd.SGD(momentum=0.9)", "constant"),
        (
            {"optimizer_type": "AdaFactor", "learning_rate": 1e-3},
            "transformers.optimization.Adafactor(relative_step=True)",
            "adafactor:0.001",
        ),
    ],
)
def test_the_optimizer_is_written_as_sd_scripts_does(
    train: dict[str, object], optimizer: str, scheduler: str
) -> None:
    metadata = metadata_of(train=train)
    assert (metadata["ss_optimizer"], metadata["ss_lr_scheduler"]) == (optimizer, scheduler)
    is_used = "relative_step" not in optimizer
    assert (metadata["ss_learning_rate"] != "None") == is_used
    assert (metadata["ss_unet_lr"] != "None") == is_used
