"""The picture that is trained: the crop, with the background as the spec wants it."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorawiz.dataset.content import content_key, load_content
from lorawiz.dataset.images import load_image
from lorawiz.dataset.masks import save_mask
from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import DatasetError
from lorawiz.paths import Project
from lorawiz.spec.annotating import CutoutTable
from lorawiz.spec.tables import DatasetTable
from tests.support.projects import save_photo

DATASET = DatasetTable()
KEEP = CutoutTable()
SIZE = (160, 120)
DISC = (80, 60, 30)
"""The subject of the mask: x, y and radius in pixels of an image of SIZE."""


def disc_mask(size: tuple[int, int] = SIZE, radius: int = DISC[2]) -> Image.Image:
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    scale = size[0] / SIZE[0]
    distance = np.hypot(columns + 0.5 - DISC[0] * scale, rows + 0.5 - DISC[1] * scale)
    return Image.fromarray(((distance < radius * scale) * 255).astype(np.uint8))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def record(project: Project) -> ImageRecord:
    """An image with a mask."""
    save_photo(project.images / "a.png", SIZE)
    bare = ImageRecord("images/a.png", "ab" * 32, *SIZE)
    return replace(bare, mask=save_mask(project, bare, disc_mask()))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def test_without_a_mask_it_is_what_the_loader_gives(project: Project, record: ImageRecord) -> None:
    bare = replace(record, mask="", crop=(10, 20, 90, 100))
    content = load_content(project, bare, DATASET, CutoutTable(background="white"))
    assert content.tobytes() == load_image(project.images / "a.png", bare.crop).tobytes()


def test_keep_needs_no_mask_file(project: Project, record: ImageRecord) -> None:
    (project.masks / "a.png.png").unlink()
    content = load_content(project, record, DATASET, KEEP)
    assert content.tobytes() == load_image(project.images / "a.png").tobytes()
    with pytest.raises(DatasetError, match="no such mask"):
        load_content(project, record, DATASET, CutoutTable(background="black"))


@pytest.mark.parametrize(
    ("background", "colour"),
    [("white", (255, 255, 255)), ("black", (0, 0, 0)), ("#0a64C8", (10, 100, 200))],
)
def test_a_colour_stands_behind_the_subject(
    project: Project, record: ImageRecord, background: str, colour: tuple[int, int, int]
) -> None:
    content = load_content(project, record, DATASET, CutoutTable(background=background))
    original = load_image(project.images / "a.png")
    assert content.getpixel((3, 3)) == colour
    assert content.getpixel((80, 20)) == colour
    assert content.getpixel(DISC[:2]) == original.getpixel(DISC[:2])


def test_the_mask_is_cut_as_the_image_is(project: Project, record: ImageRecord) -> None:
    cropped = replace(record, crop=(60, 40, 140, 110))
    whole = load_content(project, record, DATASET, CutoutTable(background="black"))
    content = load_content(project, cropped, DATASET, CutoutTable(background="black"))
    assert content.size == (80, 70)
    assert np.array_equal(pixels(content), pixels(whole.crop((60, 40, 140, 110))))


def test_a_coarse_mask_is_laid_over_a_fine_image(project: Project) -> None:
    save_photo(project.images / "b.png", (1600, 1200))
    bare = ImageRecord("images/b.png", "cd" * 32, 1600, 1200)
    masked = replace(bare, mask=save_mask(project, bare, disc_mask()), crop=(800, 0, 1600, 1200))
    content = load_content(project, masked, DATASET, CutoutTable(background="white"))
    assert content.size == (800, 1200)
    share = (pixels(content) == 255).all(axis=2).mean()
    # half a disc of 300 px in 800×1200
    assert 1 - share == pytest.approx(np.pi * 300**2 / 2 / (800 * 1200), abs=0.02)


def test_a_soft_edge_mixes_both(project: Project, record: ImageRecord) -> None:
    grey = replace(record, mask=save_mask(project, record, Image.new("L", SIZE, 128)))
    content = pixels(load_content(project, grey, DATASET, CutoutTable(background="white")))
    original = pixels(load_image(project.images / "a.png"))
    assert np.abs(content - (original + 255) / 2).max() <= 2


def test_transparency_is_laid_on_the_colour_of_the_spec(project: Project) -> None:
    project.images.mkdir(parents=True)
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(project.images / "c.png")
    clear = ImageRecord("images/c.png", "ef" * 32, 8, 8)
    content = load_content(project, clear, DatasetTable(alpha_background="#00ff00"), KEEP)
    assert content.getpixel((4, 4)) == (0, 255, 0)


def test_blur_leaves_the_subject_sharp_and_the_rest_not(
    project: Project, record: ImageRecord
) -> None:
    content = pixels(load_content(project, record, DATASET, CutoutTable(background="blur")))
    original = pixels(load_image(project.images / "a.png"))
    inside, outside = np.s_[45:75, 65:95], np.s_[0:25, 0:160]
    assert np.array_equal(content[inside], original[inside])
    # noise of 80 levels is gone, and the brightness is not
    across = np.diff(content[outside], axis=0)
    assert np.abs(across).max() < 12 < np.abs(np.diff(original[outside], axis=0)).max()
    assert content[outside].mean() == pytest.approx(original[outside].mean(), abs=3)


def test_the_blurred_background_does_not_glow_with_the_subject(project: Project) -> None:
    project.images.mkdir(parents=True)
    scene = Image.composite(
        Image.new("RGB", SIZE, "red"), Image.new("RGB", SIZE, (0, 90, 0)), disc_mask()
    )
    scene.save(project.images / "d.png")
    bare = ImageRecord("images/d.png", "12" * 32, *SIZE)
    # a mask as networks make it: a little too large
    masked = replace(bare, mask=save_mask(project, bare, disc_mask(radius=33)))
    content = pixels(
        load_content(project, masked, DATASET, CutoutTable(background="blur", blur=0.1))
    )
    outside = np.asarray(disc_mask(radius=35)) == 0
    assert content[outside][:, 0].max() <= 12
    assert content[outside][:, 1].min() >= 80


def test_a_mask_of_everything_or_nothing_is_no_trouble(
    project: Project, record: ImageRecord
) -> None:
    original = pixels(load_image(project.images / "a.png"))
    for value in (0, 255):
        digest = save_mask(project, record, Image.new("L", SIZE, value))
        content = pixels(
            load_content(
                project, replace(record, mask=digest), DATASET, CutoutTable(background="blur")
            )
        )
        assert np.array_equal(content, original) == (value == 255)
        assert content.mean() == pytest.approx(original.mean(), abs=2)


@pytest.mark.parametrize("blur", [0.005, 0.05])
def test_blur_is_the_spread_as_a_share_of_the_shorter_side(project: Project, blur: float) -> None:
    project.images.mkdir(parents=True)
    half = Image.new("RGB", (800, 600))
    half.paste("white", (400, 0, 800, 600))
    half.save(project.images / "e.png")
    bare = ImageRecord("images/e.png", "56" * 32, 800, 600)
    masked = replace(bare, mask=save_mask(project, bare, Image.new("L", (80, 60))))
    cutout = CutoutTable(background="blur", blur=blur)
    row = pixels(load_content(project, masked, DATASET, cutout))[300, :, 0]
    # a blurred edge climbs from 16 % to 84 % within two standard deviations
    num_climbing = int(((row > 0.16 * 255) & (row < 0.84 * 255)).sum())
    assert num_climbing == pytest.approx(2 * blur * 600, rel=0.15, abs=1)


def test_more_blur_is_smoother(project: Project, record: ImageRecord) -> None:
    roughness = []
    for blur in (0.002, 0.01, 0.05, 0.5):
        cutout = CutoutTable(background="blur", blur=blur)
        top = pixels(load_content(project, record, DATASET, cutout))[:25]
        roughness.append(np.abs(np.diff(top, axis=1)).mean())
    assert roughness == sorted(roughness, reverse=True)
    assert roughness[0] > 20 * roughness[-1]


@pytest.mark.parametrize("background", ["blur", "white", "#204060"])
@pytest.mark.parametrize("crop", [None, (400, 200, 1900, 1700)])
def test_a_reduced_decode_shows_the_same_picture(
    project: Project, background: str, crop: tuple[int, int, int, int] | None
) -> None:
    portrait = Image.open(str(files("textual_image") / "gracehopper.jpg")).convert("RGB")
    project.images.mkdir(parents=True)
    portrait.resize((2068, 2424), Image.Resampling.BICUBIC).save(
        project.images / "p.jpg", quality=92
    )
    bare = ImageRecord("images/p.jpg", "34" * 32, 2068, 2424, crop=crop)
    masked = replace(bare, mask=save_mask(project, bare, disc_mask((872, 1024))))
    cutout = CutoutTable(background=background)
    full = load_content(project, masked, DATASET, cutout)
    reduced = load_content(project, masked, DATASET, cutout, min_side=180)
    assert reduced.width < full.width / 3
    assert full.size == ((2068, 2424) if crop is None else (1500, 1500))
    shrunk = full.resize(reduced.size, Image.Resampling.BOX)
    difference = np.abs(pixels(shrunk) - pixels(reduced))
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) < 12


def test_the_key_changes_with_all_that_the_picture_is_made_from(record: ImageRecord) -> None:
    blur = CutoutTable(background="blur")
    white = CutoutTable(background="white")
    keys = [
        content_key(record, DATASET, blur),
        content_key(replace(record, sha256="cd" * 32), DATASET, blur),
        content_key(replace(record, crop=(0, 0, 5, 5)), DATASET, blur),
        content_key(replace(record, crop=(0, 0, 5, 6)), DATASET, blur),
        content_key(replace(record, mask="11" * 32), DATASET, blur),
        content_key(record, DATASET, blur.model_copy(update={"blur": 0.1})),
        content_key(record, DATASET, white),
        content_key(record, DATASET, CutoutTable(background="#fffffe")),
        content_key(record, DATASET, KEEP),
        content_key(record, DatasetTable(alpha_background="black"), KEEP),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_does_not_change_with_anything_else(record: ImageRecord) -> None:
    other_words = replace(record, caption="a woman", tags=("smile",), image_path="images/z.png")
    assert content_key(record, DATASET, KEEP) == content_key(other_words, DATASET, KEEP)
    without_mask = replace(record, mask="")
    assert content_key(record, DATASET, KEEP) == content_key(without_mask, DATASET, KEEP)
    assert content_key(without_mask, DATASET, KEEP) == content_key(
        without_mask, DatasetTable(resolution=768), CutoutTable(background="blur")
    )
    white = CutoutTable(background="white")
    # neither the blur of what is not blurred nor the feather, which is in the mask
    for same in (
        CutoutTable(background="#FFFFFF"),
        white.model_copy(update={"blur": 0.2}),
        white.model_copy(update={"feather": 0.05}),
    ):
        assert content_key(record, DATASET, same) == content_key(record, DATASET, white)


def test_the_key_is_the_same_tomorrow(record: ImageRecord) -> None:
    fixed = replace(record, mask="11" * 32, crop=(1, 2, 3, 4))
    assert content_key(fixed, DATASET, CutoutTable(background="blur")) == "9b93593b39ce551a"
