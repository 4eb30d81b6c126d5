"""Images that nobody here made: each gets one verdict, and none becomes white or black unseen."""

import hashlib
import resource
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lorawiz.dataset.images import BrokenImageError, load_image, probe_image

pytestmark = pytest.mark.slow
pillow_may_warn = pytest.mark.filterwarnings("ignore::UserWarning")

Verdict = tuple[str, str]
"""("ok", digest of size and pixels) or ("broken", reason)."""


@pytest.fixture(scope="module")
def foreign(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both archives, unpacked."""
    folder = tmp_path_factory.mktemp("foreign")
    for name in ("pillow.tar.gz", "exif.tar.gz"):
        with tarfile.open(corpora / name) as archive:
            archive.extractall(folder / name.partition(".")[0], filter="data")
    return folder


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def tree_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in files_in(folder):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def judge(path: Path) -> Verdict:
    try:
        facts = probe_image(path)
        loaded = load_image(path, min_side=64)
    except BrokenImageError as error:
        return "broken", str(error)
    assert loaded.mode == "RGB"
    assert loaded.width <= facts.width
    assert loaded.height <= facts.height
    return "ok", hashlib.sha256(f"{facts}".encode() + loaded.tobytes()).hexdigest()


def opened(path: Path) -> Image.Image:
    """By Pillow itself."""
    with Image.open(path) as image:
        image.load()
    return image


def readable(foreign: Path) -> Iterator[tuple[Path, Image.Image]]:
    """What the loader reads and Pillow too, with Pillow's view of it."""
    for path in files_in(foreign):
        try:
            probe_image(path)
            image = opened(path)
        except (BrokenImageError, OSError):
            continue
        yield path, image


def test_every_file_gets_one_verdict_the_same_on_two_runs(
    foreign: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = tree_digest(foreign)
    paths = files_in(foreign)
    assert len(paths) >= 1_066 + 18
    peak_before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdicts: dict[Path, Verdict] = {}
    for path in paths:
        started_s = time.monotonic()
        verdicts[path] = judge(path)
        assert time.monotonic() - started_s < 5, path.name
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert {path: judge(path) for path in paths} == verdicts
    assert (peak_kib - peak_before_kib) / 2**20 <= 1.5
    assert tree_digest(foreign) == before
    # decoders in C write to the terminal behind Python's back
    assert capfd.readouterr() == ("", "")
    num_ok = sum(kind == "ok" for kind, _ in verdicts.values())
    assert num_ok >= 700
    assert all(reason.startswith(path.name) for path, (kind, reason) in verdicts.items()
               if kind == "broken")  # fmt: skip


@pillow_may_warn
def test_turned_photos_are_upright_and_sizes_agree(foreign: Path) -> None:
    samples = [path for path in files_in(foreign / "exif") if path.suffix in (".jpg", ".jpeg")]
    assert len(samples) == 18
    for path in samples:
        upright = load_image(path)
        assert (upright.height > upright.width) == ("portrait" in path.name.lower()), path.name
    turned = 0
    for path, image in readable(foreign):
        # TIFF turns itself as it loads
        is_turned = image.getexif().get(0x0112, 1) != 1 and image.format != "TIFF"
        if image.mode != "RGB" or "icc_profile" in image.info or not is_turned:
            continue
        expected = np.asarray(ImageOps.exif_transpose(image))
        facts = probe_image(path)
        assert np.array_equal(np.asarray(load_image(path)), expected), path.name
        assert (facts.height, facts.width) == expected.shape[:2], path.name
        turned += 1
    assert turned >= 40


@pillow_may_warn
def test_pictures_of_unusual_modes_keep_their_contrast(foreign: Path) -> None:
    seen: dict[str, int] = {}
    flat = []
    for path, image in readable(foreign / "pillow"):
        if image.mode in ("RGB", "L") and "transparency" not in image.info:
            continue
        kind = "deep" if image.mode[0] in "IF" else image.mode
        light = LIGHT_OF.get(kind, as_stored)(image)
        loaded = np.asarray(load_image(path), float).mean(axis=2)
        if light.std() < 4:
            continue
        seen[image.mode] = seen.get(image.mode, 0) + 1
        if loaded.std() < light.std() / 8:
            flat.append((path.name, image.mode, float(light.std()), float(loaded.std())))
        if kind != "deep" and "icc_profile" not in image.info:
            assert abs(loaded.mean() - light.mean()) < 12, (path.name, image.mode)
            assert abs(loaded.std() - light.std()) < 12, (path.name, image.mode)
    assert not flat
    assert sum(seen.values()) >= 150
    assert {"1", "P", "LA", "PA", "RGBA", "CMYK", "LAB", "I;16", "I"} <= seen.keys()


def as_stored(image: Image.Image) -> np.ndarray:
    values = np.asarray(image, float)
    return values.mean(axis=2) if values.ndim == 3 else values


def stretched(image: Image.Image) -> np.ndarray:
    """16-bit, 32-bit and float greys over 0 to 255."""
    values = np.asarray(image, float)
    span = np.ptp(values)
    return (values - values.min()) / span * 255 if span else np.zeros(values.shape)


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    mixed: np.ndarray = (colour * share + 255 * (1 - share)).mean(axis=2)
    return mixed


def of_palette(image: Image.Image) -> np.ndarray:
    raw = np.asarray(image)
    indexes = raw[..., 0] if raw.ndim == 3 else raw
    palette = np.tile((0.0, 0.0, 0.0, 255.0), (256, 1))
    entries = np.array(image.getpalette("RGBA"), float).reshape(-1, 4)
    palette[: len(entries)] = entries
    clear = image.info.get("transparency")
    if isinstance(clear, bytes):
        palette[: len(clear), 3] = list(clear)
    elif clear is not None:
        palette[clear, 3] = 0
    alpha = raw[..., 1].astype(float) if raw.ndim == 3 else palette[indexes, 3]
    return over_white(palette[indexes, :3], alpha)


def with_alpha(image: Image.Image) -> np.ndarray:
    values = np.asarray(image, float)
    return over_white(values[..., :-1], values[..., -1])


def without_key(image: Image.Image) -> np.ndarray:
    values = np.asarray(image, float)
    values = values.reshape(*values.shape[:2], -1)
    is_clear = (values == np.array(image.info["transparency"])).all(axis=2)
    return over_white(values, np.where(is_clear, 0.0, 255.0))


def of_inks(image: Image.Image) -> np.ndarray:
    inks = np.asarray(image, float)
    light: np.ndarray = ((255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255).mean(axis=2)
    return light


LIGHT_OF: dict[str, Callable[[Image.Image], np.ndarray]] = {
    "deep": stretched,
    "P": of_palette,
    "PA": of_palette,
    "RGBA": with_alpha,
    "LA": with_alpha,
    "RGB": without_key,
    "L": without_key,
    "CMYK": of_inks,
    "1": lambda image: np.asarray(image, float) * 255,
    "LAB": lambda image: np.asarray(image, float)[..., 0],
}
"""How light each pixel is, 0 to 255, worked out from the raw values of a mode."""
