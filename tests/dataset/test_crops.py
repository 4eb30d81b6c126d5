"""Boxes around faces: inside the picture, of a bucket's shape, and never through the face."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lorawiz.dataset.buckets import Size, bucket_sizes, fit_bucket
from lorawiz.dataset.crops import Shares, choose_crop
from lorawiz.dataset.records import Crop
from lorawiz.spec.annotating import CropTable
from lorawiz.spec.tables import DatasetTable

PHOTO = (3000, 4000)
FACE: Shares = (0.4, 0.3, 0.5, 0.375)
"""300×300 px of PHOTO, at (1200, 1200)."""
BUCKETS = DatasetTable()
LONG_BUCKETS = DatasetTable(resolution=768, max_bucket_reso=2048)

sides = st.integers(64, 6000)


@st.composite
def face_boxes(draw: st.DrawFn) -> Shares:
    left, right = sorted(draw(st.lists(st.floats(0, 1), min_size=2, max_size=2)))
    top, bottom = sorted(draw(st.lists(st.floats(0, 1), min_size=2, max_size=2)))
    return left, top, right, bottom


crop_tables = st.builds(
    CropTable,
    faces=st.sampled_from(["largest", "all"]),
    margin=st.floats(0, 10),
    aspect=st.sampled_from(["square", "bucket"]),
    keep_full=st.booleans(),
)
dataset_tables = st.builds(
    DatasetTable,
    resolution=st.sampled_from([512, 768, 1024, (512, 768), (640, 384)]),
    enable_bucket=st.booleans(),
    bucket_no_upscale=st.booleans(),
    max_bucket_reso=st.sampled_from([1024, 2048]),
)


def size_of(crop: Crop) -> Size:
    return crop[2] - crop[0], crop[3] - crop[1]


def pixels_of(face: Shares, image: Size) -> Crop:
    left, top, right, bottom = face
    return (
        math.floor(left * image[0]), math.floor(top * image[1]),
        math.ceil(right * image[0]), math.ceil(bottom * image[1]),
    )  # fmt: skip


def holds(crop: Crop, face: Crop) -> bool:
    return crop[0] <= face[0] and crop[1] <= face[1] and crop[2] >= face[2] and crop[3] >= face[3]


@pytest.mark.parametrize(
    ("margin", "crop"),
    [
        (0.0, (1200, 1200, 1500, 1500)),
        (0.8, (960, 960, 1740, 1740)),
        (2.0, (600, 600, 2100, 2100)),
        # moved: the face stays inside, but no longer in the middle
        (4.2, (0, 0, 2820, 2820)),
        # shrunk to what the picture has
        (6.0, (0, 0, 3000, 3000)),
    ],
)
def test_margin_is_a_share_of_the_face_on_each_side(margin: float, crop: Crop) -> None:
    table = CropTable(margin=margin, aspect="square")
    assert choose_crop([FACE], PHOTO, table, BUCKETS) == crop


def test_largest_counts_pixels_and_all_holds_every_face() -> None:
    wide, tall = (0.1, 0.1, 0.25, 0.2), (0.6, 0.6, 0.7, 0.74)
    image = (4000, 1000)
    largest = choose_crop([tall, wide], image, CropTable(margin=0.0), BUCKETS)
    assert largest is not None and holds(largest, pixels_of(wide, image))
    assert not holds(largest, pixels_of(tall, image))
    both = choose_crop([tall, wide], image, CropTable(margin=0.0, faces="all"), BUCKETS)
    assert both is not None and holds(both, (400, 100, 2800, 740))


def test_two_people_side_by_side_get_a_wide_bucket() -> None:
    faces = [(0.1, 0.4, 0.2, 0.475), (0.8, 0.4, 0.9, 0.475)]
    crop = choose_crop(faces, (4000, 3000), CropTable(faces="all", margin=0.2), BUCKETS)
    assert crop is not None
    assert fit_bucket(size_of(crop), BUCKETS).bucket == (1024, 256)


def test_keep_full_keeps_the_photo_but_for_what_the_bucket_cuts() -> None:
    crop = choose_crop([FACE], PHOTO, CropTable(keep_full=True), BUCKETS)
    assert crop is not None
    assert size_of(crop) == (3000, 3857)  # 448×576 of 3000×4000
    # the face is in the upper half: what is cut is cut at the bottom
    assert crop[:2] == (0, 0)


def test_keep_full_moves_to_a_face_at_the_edge() -> None:
    face = (0.9, 0.5, 0.98, 0.56)
    crop = choose_crop([face], (4000, 2000), CropTable(keep_full=True, aspect="square"), BUCKETS)
    assert crop == (2000, 0, 4000, 2000)


def test_without_a_face_there_is_no_box() -> None:
    assert choose_crop([], PHOTO, CropTable(), BUCKETS) is None
    assert (
        choose_crop([(0.5, 0.5, 0.5, 0.6), (1.2, 0, 1.4, 1)], PHOTO, CropTable(), BUCKETS) is None
    )


def test_the_whole_picture_is_no_box() -> None:
    square = CropTable(keep_full=True, aspect="square")
    assert choose_crop([FACE], (800, 800), square, BUCKETS) is None
    assert choose_crop([(0.1, 0.1, 0.9, 0.9)], (800, 800), CropTable(), BUCKETS) is None
    assert choose_crop([FACE], (896, 1152), CropTable(keep_full=True), BUCKETS) is None


def test_another_bucket_is_taken_where_the_nearest_has_no_room_for_the_face() -> None:
    # the two widest buckets, 3.75 and 4.0, lie around 3.9; only one keeps the whole width
    image = (3900, 1000)
    crop = choose_crop([(0.0, 0.4, 1.0, 0.6)], image, CropTable(keep_full=True), BUCKETS)
    assert crop is not None and size_of(crop) == (3900, 975)
    tall = choose_crop([(0.4, 0.0, 0.6, 1.0)], image, CropTable(keep_full=True), BUCKETS)
    assert tall is not None and size_of(tall) == (3750, 1000)


def test_without_buckets_the_box_has_the_shape_of_the_resolution() -> None:
    dataset = DatasetTable(resolution=(512, 768), enable_bucket=False)
    crop = choose_crop([FACE], PHOTO, CropTable(), dataset)
    assert crop is not None
    assert size_of(crop) == (780, 1170)


def test_a_small_crop_that_is_not_enlarged_has_sides_of_whole_steps() -> None:
    dataset = DatasetTable(bucket_no_upscale=True)
    crop = choose_crop([FACE], (900, 1200), CropTable(), dataset)
    assert crop is not None
    assert size_of(crop) == (192, 192)  # 234 px would be cut to 192 by the bucket
    assert holds(crop, pixels_of(FACE, (900, 1200)))


def test_buckets_of_an_own_size_know_no_longest_side() -> None:
    dataset = DatasetTable(resolution=768, bucket_no_upscale=True)
    crop = choose_crop([(0, 0, 0.5, 0.5)], (500, 1500), CropTable(keep_full=True), dataset)
    assert crop is not None
    fit = fit_bucket(size_of(crop), dataset)
    assert fit.resized[0] - fit.bucket[0] <= 2 and fit.resized[1] - fit.bucket[1] <= 2


@given(st.lists(face_boxes(), max_size=4), st.tuples(sides, sides), crop_tables, dataset_tables)
def test_a_box_lies_in_the_picture_and_holds_the_face_where_it_can(
    faces: list[Shares], image: Size, table: CropTable, dataset: DatasetTable
) -> None:
    crop = choose_crop(faces, image, table, dataset)
    if crop is None:
        return
    assert 0 <= crop[0] < crop[2] <= image[0]
    assert 0 <= crop[1] < crop[3] <= image[1]
    assert crop != (0, 0, *image)
    boxes = [box for box in (pixels_of(face, image) for face in faces) if min(size_of(box)) > 0]
    if table.faces == "largest":
        face = max(boxes, key=lambda box: size_of(box)[0] * size_of(box)[1])
    else:
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        face = min(lefts), min(tops), max(rights), max(bottoms)
    if any(fits(size_of(face), shape, image) for shape in shapes(table, dataset)):
        assert holds(crop, face)


@given(face_boxes(), st.tuples(sides, sides), crop_tables, dataset_tables)
@example((0.0, 0.0, 0.5, 0.03125), (547, 69), CropTable(margin=1.0), LONG_BUCKETS)
def test_training_cuts_at_most_a_pixel_or_two_more(
    face: Shares, image: Size, table: CropTable, dataset: DatasetTable
) -> None:
    crop = choose_crop([face], image, table, dataset)
    if crop is None or table.aspect == "square":
        return
    size = size_of(crop)
    step, face_size = dataset.bucket_reso_steps, size_of(pixels_of(face, image))
    if min(size) < step or any(size[axis] - face_size[axis] < step for axis in (0, 1)):
        return  # a few pixels have no shape, and the face is not cut to make room for one
    fit = fit_bucket(size, dataset)
    scale = fit.resized[0] / size[0]
    for axis in (0, 1):
        cut_px = (fit.resized[axis] - fit.bucket[axis]) / scale
        # buckets of an image's own size are wholly met in their steps only
        slack_px = 0.01 * size[axis] if dataset.bucket_no_upscale else 0.0
        # half a pixel that the short side is rounded by is more along the long one
        rounding_px = 0.5 * max(size) / min(size)
        assert cut_px <= 2.0 + rounding_px + 1.0 / scale + slack_px


@given(face_boxes(), st.tuples(sides, sides), st.floats(0, 10), st.booleans())
def test_a_square_box_is_square(face: Shares, image: Size, margin: float, full: bool) -> None:
    table = CropTable(aspect="square", margin=margin, keep_full=full)
    crop = choose_crop([face], image, table, BUCKETS)
    if crop is not None:
        assert size_of(crop)[0] == size_of(crop)[1]


def shapes(table: CropTable, dataset: DatasetTable) -> list[Size]:
    if table.aspect == "square":
        return [(1, 1)]
    # with bucket_no_upscale there are more; a face that fits into one of these has to fit
    return bucket_sizes(dataset) if dataset.enable_bucket else [dataset.size]


def fits(face: Size, shape: Size, image: Size) -> bool:
    """Whether the largest box of `shape` in the picture has room for the face."""
    scale = min(image[0] / shape[0], image[1] / shape[1])
    return face[0] <= math.floor(shape[0] * scale) and face[1] <= math.floor(shape[1] * scale)
