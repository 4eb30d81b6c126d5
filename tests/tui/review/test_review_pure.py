"""The crop box, the zoom, the order and the prompt of the review screen: arithmetic alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from lorawiz.dataset.prompts import draw_prompt
from lorawiz.dataset.records import Crop, ImageRecord
from lorawiz.families.clip import CHUNK_TOKENS, encode_prompt, load_tokenizer
from lorawiz.families.clip.counting import count_prompt_tokens
from lorawiz.spec import Spec
from lorawiz.tui.review import crop_box
from lorawiz.tui.review.crop_box import MIN_SIDE_PX, move_box, scale_box, stretch_box
from lorawiz.tui.review.knowledge import Knowledge
from lorawiz.tui.review.ordering import measure_face, sort_places
from lorawiz.tui.review.prompt_words import CUT_MARK, build_prompt, describe_prompt, find_cut
from lorawiz.tui.review.zoom import (
    SCALES,
    Zoom,
    find_view,
    fit_scale,
    measure_view,
    pan,
    show_scale,
    step_scale,
)

SIZE = (640, 480)
sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@st.composite
def boxes(draw: st.DrawFn) -> tuple[Crop, tuple[int, int]]:
    size = draw(sizes)
    left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    box = left, top, draw(st.integers(left + 1, size[0])), draw(st.integers(top + 1, size[1]))
    return box, size


def lies_in(box: Crop, size: tuple[int, int]) -> bool:
    return 0 <= box[0] < box[2] <= size[0] and 0 <= box[1] < box[3] <= size[1]


@given(boxes(), st.integers(-600, 600), st.integers(-600, 600))
def test_a_moved_box_stays_inside_and_keeps_its_sides(
    placed: tuple[Crop, tuple[int, int]], across: int, down: int
) -> None:
    box, size = placed
    moved = move_box(box, across, down, size)
    assert lies_in(moved, size)
    assert (moved[2] - moved[0], moved[3] - moved[1]) == (box[2] - box[0], box[3] - box[1])


@given(boxes(), st.sampled_from([1, -1]))
def test_a_scaled_box_stays_inside(placed: tuple[Crop, tuple[int, int]], step: int) -> None:
    box, size = placed
    assert lies_in(scale_box(box, step, size), size)


@given(boxes(), st.integers(-400, 400), st.integers(-400, 400))
def test_a_stretched_box_stays_inside_and_is_never_too_small(
    placed: tuple[Crop, tuple[int, int]], wider: int, higher: int
) -> None:
    box, size = placed
    stretched = stretch_box(box, wider, higher, size)
    assert lies_in(stretched, size)
    assert stretched[2] - stretched[0] >= min(MIN_SIDE_PX, size[0])
    assert stretched[3] - stretched[1] >= min(MIN_SIDE_PX, size[1])


def test_a_scaled_box_keeps_its_shape_and_its_middle() -> None:
    smaller = scale_box((100, 100, 300, 200), -1, SIZE)
    width, height = smaller[2] - smaller[0], smaller[3] - smaller[1]
    assert width < 200
    assert width / height == pytest.approx(2.0, abs=0.03)
    assert smaller[0] + smaller[2] == pytest.approx(400, abs=1)


def test_a_stretched_box_changes_one_side() -> None:
    assert stretch_box((100, 100, 300, 200), 20, 0, SIZE) == (90, 100, 310, 200)
    assert stretch_box((100, 100, 300, 200), 0, -20, SIZE) == (100, 110, 300, 190)


def test_a_step_is_two_percent_of_the_shorter_side() -> None:
    assert crop_box.step_px((4000, 3000)) == 60
    assert crop_box.step_px((8, 8)) == 1


# the zoom


@given(sizes, sizes, st.sampled_from(SCALES), st.floats(-1, 2), st.floats(-1, 2))
def test_what_is_looked_at_lies_in_the_picture(
    size: tuple[int, int], view: tuple[int, int], scale: float, across: float, down: float
) -> None:
    part = find_view(size, view, Zoom(scale, across, down))
    assert lies_in(part, size)
    wide, high = measure_view(part, scale)
    assert wide <= max(view[0], 1) + scale
    assert high <= max(view[1], 1) + scale


def test_one_to_one_shows_as_many_pixels_as_the_screen_has() -> None:
    part = find_view((4000, 3000), (78, 40), Zoom(1.0, 0.5, 0.5))
    assert part == (1961, 1480, 2039, 1520)
    assert measure_view(part, 1.0) == (78, 40)


def test_steps_go_from_the_whole_picture_to_four_to_one_and_back() -> None:
    fit = fit_scale((4000, 3000), (78, 40))
    steps: list[float | None] = [None]
    while (following := step_scale(steps[-1], 1, fit)) != steps[-1]:
        steps.append(following)
    assert steps == [None, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4]
    back = [4.0]
    while (before := step_scale(back[-1], -1, fit)) is not None:
        back.append(before)
    assert back == [4, 2, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32]


def test_panning_goes_a_quarter_of_the_view_and_stops_at_the_edge() -> None:
    size, view = (4000, 3000), (400, 300)
    zoom = pan(Zoom(1.0, 0.5, 0.5), 1, 0, size, view)
    assert find_view(size, view, zoom) == (1900, 1350, 2300, 1650)
    for _ in range(60):
        zoom = pan(zoom, 1, 1, size, view)
    assert find_view(size, view, zoom) == (3600, 2700, 4000, 3000)
    # no invisible way back from beyond the edge
    assert find_view(size, view, pan(zoom, -1, 0, size, view))[0] == 3500


def test_scales_are_shown_as_ratios() -> None:
    assert [show_scale(each) for each in (0.25, 1.0, 2.0)] == ["1:4", "1:1", "2:1"]


# the order


def record(index: int, **values: object) -> ImageRecord:
    return ImageRecord(f"images/{index}.jpg", "0" * 64, 100, 100, **values)  # type: ignore[arg-type]


def test_places_are_sorted_by_figure_then_by_name_and_unknown_ones_last() -> None:
    figures: list[float | None] = [3.0, None, 1.0, 3.0, 2.0]
    records = [record(n) for n in range(5)]
    measure = {each.image_path: figures[n] for n, each in enumerate(records)}
    for falls, wanted in ((False, [2, 4, 0, 3, 1]), (True, [0, 3, 4, 2, 1])):
        found = sort_places(range(5), records, lambda each: measure[each.image_path], falls)
        assert found == wanted


def test_the_size_of_a_face_is_in_pixels_and_unsure_ones_do_not_count() -> None:
    shown = record(0)
    faces = {shown.image_path: [(0.1, 0.1, 0.3, 0.5, 0.9), (0.0, 0.0, 1.0, 1.0, 0.3)]}
    assert measure_face(shown, Knowledge(faces=faces), 0.6) == pytest.approx(40)
    assert measure_face(shown, Knowledge(faces={shown.image_path: []}), 0.6) == 0
    assert measure_face(shown, Knowledge(faces={}), 0.6) is None
    assert measure_face(shown, Knowledge(), 0.6) is None


# the prompt


def spec_with(**prompt: object) -> Spec:
    return Spec.model_validate(
        {"schema": 1, "project": {"trigger": "lyq", "class_word": "woman"}, "prompt": prompt}
    )


def plain_prompt(shown: ImageRecord, spec: Spec) -> str:
    drawn = draw_prompt(shown, spec, 1)
    num = count_prompt_tokens(drawn.text)
    cut = find_cut(drawn.text, spec) if num > CHUNK_TOKENS else None
    return build_prompt(drawn, cut).plain


LONG = tuple(f"a rather long tag {n}" for n in range(30))


def test_kept_parts_stand_in_brackets() -> None:
    shown = record(0, caption="a woman", tags=("lyq", "smile"))
    text = plain_prompt(shown, spec_with(shuffle_caption=True, keep_tokens=2))
    assert text == "[a woman, lyq] smile"
    assert plain_prompt(shown, spec_with()) == "a woman,lyq, smile"


def test_what_falls_behind_the_limit_stands_behind_the_mark() -> None:
    shown = record(0, caption="a woman", tags=LONG)
    text = plain_prompt(shown, spec_with())
    read, mark, unread = text.partition(f"{CUT_MARK} ")
    assert mark
    whole = draw_prompt(shown, spec_with(), 1).text
    assert read + unread == whole
    ids = load_tokenizer().encode(whole).ids
    assert count_prompt_tokens(read) == CHUNK_TOKENS
    assert load_tokenizer().encode(read).ids == ids[:CHUNK_TOKENS]
    assert encode_prompt(read) == encode_prompt(whole)


def test_a_kept_part_behind_the_limit_keeps_its_brackets() -> None:
    tags = (*LONG, "|||", "last")
    shown = record(0, caption="a woman", tags=tags)
    spec = spec_with(shuffle_caption=True, keep_tokens_separator="|||")
    text = plain_prompt(shown, spec)
    assert text.startswith("[a woman, ")
    assert text.count(CUT_MARK) == 1


def test_the_mark_is_not_shown_where_all_is_read() -> None:
    assert CUT_MARK not in plain_prompt(record(0, caption="a woman"), spec_with())


def test_the_remark_says_how_many_tokens_are_lost() -> None:
    assert describe_prompt(None, spec_with(), CHUNK_TOKENS) == Content()
    assert "nothing is read: 3 tokens" in describe_prompt(None, spec_with(), CHUNK_TOKENS + 3).plain


def test_a_dropped_prompt_and_an_empty_one_say_so() -> None:
    dropped = plain_prompt(record(0, caption="x"), spec_with(caption_dropout_every_n_epochs=1))
    assert dropped == "empty: caption dropout"


def test_a_prompt_with_escapes_and_markup_is_shown_as_text() -> None:
    shown = record(0, caption="[red]\x1b[31m\u202e", tags=("日本語", "🙂"))
    text = plain_prompt(shown, spec_with())
    assert text == "[red]␛[31m‹U+202E›,日本語, 🙂"
