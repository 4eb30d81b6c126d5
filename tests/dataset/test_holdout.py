"""Which images are held out: of each image alone, and never all of them."""

import random
from dataclasses import replace
from hashlib import sha256

import pytest

from lorawiz.dataset.batches import count_steps, epoch_batches, iter_steps
from lorawiz.dataset.holdout import split_records
from lorawiz.dataset.records import ImageRecord
from lorawiz.spec.tables import DatasetTable, Spec
from lorawiz.spec.training import TrainTable
from lorawiz.spec.validating import ValidationTable

TABLE = Spec(validation=ValidationTable(split=0.2))


def record(number: int) -> ImageRecord:
    content = sha256(f"photo {number}".encode()).hexdigest()
    return ImageRecord(f"images/{number:04d}.jpg", content, 512, 512)


RECORDS = [record(number) for number in range(500)]


def paths(records: object) -> set[str]:
    assert isinstance(records, list | tuple)
    return {each.image_path for each in records}


def test_about_the_share_is_held_out_and_every_image_is_on_one_side() -> None:
    split = split_records(TABLE, RECORDS)
    assert 75 <= len(split.held_out) <= 125
    assert paths(split.trained) | paths(split.held_out) == paths(RECORDS)
    assert not paths(split.trained) & paths(split.held_out)


def test_the_draw_is_the_stored_one() -> None:
    # another draw would move held-out images into the training of people who go on
    held_out = split_records(TABLE, RECORDS[:20]).held_out
    assert [each.image_path[-6:-4] for each in held_out] == ["01", "09", "14", "16"]


def test_other_images_their_order_and_names_decide_nothing() -> None:
    held_out = {each.sha256 for each in split_records(TABLE, RECORDS).held_out}
    shuffled = random.Random(1).sample(RECORDS, 300)
    renamed = [replace(each, image_path=f"images/new-{each.image_path}") for each in shuffled]
    found = {each.sha256 for each in split_records(TABLE, renamed).held_out}
    assert found == held_out & {each.sha256 for each in renamed}


def test_one_file_under_two_names_is_never_on_both_sides() -> None:
    copies = [replace(each, image_path=f"copy-{each.image_path}") for each in RECORDS]
    split = split_records(TABLE, [*RECORDS, *copies])
    trained, held_out = ({each.sha256 for each in side} for side in (split.trained, split.held_out))
    assert not trained & held_out


def test_another_seed_holds_out_others() -> None:
    other = split_records(Spec(validation=ValidationTable(split=0.2, seed=1)), RECORDS)
    assert paths(other.held_out) != paths(split_records(TABLE, RECORDS).held_out)


def test_a_larger_share_holds_out_the_same_and_more() -> None:
    more = split_records(Spec(validation=ValidationTable(split=0.4)), RECORDS)
    assert paths(split_records(TABLE, RECORDS).held_out) < paths(more.held_out)


@pytest.mark.parametrize("num", [1, 2, 3])
def test_some_image_is_always_trained_and_a_second_split_holds_out_nothing(num: int) -> None:
    for first in range(0, 60, num):
        records = RECORDS[first : first + num]
        split = split_records(Spec(validation=ValidationTable(split=0.5)), records)
        assert split.trained
        assert not split_records(
            Spec(validation=ValidationTable(split=0.5)), split.trained
        ).held_out


def test_what_is_held_out_is_in_no_step_and_in_no_count() -> None:
    spec = Spec(
        validation=TABLE.validation,
        dataset=DatasetTable(num_repeats=2, batch_size=3),
        train=TrainTable(max_train_epochs=2),
    )
    records = RECORDS[:50]
    split = split_records(TABLE, records)
    assert split.held_out
    plain = spec.model_copy(update={"validation": ValidationTable()})
    assert count_steps(spec, records) == count_steps(plain, split.trained)
    assert epoch_batches(spec, records, 1) == epoch_batches(plain, split.trained, 1)
    seen = {i.record for plan in iter_steps(spec, records) for b in plan.batches for i in b}
    assert seen == set(split.trained)
