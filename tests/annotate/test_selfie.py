"""Masks cover people, in pictures of any shape."""

import hashlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorawiz import annotate
from lorawiz.annotate.protocols import FloatArray, Segmenter
from lorawiz.annotate.selfie import load_selfie

pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load_selfie()


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    return Image.open(str(files("textual_image") / "gracehopper.jpg")).convert("RGB")


def segment(segmenter: Segmenter, image: Image.Image) -> FloatArray:
    return segmenter.run([segmenter.prepare(image)], ["key"])[0]


def at(mask: FloatArray, x: float, y: float) -> float:
    """The mask at a place given in shares."""
    return float(mask[int(y * mask.shape[0]), int(x * mask.shape[1])])


def test_the_person_is_in_the_mask_and_the_wall_is_not(
    segmenter: Segmenter, portrait: Image.Image
) -> None:
    mask = segment(segmenter, portrait)
    assert mask.dtype == np.float32
    assert mask.min() >= 0.0 and mask.max() <= 1.0
    assert min(at(mask, 0.5, 0.2), at(mask, 0.53, 0.4), at(mask, 0.2, 0.8)) > 0.95
    assert max(at(mask, 0.1, 0.1), at(mask, 0.9, 0.1), at(mask, 0.9, 0.45)) < 0.05


def test_the_mask_is_the_one_that_was_looked_at(
    segmenter: Segmenter, portrait: Image.Image
) -> None:
    # pixels in another range than the network's move this by 0.01
    assert segment(segmenter, portrait).mean() == pytest.approx(0.590, abs=0.004)


@pytest.mark.parametrize(
    ("size", "shape"), [((600, 800), (256, 192)), ((900, 300), (85, 256)), ((2, 900), (256, 1))]
)
def test_the_mask_has_the_shape_of_the_picture(
    segmenter: Segmenter, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    assert segment(segmenter, Image.new("RGB", size, "tan")).shape == shape


def test_a_wide_picture_is_not_squeezed(segmenter: Segmenter, portrait: Image.Image) -> None:
    wide = Image.new("RGB", (2 * portrait.width, portrait.height), portrait.getpixel((500, 5)))
    wide.paste(portrait, (0, 0))
    mask = segment(segmenter, wide)
    assert min(at(mask, 0.25, 0.2), at(mask, 0.265, 0.4), at(mask, 0.1, 0.8)) > 0.9
    assert mask[:, mask.shape[1] * 6 // 10 :].mean() < 0.02


def test_a_plain_wall_has_nobody_in_it(segmenter: Segmenter) -> None:
    assert segment(segmenter, Image.new("RGB", (512, 512), (90, 120, 150))).mean() < 0.05


def test_the_revision_is_the_sum_of_the_weights(segmenter: Segmenter) -> None:
    weights = Path(annotate.__file__).with_name("weights") / "selfie_segmentation.tflite"
    assert segmenter.revision == hashlib.sha256(weights.read_bytes()).hexdigest()
