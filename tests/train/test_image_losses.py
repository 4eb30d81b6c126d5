"""Each image's loss by epoch: its mean, its count, and that a resume loses none."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lorawiz.dataset.batches import Item, epoch_batches
from lorawiz.dataset.records import load_dataset
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import read_events
from lorawiz.runs.view import load_view
from lorawiz.spec import Spec
from lorawiz.train import accumulating, image_losses
from lorawiz.train.image_losses import ImageLosses
from tests.support.projects import make_project
from tests.support.training import SHORT, make_run, stop_after, train


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    records = load_dataset(make_project(tmp_path / "p", 3).dataset).trained
    batches = epoch_batches(Spec(), records, 1)
    return sorted((item for batch in batches for item in batch), key=lambda i: i.record.image_path)


def told(run: RunFolder) -> list[tuple[int, dict[str, Any]]]:
    events = read_events(run.journal)
    return [(e["epoch"], e["images"]) for e in events if e["event"] == "image_loss"]


@pytest.mark.parametrize("max_unread", [1, 2, 1000])
def test_means_and_counts_are_of_the_views_of_one_epoch(
    items: list[Item], monkeypatch: pytest.MonkeyPatch, max_unread: int
) -> None:
    monkeypatch.setattr(image_losses, "_MAX_UNREAD", max_unread)
    one, two, three = items
    losses = ImageLosses()
    for batch, values in (([one, two], [1.0, 5.0]), ([one], [2.0]), ([one, three], [3.0, 0.5])):
        losses.add(batch, torch.tensor(values))
        losses.end_step(is_made=True)
    paths = [item.record.image_path for item in items]
    assert losses.end_epoch() == {paths[0]: [2.0, 3], paths[1]: [5.0, 1], paths[2]: [0.5, 1]}
    assert losses.end_epoch() == {}


def test_a_step_that_was_not_made_is_not_counted(items: list[Item]) -> None:
    losses = ImageLosses()
    losses.add(items[:1], torch.tensor([float("nan")]))
    losses.end_step(is_made=False)
    losses.add(items[:1], torch.tensor([4.0]))
    losses.end_step(is_made=True)
    assert losses.end_epoch() == {items[0].record.image_path: [4.0, 1]}


def test_sums_go_on_where_they_were_packed(items: list[Item]) -> None:
    straight, first, second = ImageLosses(), ImageLosses(), ImageLosses()
    values = torch.rand(7, generator=torch.Generator().manual_seed(1))
    for losses, chosen in ((straight, values), (first, values[:3])):
        for value in chosen:
            losses.add(items[:1], value[None])
            losses.end_step(is_made=True)
    second.restore(first.pack())
    for value in values[3:]:
        second.add(items[:1], value[None])
        second.end_step(is_made=True)
    assert second.end_epoch() == straight.end_epoch()


def test_a_state_without_sums_begins_at_nothing() -> None:
    losses = ImageLosses()
    losses.restore(None)
    assert losses.end_epoch() == {}


def test_a_run_tells_what_it_measured_and_a_resumed_one_the_same(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SHORT, "dataset.num_repeats": "2", "train.max_train_steps": "7"}
    measured: list[tuple[int, str, float]] = []
    measure = accumulating.batch_losses

    def note(trainer: Any, batch: tuple[Item, ...]) -> Tensor:
        loss_B = measure(trainer, batch)
        measured.extend(
            (item.epoch, item.record.image_path, loss)
            for item, loss in zip(batch, loss_B.tolist(), strict=True)
        )
        return loss_B

    straight = make_run(tmp_path / "straight", tiny_base, settings)
    with monkeypatch.context() as patch:
        patch.setattr(accumulating, "batch_losses", note)
        assert train(straight) == 0
    # four steps an epoch; the second ends early with the run
    assert [epoch for epoch, _ in told(straight)] == [1, 2]
    for epoch, images in told(straight):
        assert sum(num for _, num in images.values()) == (8 if epoch == 1 else 6)
        for path, (mean, num) in images.items():
            own = [loss for e, p, loss in measured if (e, p) == (epoch, path)]
            assert (mean, num) == (pytest.approx(sum(own) / len(own)), len(own))

    resumed = make_run(tmp_path / "resumed", tiny_base, settings)
    with monkeypatch.context() as patch:
        stop_after(resumed, 3, patch)
        assert train(resumed) == 0
    assert told(resumed) == []
    assert train(resumed, "--resume") == 0
    assert told(resumed) == told(straight)
    assert load_view(resumed).rank_image_losses() == load_view(straight).rank_image_losses()
