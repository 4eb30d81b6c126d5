"""The demo's base: what it is made of, what it knows, and that a LoRA learns on it."""

import tomllib
from itertools import combinations
from pathlib import Path

import pytest
import textual_image
import torch
from safetensors import safe_open
from torch import Tensor

from lorawiz.demo import BASE, KNOWN_SUBJECTS, PHOTOS, PORTRAITS
from lorawiz.demo.making.photos import SOURCES
from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.families.clip.reading import Reading
from lorawiz.families.sd15.adapter import ADAPTER
from lorawiz.paths import file_sha256, folder_sha256
from lorawiz.spec import Spec
from lorawiz.train.sampling import SamplePrompt, draw_latents
from tests.support.learning import make_learner, measure_distance, measure_drift
from tests.support.training import freeze, train

BASE_SHA256 = "f887f11784272ee0d978712d742ec21921ce96541c19f5c893fae34be665ae5e"
MAX_BYTES = 16 * 2**20
CPU = torch.device("cpu")
HOPPER = Path(textual_image.__file__).with_name("gracehopper.jpg")
PERSON = sorted(PHOTOS.glob("*.jpg"))


def test_the_base_is_what_was_trained_small_and_in_half_precision() -> None:
    assert folder_sha256(BASE) == BASE_SHA256
    checkpoint = inspect_checkpoint(BASE)
    assert (checkpoint.family, checkpoint.size) == ("sd15", "demo")
    assert sum(path.stat().st_size for path in BASE.rglob("*")) < MAX_BYTES
    for path in BASE.rglob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            assert {file.get_slice(key).get_dtype() for key in file.keys()} == {"F16"}  # noqa: SIM118


def test_the_card_names_every_photograph_and_its_licence() -> None:
    card = (BASE / "README.md").read_text("utf-8")
    sources = tomllib.loads(SOURCES.read_text("utf-8"))["photo"]
    for photo in sources:
        assert photo["title"] in card
        assert f"| {photo['author']} | {photo['licence']} |" in card
        assert photo["licence"].startswith(("CC0", "CC BY 2.0", "public domain", "no known"))
    assert len(sources) == card.count("\n| ") - 2  # its head and its rule


def test_the_demos_person_is_not_among_the_photographs_of_the_base() -> None:
    sources = tomllib.loads(SOURCES.read_text("utf-8"))["photo"]
    assert not any("astronaut" in str(photo) for photo in sources)
    assert not {photo["sha256"] for photo in sources} & {file_sha256(path) for path in PERSON}


def test_the_base_holds_weights_and_no_picture() -> None:
    suffixes = {path.suffix for path in BASE.rglob("*") if path.is_file()}
    assert suffixes == {".safetensors", ".json", ".md"}


def test_every_subject_of_the_base_looks_different() -> None:
    pictures = draw(KNOWN_SUBJECTS)
    for one, other in combinations(range(len(KNOWN_SUBJECTS)), 2):
        moved = float((pictures[one] - pictures[other]).square().mean().sqrt())
        assert moved > 0.15, (KNOWN_SUBJECTS[one], KNOWN_SUBJECTS[other], moved)


@pytest.mark.slow
def test_another_persons_photos_give_another_result(tmp_path: Path) -> None:
    ours = train_on(tmp_path / "ours", [PORTRAITS[1]])
    theirs = train_on(tmp_path / "theirs", [HOPPER])
    assert measure_drift(ours, theirs) > 0.1
    for drawn, own, other in ((ours, PORTRAITS[1], HOPPER), (theirs, HOPPER, PORTRAITS[1])):
        near, far = (measure_distance(drawn, [photo]) for photo in (own, other))
        assert near.pixels < 0.7 * far.pixels, (drawn, near, far)
        assert near.features < 0.7 * far.features, (drawn, near, far)


def train_on(folder: Path, photos: list[Path]) -> Path:
    """The sample of the trigger behind 100 steps on `photos`, in this process."""
    settings = {
        "train.max_train_steps": "100",
        "sample.every_n_epochs": "100",
        "sample.prompts": '["a photo of zkw woman"]',
    }
    run = freeze(make_learner(folder, photos, settings))
    assert train(run) == 0
    return max(run.samples.glob("*-1.png"))


def draw(prompts: tuple[str, ...]) -> list[Tensor]:
    """pixels_CYX in 0…1 that the base draws for each prompt."""
    checkpoint = inspect_checkpoint(BASE)
    unet = ADAPTER.load_unet(checkpoint, torch.float32)
    text_encoder = ADAPTER.load_text_encoder(checkpoint, torch.float32)
    vae = ADAPTER.load_vae(checkpoint, None)
    spec = Spec.model_validate({"dataset": {"resolution": 64}, "sample": {"steps": 8}})
    pictures = []
    with torch.no_grad():
        negative = ADAPTER.encode_prompts(text_encoder, [""], Reading())
        for prompt in prompts:
            text = ADAPTER.encode_prompts(text_encoder, [prompt], Reading())
            wanted = SamplePrompt(0, prompt, text, negative)
            latents_BCHW = draw_latents(ADAPTER, unet, wanted, spec, CPU, vae_scale=4)
            pictures.append(ADAPTER.decode_latents(vae, latents_BCHW)[0])
    return pictures
