"""The masked loss: which cell counts how much, against closed forms and whole runs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lorawiz.dataset.batches import Item, epoch_batches
from lorawiz.dataset.content import load_fitted_mask
from lorawiz.dataset.records import ImageRecord, load_dataset
from lorawiz.families import load_adapter
from lorawiz.paths import Project
from lorawiz.runs.view import load_view
from lorawiz.spec import Spec, load_spec
from lorawiz.spec.tables import DatasetTable
from lorawiz.spec.training import TrainTable
from lorawiz.train.caches import load_pixels
from lorawiz.train.diffusion import Diffusion
from lorawiz.train.losses import Loss
from lorawiz.train.masks import LossMasks, weigh_by_area
from tests.support.masks import left_half_mask, mask_images, white_mask
from tests.support.projects import link_base, make_project
from tests.support.training import SHORT, freeze, losses, model_hash, train

MASKED = {"train.masked_loss": "true"}
Draw = Callable[[ImageRecord], Image.Image | None]


def half(first: float, second: float) -> Tensor:
    """mask_HW of 4 × 8 cells with two values, one for each half."""
    return torch.tensor([first] * 4 + [second] * 4, dtype=torch.uint8).repeat(4, 1)


@pytest.mark.parametrize("outside", [0.0, 0.1, 0.5])
def test_a_half_masked_image_has_the_weighted_mean_of_its_halves(outside: float) -> None:
    adapter = load_adapter("sd15")
    loss = Loss(TrainTable(), Diffusion(adapter.alphas_cumprod(), "epsilon"))
    predicted, target = torch.zeros(1, 4, 4, 8), torch.zeros(1, 4, 4, 8)
    predicted[..., :4], predicted[..., 4:] = 2.0, 3.0  # squared errors 4 and 9
    weights_B1HW = weigh_by_area(half(255, 0), outside)[None, None]
    found = loss.per_image(predicted, target, torch.tensor([500]), weights_B1HW)
    assert found.item() == pytest.approx((4 * 1 + 9 * outside) / (1 + outside), rel=1e-6)


@pytest.mark.parametrize("share", [1, 3, 8])
def test_the_size_of_the_subject_does_not_change_how_much_an_image_counts(share: int) -> None:
    mask_HW = torch.zeros(8, 8, dtype=torch.uint8)
    mask_HW[:, :share] = 255
    weights_HW = weigh_by_area(mask_HW, 0.0)
    assert weights_HW.mean().item() == pytest.approx(1, rel=1e-6)
    assert weights_HW[0, 0].item() == pytest.approx(8 / share)


def test_grey_counts_in_between() -> None:
    weights_HW = weigh_by_area(half(255, 51), 0.5)  # a fifth inside: 0.2 + 0.8 × 0.5 = 0.6
    assert weights_HW[0].tolist() == pytest.approx([1 / 0.8] * 4 + [0.6 / 0.8] * 4)


@pytest.mark.parametrize("value", [0, 77, 255])
@pytest.mark.parametrize("outside", [0.0, 0.1, 1.0])
def test_a_mask_of_one_value_gives_ones(value: int, outside: float) -> None:
    assert torch.equal(weigh_by_area(half(value, value), outside), torch.ones(4, 8))


def blob_mask(record: ImageRecord) -> Image.Image:
    """A mask with an edge across, down and no symmetry, as bright as the photo is."""
    across = np.linspace(0, 1, record.width)[None, :] > 0.3
    down = np.linspace(0, 1, record.height)[:, None] > 0.55
    return Image.fromarray((across & down).astype(np.uint8) * 255)


@pytest.mark.parametrize("crop", [None, (10, 40, 310, 180)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_mask_is_cut_and_mirrored_as_its_picture(
    tmp_path: Path, crop: tuple[int, int, int, int] | None, flip: bool
) -> None:
    project = make_project(tmp_path / "p", 1, size=(400, 200))
    # the picture is its own mask: what of it is white has to be where the mask is
    (record,) = load_dataset(project.dataset).records
    blob_mask(record).convert("RGB").save(project.root / "images" / "blob.png")
    from lorawiz.dataset.adding import add_images
    from lorawiz.dataset.sources import Source

    add_images(project, [Source(project.images / "blob.png")])
    record = next(r for r in load_dataset(project.dataset).records if "blob" in r.image_path)
    mask_images(project, lambda each: blob_mask(each) if each == record else None)
    record = next(r for r in load_dataset(project.dataset).records if "blob" in r.image_path)
    spec = Spec(
        dataset=DatasetTable(resolution=128, min_bucket_reso=64, max_bucket_reso=256),
        train=TrainTable(masked_loss=True, unmasked_weight=0.0),
    )
    ((item,),) = epoch_batches(spec, [replace(record, crop=crop)], 1)
    item = replace(item, flipped=flip)
    pixels_CYX = load_pixels(project, item, spec)
    seen_HW = torch.nn.functional.avg_pool2d(pixels_CYX[None], 8)[0].mean(0) / 2 + 0.5
    weights_B1HW = LossMasks(project, spec, 8).find_weights([item])
    assert weights_B1HW is not None
    assert weights_B1HW.shape[2:] == seen_HW.shape
    wanted_HW = seen_HW / seen_HW.mean()
    assert (weights_B1HW[0, 0] - wanted_HW).abs().max() < 0.12 * wanted_HW.max()
    assert 0.05 < float((seen_HW > 0.5).float().mean()) < 0.9


def test_cached_masks_are_those_that_are_made_anew(tmp_path: Path) -> None:
    project, spec, items = make_items(tmp_path, blob_mask)
    masks = LossMasks(project, spec, 8)
    made = masks.find_weights(items)
    assert made is not None
    for path in project.masks.rglob("*.png"):
        path.unlink()
    cached = LossMasks(project, spec, 8).find_weights(items)
    assert cached is not None
    assert torch.equal(made, cached)


def test_images_without_a_mask_count_everywhere(tmp_path: Path) -> None:
    project, spec, items = make_items(
        tmp_path, lambda record: left_half_mask(record) if "0000" in record.image_path else None
    )
    masks = LossMasks(project, spec, 8)
    weights_B1HW = masks.find_weights(items)
    assert weights_B1HW is not None
    assert not torch.equal(weights_B1HW[0], weights_B1HW[1])
    assert torch.equal(weights_B1HW[1], torch.ones_like(weights_B1HW[1]))
    assert masks.find_weights(items[1:]) is None
    off = spec.model_copy(update={"train": TrainTable()})
    assert LossMasks(project, off, 8).find_weights(items) is None


def make_items(folder: Path, draw: Draw) -> tuple[Project, Spec, list[Item]]:
    project = make_project(folder / "p", 2, MASKED)
    mask_images(project, draw)
    spec = load_spec(project.spec)
    batches = epoch_batches(spec, load_dataset(project.dataset).trained, 1)
    items = sorted((i for batch in batches for i in batch), key=lambda i: i.record.image_path)
    return project, spec, items


def test_no_mask_has_no_fitted_mask(tmp_path: Path) -> None:
    project, _, items = make_items(tmp_path, lambda _record: None)
    assert load_fitted_mask(project, items[0].record, items[0].fit, 8) is None


def make_masked(
    folder: Path, base: Path, draw: Draw, settings: Mapping[str, str]
) -> tuple[list[float], str]:
    """The losses of a run whose images have masks, and the hash of its LoRA."""
    project = make_project(folder, 4, {**SHORT, **settings})
    link_base(project, base)
    mask_images(project, draw)
    run = freeze(project)
    assert train(run) == 0, load_view(run).message
    return losses(run), model_hash(run.path / "lyq.safetensors")


def test_white_masks_change_nothing_to_the_bit(tmp_path: Path, tiny_base: Path) -> None:
    plain = make_masked(tmp_path / "plain", tiny_base, white_mask, {})
    white = make_masked(tmp_path / "white", tiny_base, white_mask, MASKED)
    bare = make_masked(tmp_path / "bare", tiny_base, lambda _record: None, MASKED)
    assert plain == white == bare


def test_masks_change_what_is_trained(tmp_path: Path, tiny_base: Path) -> None:
    plain = make_masked(tmp_path / "plain", tiny_base, left_half_mask, {})
    masked = make_masked(tmp_path / "masked", tiny_base, left_half_mask, MASKED)
    full = {**MASKED, "train.unmasked_weight": "1.0"}
    even = make_masked(tmp_path / "even", tiny_base, left_half_mask, full)
    assert masked[0][0] != plain[0][0]
    assert masked[0] == pytest.approx(plain[0], rel=0.3)
    assert even[0] == pytest.approx(plain[0], rel=1e-6)


def test_a_mask_that_is_gone_is_told_before_training(tmp_path: Path, tiny_base: Path) -> None:
    project = make_project(tmp_path / "p", 4, {**SHORT, **MASKED})
    link_base(project, tiny_base)
    mask_images(project, left_half_mask)
    run = freeze(project)
    for path in project.masks.rglob("*.png"):
        path.unlink()
    assert train(run) == 2
    assert "no such mask" in load_view(run).message
    assert load_view(run).steps == []
