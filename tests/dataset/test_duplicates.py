"""Which pictures are the same, which are nearly so, and which only have the same subject."""

import io
import random
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageOps

from lorawiz.dataset import duplicates as duplicates_module
from lorawiz.dataset.duplicates import MAX_LOOK_DISTANCE, Similar, find_same, find_similar
from lorawiz.dataset.facts import measure_picture

HOPPER = Path(str(files("textual_image"))) / "gracehopper.jpg"
ASTRONAUTS = sorted((Path(str(files("lorawiz.demo"))) / "photos").glob("*.jpg"))


def load(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def distance(one: Image.Image, other: Image.Image) -> int:
    looks = [measure_picture(each).look for each in (one, other)]
    assert looks[0] is not None and looks[1] is not None
    return (looks[0] ^ looks[1]).bit_count()


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cut(image: Image.Image, fraction: float) -> Image.Image:
    return image.crop((0, 0, round(image.width * fraction), round(image.height * fraction)))


NEAR = {
    "JPEG of quality 40": lambda image: as_jpeg(image, 40),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "10 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "15 % darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.15),
    "without colour": lambda image: image.convert("L").convert("RGB"),
}
OTHER = {
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "cut to 90 %": lambda image: cut(image, 0.9),
    "cut to 60 %": lambda image: cut(image, 0.6),
    "turned by 2° and cut": lambda image: cut(image.rotate(2), 0.95),
}


@pytest.mark.parametrize("path", [HOPPER, ASTRONAUTS[0], ASTRONAUTS[1]], ids=lambda p: p.name)
@pytest.mark.parametrize("how", NEAR)
def test_a_photo_that_was_saved_in_another_way_is_nearly_the_same(path: Path, how: str) -> None:
    photo = load(path)
    assert distance(photo, NEAR[how](photo)) <= MAX_LOOK_DISTANCE  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("path", [HOPPER, ASTRONAUTS[0], ASTRONAUTS[1]], ids=lambda p: p.name)
@pytest.mark.parametrize("how", OTHER)
def test_another_picture_of_the_same_is_not(path: Path, how: str) -> None:
    photo = load(path)
    assert distance(photo, OTHER[how](photo)) > MAX_LOOK_DISTANCE  # type: ignore[no-untyped-call]


def test_crops_of_one_portrait_are_not_nearly_the_same() -> None:
    looks = [measure_picture(load(path)).look for path in (*ASTRONAUTS, HOPPER)]
    assert find_similar([look for look in looks if look is not None]) == []


def test_what_was_there_before_is_the_same() -> None:
    assert list(find_same(["a", "b", "a", "c", "a", "b"])) == [(2, 0), (4, 0), (5, 1)]


def find_similar_slowly(looks: list[int]) -> list[Similar]:
    found = []
    for index, look in enumerate(looks):
        distances = [(look ^ other).bit_count() for other in looks[:index]]
        if distances and min(distances) <= MAX_LOOK_DISTANCE:
            nearest = min(distances)
            found.append(Similar(index, distances.index(nearest), nearest))
    return found


def flip_bits(look: int, count: int, dice: random.Random) -> int:
    for bit in dice.sample(range(128), count):
        look ^= 1 << bit
    return look


@pytest.mark.parametrize("seed", range(6))
def test_the_fast_search_finds_what_the_slow_one_finds(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # small blocks, so that several are needed
    monkeypatch.setattr(duplicates_module, "_ROWS_AT_ONCE", 7)
    monkeypatch.setattr(duplicates_module, "_COLUMNS_AT_ONCE", 11)
    dice = random.Random(seed)
    looks = [dice.getrandbits(128) for _ in range(40)]
    for _ in range(120):
        looks.append(flip_bits(dice.choice(looks), dice.choice([0, 1, 3, 5, 6, 7, 9]), dice))
    dice.shuffle(looks)
    expected = find_similar_slowly(looks)
    assert len(expected) > 40
    assert find_similar(looks) == expected


@pytest.mark.parametrize("looks", [[], [5], [0, 2**128 - 1]])
def test_few_pictures_are_no_special_case(looks: list[int]) -> None:
    assert find_similar(looks) == []


def test_the_same_look_many_times_takes_no_longer() -> None:
    found = find_similar([7] * 50_000)
    assert len(found) == 49_999
    assert found[-1] == Similar(49_999, 0, 0)


def test_likeness_is_told_in_percent() -> None:
    assert (Similar(1, 0, 0).percent, Similar(1, 0, 6).percent) == (100, 95)
