"""Buckets are those of sd-scripts."""

import pytest

from lorawiz.dataset.buckets import bucket_sizes, count_buckets, fit_bucket
from lorawiz.spec.tables import DatasetTable

# printed by sd-scripts v0.10.1, library/model_util.py: make_bucket_resolutions((512, 512))
KOHYA_512 = [
    (256, 832), (256, 896), (256, 960), (256, 1024), (320, 704), (320, 768), (384, 640), (448, 576),
    (512, 512), (576, 448), (640, 384), (704, 320), (768, 320), (832, 256), (896, 256), (960, 256),
    (1024, 256),
]  # fmt: skip


def test_sizes_are_those_of_sd_scripts() -> None:
    assert bucket_sizes(DatasetTable()) == KOHYA_512


@pytest.mark.parametrize(
    ("image", "bucket", "resized"),
    # printed by sd-scripts v0.10.1, BucketManager.select_bucket
    [
        ((3000, 4000), (448, 576), (448, 597)),
        ((4000, 3000), (576, 448), (597, 448)),
        ((512, 512), (512, 512), (512, 512)),
        ((500, 333), (640, 384), (640, 426)),
        ((1920, 1080), (640, 384), (683, 384)),
        ((1000, 3000), (256, 832), (277, 832)),
        ((64, 64), (512, 512), (512, 512)),
        ((640, 640), (512, 512), (512, 512)),
        ((833, 1249), (384, 640), (427, 640)),
        ((300, 400), (448, 576), (448, 597)),
    ],
)
def test_images_land_in_the_bucket_of_sd_scripts(
    image: tuple[int, int], bucket: tuple[int, int], resized: tuple[int, int]
) -> None:
    fit = fit_bucket(image, DatasetTable())
    assert (fit.bucket, fit.resized) == (bucket, resized)


@pytest.mark.parametrize(
    ("image", "bucket", "resized"),
    # the same with bucket_no_upscale
    [
        ((3000, 4000), (384, 512), (384, 512)),
        ((4000, 3000), (512, 384), (512, 384)),
        ((512, 512), (512, 512), (512, 512)),
        ((500, 333), (448, 320), (500, 333)),
        ((1920, 1080), (640, 384), (683, 384)),
        ((1000, 3000), (256, 768), (256, 768)),
        ((64, 64), (64, 64), (64, 64)),
        ((640, 640), (512, 512), (512, 512)),
        ((833, 1249), (384, 576), (384, 576)),
        ((300, 400), (256, 384), (300, 400)),
    ],
)
def test_without_upscaling_too(
    image: tuple[int, int], bucket: tuple[int, int], resized: tuple[int, int]
) -> None:
    fit = fit_bucket(image, DatasetTable(bucket_no_upscale=True))
    assert (fit.bucket, fit.resized) == (bucket, resized)


def test_without_buckets_everything_is_cut_to_one_size() -> None:
    table = DatasetTable(enable_bucket=False, resolution=(512, 768))
    fit = fit_bucket((3000, 4000), table)
    assert (fit.bucket, fit.resized) == ((512, 768), (576, 768))
    assert fit.crop_left_top == (32, 0)


def test_the_resized_image_always_covers_its_bucket() -> None:
    for table in (DatasetTable(), DatasetTable(bucket_no_upscale=True)):
        for width in range(64, 3000, 173):
            for height in range(64, 3000, 191):
                fit = fit_bucket((width, height), table)
                assert fit.resized[0] >= fit.bucket[0]
                assert fit.resized[1] >= fit.bucket[1]


def test_buckets_are_counted() -> None:
    assert count_buckets([(100, 100), (300, 400), (100, 100)], DatasetTable()) == {
        (448, 576): 1,
        (512, 512): 2,
    }
