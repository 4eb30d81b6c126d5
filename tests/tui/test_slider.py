"""Which step's samples are shown."""

from lorawiz.runs.logs import SampleFile
from lorawiz.tui.slider import SampleSlider


def samples_of(*steps: int, num_prompts: int = 2) -> list[SampleFile]:
    return [
        SampleFile(step, index, "p", f"{step}-{index}")
        for step in steps
        for index in range(num_prompts)
    ]


def test_without_samples_nothing_is_chosen_and_moving_changes_nothing() -> None:
    slider = SampleSlider()
    assert slider.chosen == ()
    assert slider.list_back(3) == []
    assert not slider.move(-1)
    assert not slider.move(1)


def test_the_newest_is_followed_until_somebody_moves_and_again_from_the_end() -> None:
    slider = SampleSlider()
    slider.take_in(samples_of(10, 20))
    assert slider.chosen[0].step == 20
    slider.take_in(samples_of(10, 20, 30))
    assert slider.chosen[0].step == 30
    assert slider.move(-1)
    slider.take_in(samples_of(10, 20, 30, 40))
    assert (slider.chosen[0].step, slider.is_following) == (20, False)
    assert slider.move(9)
    slider.take_in(samples_of(10, 20, 30, 40, 50))
    assert (slider.chosen[0].step, slider.is_following) == (50, True)


def test_it_stays_inside_the_steps() -> None:
    slider = SampleSlider()
    slider.take_in(samples_of(10, 20))
    assert slider.move(-5)
    assert not slider.move(-1)
    assert slider.index == 0


def test_samples_of_a_step_are_in_the_order_of_their_prompts() -> None:
    slider = SampleSlider()
    slider.take_in(samples_of(10)[::-1])
    assert [sample.index for sample in slider.chosen] == [0, 1]


def test_the_steps_before_come_with_it() -> None:
    slider = SampleSlider()
    slider.take_in(samples_of(10, 20, 30))
    assert [step[0].step for step in slider.list_back(2)] == [30, 20]
    slider.move(-2)
    assert [step[0].step for step in slider.list_back(2)] == [10]
