"""What is wrong with single images: each code with an image that has it and one that has not."""

import pytest

from lorawiz.dataset.facts import PictureFacts
from lorawiz.dataset.problems import PROBLEM_CODES, ImageProblem, find_image_problems
from lorawiz.dataset.records import Crop, ImageRecord

LOOKS = [0x0F1E2D3C4B5A69788796A5B4C3D2E1F0 * (2 * i + 1) % 2**128 for i in range(20)]
Box = tuple[float, float, float, float, float]
FACE: Box = (0.3, 0.3, 0.6, 0.6, 0.9)


def record(name: str, size: tuple[int, int] = (1000, 800), crop: Crop | None = None) -> ImageRecord:
    return ImageRecord(f"images/{name}.jpg", name, *size, crop=crop)


def facts(
    name: str, sharpness: float = 300, brightness: float = 0.5, black: float = 0.0, white: float = 0.0,
    look: int | None = None,
) -> PictureFacts:  # fmt: skip
    return PictureFacts(sharpness, brightness, black, white, f"pixels of {name}", look)


def problems(
    records: list[ImageRecord],
    known: dict[str, PictureFacts] | None = None,
    faces: dict[str, list[Box]] | None = None,
) -> list[ImageProblem]:
    by_path = {f"images/{name}.jpg": each for name, each in (known or {}).items()}
    found = {f"images/{name}.jpg": each for name, each in (faces or {}).items()}
    return find_image_problems(records, by_path, found if faces is not None else None)


def said(found: list[ImageProblem]) -> dict[str, str]:
    return {each.image_path[7:-4]: each.message for each in found}


def test_a_good_image_has_no_problem() -> None:
    known = {"a": facts("a", look=LOOKS[0]), "b": facts("b", look=LOOKS[1])}
    assert problems([record("a"), record("b")], known, {"a": [FACE], "b": [FACE]}) == []


def test_what_is_not_known_is_not_judged() -> None:
    assert problems([record("a")]) == []
    assert problems([record("a")], {}, {}) == []


def test_the_same_pixels_are_a_duplicate_of_the_first() -> None:
    known = {"a": facts("x", look=LOOKS[0]), "b": facts("x", look=LOOKS[0])}
    assert problems([record("a"), record("b")], known) == [
        ImageProblem(
            "images/b.jpg", "duplicate", "duplicate: the same pixels as a.jpg", "images/a.jpg"
        )
    ]


def test_of_two_that_are_alike_the_smaller_is_named() -> None:
    known = {"a": facts("a", look=LOOKS[0]), "b": facts("b", look=LOOKS[0] ^ 0b1011)}
    [problem] = problems([record("a", (600, 700)), record("b")], known)
    assert problem == ImageProblem(
        "images/a.jpg", "near-duplicate", "near-duplicate: 98 % like b.jpg, which is 1000×800",
        "images/b.jpg",
    )  # fmt: skip


def test_flat_pictures_are_not_alike() -> None:
    assert problems([record("a"), record("b")], {"a": facts("a"), "b": facts("b")}) == []


def test_blur_is_judged_beside_the_others() -> None:
    known = {str(i): facts(str(i), 60 + 15 * i) for i in range(11)} | {"x": facts("x", 14)}
    found = problems([record(name) for name in known], known)
    assert said(found) == {"x": "blurred: sharpness 14, others 63–207"}
    known["x"] = facts("x", 30)
    assert said(problems([record(name) for name in known], known)) == {
        "x": "blurred: sharpness 30, others 63–207"
    }


def test_in_a_sharp_set_a_good_photo_is_not_blurred() -> None:
    known = {str(i): facts(str(i), 2000) for i in range(9)} | {"x": facts("x", 150)}
    assert problems([record(name) for name in known], known) == []


def test_a_set_that_is_all_blurred_is_told() -> None:
    known = {str(i): facts(str(i), 8) for i in range(3)}
    assert said(problems([record(name) for name in known], known))["0"] == "blurred: sharpness 8"


@pytest.mark.parametrize(
    ("known", "code", "message"),
    [
        (facts("a", brightness=0.05, black=0.9), "dark", "dark: brightness 5 %"),
        (facts("a", brightness=0.95, white=0.9), "bright", "bright: brightness 95 %"),
        (facts("a", black=0.4), "clipped", "clipped: 40 % of it is pure black"),
        (facts("a", white=0.5), "clipped", "clipped: 50 % of it is pure white"),
    ],
)
def test_bad_light_is_told_once(known: PictureFacts, code: str, message: str) -> None:
    [problem] = problems([record("a")], {"a": known})
    assert (problem.code, problem.message) == (code, message)


def test_small_is_what_is_left_of_the_crop() -> None:
    records = [record("a", (511, 900)), record("b"), record("c", crop=(0, 0, 800, 300))]
    assert said(problems(records)) == {"a": "small: 511×900", "c": "small: 800×300"}


def test_faces_are_counted() -> None:
    unsure: Box = (0.0, 0.0, 0.2, 0.2, 0.3)
    other: Box = (0.7, 0.1, 0.9, 0.4, 0.8)
    found = problems(
        [record(name) for name in "abcd"], {},
        {"a": [], "b": [unsure], "c": [FACE, other], "d": [FACE, unsure]},
    )  # fmt: skip
    assert said(found) == {"a": "no face found", "b": "no face found", "c": "2 faces"}


def test_a_small_face_grows_with_its_crop() -> None:
    face: Box = (0.50, 0.50, 0.60, 0.60, 0.9)
    records = [record("a"), record("b", crop=(400, 300, 700, 600))]
    found = problems(records, {}, {"a": [face], "b": [face]})
    assert [(each.image_path, each.code) for each in found] == [
        ("images/a.jpg", "small-face"),
        ("images/b.jpg", "small"),
    ]
    assert found[0].message == "small face: 12 % of the shorter side"


def test_a_face_that_is_cut_away_is_no_face() -> None:
    [problem] = problems([record("a", crop=(0, 0, 1000, 200))], {}, {"a": [FACE]})[1:]
    assert problem.code == "no-face"


def test_broken_images_are_passed_over() -> None:
    broken = ImageRecord("images/a.jpg", "a", 0, 0, status="broken", reason="torn")
    assert problems([broken]) == []


def test_names_are_made_visible() -> None:
    known = {"a\x1b": facts("x"), "b": facts("x")}
    [problem] = problems([record("a\x1b"), record("b")], known)
    assert problem.message == "duplicate: the same pixels as a␛.jpg"


def test_problems_come_in_the_order_of_the_images() -> None:
    names = ["b", "a"]
    known = {name: facts(name, sharpness=2, brightness=0.01) for name in names}
    found = problems([record(name, (9, 9)) for name in names], known)
    assert [(each.image_path[7], each.code) for each in found] == [
        (name, code) for name in names for code in ("blurred", "dark", "small")
    ]
    assert len(PROBLEM_CODES) == 10
