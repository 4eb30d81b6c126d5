"""Faces are found close up, far away and nowhere else."""

import hashlib
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorawiz import annotate
from lorawiz.annotate.blazeface import WORKING_SIDE_PX, load_blazeface
from lorawiz.annotate.protocols import Face, FaceDetector
from lorawiz.demo import PHOTOS
from lorawiz.errors import MissingExtraError

pytest.importorskip("ai_edge_litert")

WEIGHTS = Path(annotate.__file__).with_name("weights")
HOPPER_FACE = (0.33, 0.22, 0.71, 0.54)
"""Where the face is in the portrait, as shares: by eye."""


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return load_blazeface(0.6)


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    return Image.open(str(files("textual_image") / "gracehopper.jpg")).convert("RGB")


def find_faces(detector: FaceDetector, image: Image.Image) -> list[Face]:
    return detector.run([detector.prepare(image)], ["key"])[0]


def overlap(face: Face, box: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    width = min(face.right, box[2]) - max(face.left, box[0])
    height = min(face.bottom, box[3]) - max(face.top, box[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = (face.right - face.left) * (face.bottom - face.top) + (box[2] - box[0]) * (
        box[3] - box[1]
    )
    return shared / (areas - shared)


def paste_face(
    portrait: Image.Image, size: tuple[int, int], face_px: int, middle: tuple[int, int]
) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """A photo with a face of `face_px` pixels' width around `middle`, and where it is."""
    scale = face_px / ((HOPPER_FACE[2] - HOPPER_FACE[0]) * portrait.width)
    small = portrait.resize((round(portrait.width * scale), round(portrait.height * scale)))
    rows = np.linspace(70, 190, size[1])[:, None]
    stripes = 20 * np.sin(np.arange(size[0]) / 90)[None]
    ground = np.clip(rows + stripes, 0, 255).astype(np.uint8)
    photo = Image.fromarray(ground).convert("RGB")
    left = round(middle[0] - small.width * (HOPPER_FACE[0] + HOPPER_FACE[2]) / 2)
    top = round(middle[1] - small.height * (HOPPER_FACE[1] + HOPPER_FACE[3]) / 2)
    photo.paste(small, (left, top))
    edges = [
        (offset + share * side) / whole
        for share, offset, side, whole in zip(
            HOPPER_FACE, (left, top) * 2, small.size * 2, size * 2, strict=True
        )
    ]
    return photo, (edges[0], edges[1], edges[2], edges[3])


def test_a_portrait_has_one_face_where_it_is(detector: FaceDetector, portrait: Image.Image) -> None:
    (face,) = find_faces(detector, portrait)
    assert face.score > 0.8
    assert overlap(face, HOPPER_FACE) > 0.8


def test_the_points_are_eyes_nose_mouth_and_ears(
    detector: FaceDetector, portrait: Image.Image
) -> None:
    (face,) = find_faces(detector, portrait)
    right_eye, left_eye, nose, mouth, right_ear, left_ear = face.points
    # the right eye of somebody who looks at the camera is on the picture's left
    assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
    assert right_eye[1] < nose[1] < mouth[1]
    assert right_eye == pytest.approx((0.44, 0.34), abs=0.03)
    assert mouth == pytest.approx((0.53, 0.46), abs=0.03)


@pytest.mark.parametrize("photo", sorted(PHOTOS.glob("*.jpg")), ids=lambda path: path.stem)
def test_every_photo_of_the_demo_has_one_face(detector: FaceDetector, photo: Path) -> None:
    (face,) = find_faces(detector, Image.open(photo).convert("RGB"))
    assert face.score > 0.8


@pytest.mark.parametrize("size", [(3000, 4000), (4000, 3000)])
@pytest.mark.parametrize("share", [0.035, 0.06, 0.1, 0.4])
def test_a_face_is_found_at_any_size_in_a_phone_photo(
    detector: FaceDetector, portrait: Image.Image, size: tuple[int, int], share: float
) -> None:
    face_px = round(share * size[0])
    middle = (round(size[0] * 0.63), round(size[1] * 0.4))
    photo, box = paste_face(portrait, size, face_px, middle)
    (face,) = find_faces(detector, photo)
    assert overlap(face, box) > 0.8


def test_a_close_up_that_fills_the_picture_is_found(
    detector: FaceDetector, portrait: Image.Image
) -> None:
    width, height = portrait.size
    left, top, right, bottom = HOPPER_FACE
    close_up = portrait.crop(
        (round(left * width), round(top * height), round(right * width), round(bottom * height))
    )
    (face,) = find_faces(detector, close_up)
    assert face.right - face.left > 0.9
    assert min(face.left, face.top) >= 0.0 and max(face.right, face.bottom) <= 1.0


def test_two_faces_come_with_the_surest_first(
    detector: FaceDetector, portrait: Image.Image
) -> None:
    both = Image.new("RGB", (2 * portrait.width, portrait.height))
    both.paste(portrait.point(lambda value: value // 3), (0, 0))
    both.paste(portrait, (portrait.width, 0))
    faces = find_faces(detector, both)
    assert [face.left > 0.5 for face in sorted(faces, key=lambda face: face.left)] == [False, True]
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)


@pytest.mark.parametrize("kind", ["noise", "gradient", "chessboard", "stripes", "black"])
def test_there_is_no_face_where_there_is_none(detector: FaceDetector, kind: str) -> None:
    rows, columns = np.mgrid[0:800, 0:600]
    picture = {
        "noise": np.random.default_rng(0).integers(0, 256, (800, 600)),
        "gradient": rows * 255 // 800,
        "chessboard": (rows // 50 + columns // 50) % 2 * 255,
        "stripes": columns // 20 % 2 * 255,
        "black": rows * 0,
    }[kind]
    assert find_faces(detector, Image.fromarray(picture.astype(np.uint8)).convert("RGB")) == []


def test_a_body_without_a_head_has_no_face(detector: FaceDetector, portrait: Image.Image) -> None:
    body = portrait.crop((0, round(0.62 * portrait.height), *portrait.size))
    assert find_faces(detector, body) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3000, 7), (20, 30)])
def test_odd_shapes_are_no_trouble(detector: FaceDetector, size: tuple[int, int]) -> None:
    assert find_faces(detector, Image.new("RGB", size, "tan")) == []


def test_min_score_is_obeyed(portrait: Image.Image) -> None:
    dim = portrait.resize((60, 70)).point(lambda value: value // 5)
    score = find_faces(load_blazeface(0.3), dim)[0].score
    assert find_faces(load_blazeface(score + 0.01), dim) == []
    assert find_faces(load_blazeface(score - 0.01), dim)


def test_a_batch_finds_what_single_pictures_do(
    detector: FaceDetector, portrait: Image.Image
) -> None:
    pictures = [detector.prepare(each) for each in (portrait, portrait.resize((200, 200)))]
    together = detector.run(pictures, ["a", "b"])
    assert together == [detector.run([picture], ["x"])[0] for picture in pictures]


def test_large_photos_are_reduced_and_small_ones_are_not(detector: FaceDetector) -> None:
    assert detector.prepare(Image.new("RGB", (3000, 4000))).size == (WORKING_SIDE_PX, 800)
    assert detector.prepare(Image.new("RGB", (300, 400))).size == (300, 400)
    assert detector.min_side == WORKING_SIDE_PX


def test_the_notice_names_the_sum_of_every_file() -> None:
    notice = (WEIGHTS / "NOTICE.md").read_text("utf-8")
    networks = sorted(WEIGHTS.glob("*.tflite"))
    assert len(networks) == 3
    for path in networks:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert [line for line in notice.splitlines() if path.name in line and digest in line]


def test_the_revision_depends_on_both_networks(detector: FaceDetector) -> None:
    sums = [
        hashlib.sha256((WEIGHTS / f"face_detection_{name}.tflite").read_bytes()).hexdigest()
        for name in ("full_range", "short_range")
    ]
    assert detector.revision == hashlib.sha256(" ".join(sums).encode()).hexdigest()


def test_without_the_runtime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match="face detection needs the extra 'train'"):
        load_blazeface(0.6)


def test_the_runtime_says_nothing_and_silences_nobody_else() -> None:
    code = (
        "import os\n"
        "from lorawiz.annotate import litert\n"
        "with litert._without_chatter():\n"
        "    os.write(2, b'INFO: a greeting\\n')\n"
        "    os.write(2, b'a real problem\\n')\n"
        "litert.load_network('face_detection_short_range.tflite', 'this')\n"
        "os.write(2, b'afterwards\\n')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ended.stderr == b"a real problem\nafterwards\n"
