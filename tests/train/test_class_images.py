"""Class images in a run: their weight in the loss, their prompt, and what the file says of them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from lorawiz.dataset.adding import add_images
from lorawiz.dataset.batches import Item
from lorawiz.dataset.sources import Source
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import read_events
from lorawiz.runs.view import load_view
from lorawiz.spec.subset_edits import add_subset
from lorawiz.spec.subsets import SubsetTable
from lorawiz.train import accumulating
from lorawiz.train.trainer import Trainer
from tests.support.projects import link_base, make_project, save_photo
from tests.support.training import freeze, losses, model_hash, train

TABLE = SubsetTable(image_dir="images/class", is_reg=True, class_tokens="a woman")


def make_run(folder: Path, base: Path, weight: str, num_class: int = 2) -> RunFolder:
    """Two photos and some class images, two steps of all of them."""
    settings = {
        "train.prior_loss_weight": weight,
        "train.max_train_steps": "2",
        "dataset.batch_size": "4",
        "train.save_precision": "float",
    }
    project = make_project(folder, 2, settings)
    link_base(project, base)
    if num_class:
        add_subset(project.spec, TABLE)
        brought = [save_photo(folder / "c" / f"c{i}.jpg", seed=70 + i) for i in range(num_class)]
        add_images(project, [Source(path, "", ()) for path in brought], subset="class")
    return freeze(project)


def test_the_loss_is_the_weighted_mean(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[tuple[list[str], list[float]]] = []
    measure = accumulating.batch_losses

    def note(trainer: Trainer, batch: tuple[Item, ...]) -> torch.Tensor:
        loss_B = measure(trainer, batch)
        measured.append(([item.record.image_path for item in batch], loss_B.tolist()))
        return loss_B

    monkeypatch.setattr(accumulating, "batch_losses", note)
    run = make_run(tmp_path / "run", tiny_base, "0.25")
    assert train(run) == 0, load_view(run).message
    assert len(measured) == 2
    for (paths, values), loss in zip(measured, losses(run), strict=True):
        of_class = [path.startswith("images/class/") for path in paths]
        assert sum(of_class) == 2
        weighted = [
            value * (0.25 if each else 1.0) for value, each in zip(values, of_class, strict=True)
        ]
        assert loss == pytest.approx(sum(weighted) / 4, rel=1e-5)
    images = [
        event["images"] for event in read_events(run.journal) if event["event"] == "image_loss"
    ]
    assert all(not path.startswith("images/class/") for each in images for path in each)
    assert images


def test_a_weight_of_zero_learns_nothing_of_them(tmp_path: Path, tiny_base: Path) -> None:
    hashes = {}
    for weight in ("0.0", "1.0"):
        for seed in (0, 1):
            # other class images, the same photos
            run = make_run(tmp_path / f"{weight}-{seed}", tiny_base, weight)
            if seed:
                change_class_images(run)
            assert train(run) == 0, load_view(run).message
            hashes[weight, seed] = model_hash(run.path / "lyq.safetensors")
    assert hashes["0.0", 0] == hashes["0.0", 1]
    assert hashes["1.0", 0] != hashes["1.0", 1]


def change_class_images(run: RunFolder) -> None:
    """Let the class images of a frozen run have another prompt."""
    text = run.spec.read_text()
    assert 'class_tokens = "a woman"' in text
    run.spec.write_text(text.replace('class_tokens = "a woman"', 'class_tokens = "a red car"'))


def test_the_file_says_how_many_there_were_and_none_of_their_tags(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = make_run(tmp_path / "run", tiny_base, "0.5")
    assert train(run) == 0, load_view(run).message
    with safe_open(run.path / "lyq.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["ss_num_reg_images"] == "2"
    assert metadata["ss_num_train_images"] == "2"
    assert metadata["ss_prior_loss_weight"] == "0.5"
    assert json.loads(metadata["ss_reg_dataset_dirs"]) == {
        "class": {"n_repeats": 1, "img_count": 2}
    }
    assert "a woman" in json.loads(metadata["ss_tag_frequency"])["1_lyq"]
    assert sum(json.loads(metadata["ss_tag_frequency"])["1_lyq"].values()) == 2 * 4
