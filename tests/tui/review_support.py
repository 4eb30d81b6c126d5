"""Playing the review screen in a test: a dataset with real pictures, keys, its text, its files."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from textual.pilot import Pilot
from textual.screen import Screen

from lorawiz.dataset.evidence import Evidence, Journal, Model, merge_journals
from lorawiz.dataset.facts import compute_missing_facts
from lorawiz.dataset.records import Crop, Dataset, ImageRecord, save_dataset
from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project, file_sha256
from lorawiz.spec import load_spec
from lorawiz.tui.app import LorawizApp
from lorawiz.tui.review.screen import ReviewScreen
from lorawiz.tui.review.session import ReviewSession
from tests.tui.panel import screen_text, wait_until

ReviewPilot = Pilot[Any]
Scenario = Callable[[ReviewPilot], Awaitable[None]]

SPEC = """\
schema = 1

[project]
name = "lyq"
trigger = "lyq"
class_word = "woman"

[prompt]
shuffle_caption = true
keep_tokens = 2
"""
SIZE = (640, 800)
FACE = (0.25, 0.1, 0.75, 0.6, 0.94)
"""Of every image but the last: left, top, right, bottom, score."""
NUM_IMAGES = 8
TAGS = ("lyq", "smile", "red coat", "outdoors", "upper body")


def draw_photo(path: Path, seed: int, size: tuple[int, int] = SIZE, blur_px: float = 0) -> Path:
    """A picture of its own: large shapes with fine noise on them."""
    dice = np.random.default_rng(seed)
    coarse = Image.fromarray(dice.integers(40, 220, (6, 5, 3), np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.int16)
    noise = dice.integers(-20, 21, (size[1], size[0], 1), np.int16)
    picture = Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))
    if blur_px:
        picture = picture.filter(ImageFilter.GaussianBlur(blur_px))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=90)
    return path


def make_reviewed(folder: Path, num_images: int = NUM_IMAGES, spec: str = SPEC) -> Project:
    """Eight photos: the third blurred, the fifth like the fourth, the last without a face.

    The seventh has neither caption nor tags, and the second is rejected.
    """
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder.absolute())
    project.spec.write_text(spec, "utf-8")
    records = [_make_record(project, index) for index in range(num_images)]
    save_dataset(project.dataset, Dataset(tuple(records)))
    compute_missing_facts(project, records)
    save_faces(project, {r.image_path: FACE for r in records[: num_images - 1]}, records)
    return project


def _make_record(project: Project, index: int) -> ImageRecord:
    name = f"images/IMG_{index:04}.jpg"
    seed, blur_px = (3, 0.7) if index == 4 else (index, 9.0 if index == 2 else 0.0)
    path = draw_photo(project.root / name, seed, blur_px=blur_px)
    is_bare = index == 6
    return ImageRecord(
        name,
        file_sha256(path),
        *SIZE,
        caption="" if is_bare else "a woman in a red coat",
        tags=() if is_bare else TAGS[: 3 + index % 3],
        keep=index != 1,
        crop=(80, 0, 560, 640) if index == 0 else None,
    )


def save_faces(
    project: Project,
    faces: dict[str, tuple[float, float, float, float, float]],
    records: list[ImageRecord],
) -> None:
    """Faces evidence for all records; those not in `faces` show none."""
    model = Model("faces", load_spec(project.spec).crop.detector, "0" * 64)
    journal = Journal(project, model)
    lines = []
    for record in records:
        found = [faces[record.image_path]] if record.image_path in faces else []
        boxes = [{"box": list(face[:4]), "score": face[4]} for face in found]
        lines.append(Evidence(record.image_path, record.sha256, "", {"faces": boxes}))
    journal.append(lines)
    journal.close()
    merge_journals(project, model)


def make_plain(folder: Path, num_images: int, spec: str = SPEC) -> Project:
    """Images of which no file exists: fast, for what needs no picture."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder.absolute())
    project.spec.write_text(spec, "utf-8")
    records = [
        ImageRecord(f"images/IMG_{n:04}.jpg", f"{n:064x}", *SIZE, "a woman", TAGS)
        for n in range(num_images)
    ]
    save_dataset(project.dataset, Dataset(tuple(records)))
    return project


def change_record(project: Project, index: int, **changes: Any) -> None:
    """Change a line of dataset.jsonl as an editor does."""
    records = list(read_dataset(project).records)
    records[index] = replace(records[index], **changes)
    save_dataset(project.dataset, Dataset(tuple(records)))


def open_session(project: Project, filter_text: str = "") -> ReviewSession:
    return ReviewSession(project, load_spec(project.spec), filter_text)


def play(
    project: Project,
    scenario: Scenario,
    size: tuple[int, int] = (80, 24),
    session: ReviewSession | None = None,
) -> LorawizApp:
    """Open the review of `project`, wait until all is read, and run `scenario` on it."""
    session = session or open_session(project)
    app = LorawizApp(lambda image_widget: ReviewScreen(session, image_widget))

    async def play_scenario() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await wait_until(pilot, lambda: session.is_known, 30)
            await settle(pilot)
            await scenario(pilot)

    asyncio.run(play_scenario())
    return app


async def press(pilot: ReviewPilot, *keys: str) -> None:
    """Press keys; what each began is done when this returns. `:word` types a word."""
    for key in keys:
        letters = [_key_of(letter) for letter in key[1:]] if key[0] == ":" else [key]
        for each in letters:
            await pilot.press(each)
            await pilot.pause()
        await settle(pilot)


async def settle(pilot: ReviewPilot) -> None:
    """Until the picture stands and nothing is read in the background."""
    screen = review_of(pilot)
    await pilot.pause()
    await wait_until(pilot, lambda: screen.is_quiet, 20)
    await wait_until(pilot, lambda: not any(w.is_running for w in pilot.app.workers), 20)
    await pilot.pause()


def review_of(pilot: ReviewPilot) -> ReviewScreen:
    return next(each for each in pilot.app.screen_stack if isinstance(each, ReviewScreen))


def is_on(pilot: ReviewPilot, kind: type[Screen[Any]]) -> bool:
    """Whether the screen on top is of a kind."""
    return isinstance(pilot.app.screen, kind)


def press_keys(project: Project, *keys: str, size: tuple[int, int] = (80, 24)) -> str:
    """Press keys one after the other; the screen's text at the end."""
    texts: list[str] = []

    async def press_all(pilot: ReviewPilot) -> None:
        await press(pilot, *keys)
        texts.append(screen_text(pilot))

    play(project, press_all, size)
    return texts[0]


def read_records(project: Project) -> list[ImageRecord]:
    """The images on the disk, edits included."""
    return list(read_dataset(project).records)


def read_crop(project: Project, index: int = 0) -> Crop | None:
    return read_records(project)[index].crop


def _key_of(letter: str) -> str:
    names = {" ": "space", ",": "comma", "*": "asterisk", ":": "colon", ">": "greater_than_sign"}
    names |= {'"': "quotation_mark", "-": "minus", "_": "underscore", ".": "full_stop"}
    return names.get(letter, letter)
