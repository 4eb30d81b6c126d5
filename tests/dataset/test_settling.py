"""From evidence, rules and hands to the words in use."""

from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.dataset.evidence import Evidence, Journal, Model, merge_journals
from lorawiz.dataset.records import ImageRecord, load_dataset
from lorawiz.dataset.settling import settle_dataset, settle_words
from lorawiz.dataset.store import change_dataset, read_dataset, undo
from lorawiz.dataset.words import add_tags, remove_tags, set_caption
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from tests.support.projects import make_project

RULES = """
[[clean]]
rule = "remove"
tags = ["1girl"]
[[clean]]
rule = "prepend"
tags = ["{trigger}"]
"""


def project_with(folder: Path, rules: str = RULES, **options: object) -> Project:
    project = make_project(
        folder,
        2,
        {"tag.model": "tagger", "caption.model": "captioner"},
        tags=(),
        caption="",
    )
    project.spec.write_text(project.spec.read_text() + rules)
    return project


def say_tags(project: Project, *scores: dict[str, float], revision: str = "aa") -> None:
    model = Model("tags", "tagger", revision * 32)
    journal = Journal(project, model)
    journal.append(
        [
            Evidence(r.image_path, r.sha256, "v", {"scores": given, "categories": {}})
            for r, given in zip(load_dataset(project.dataset).records, scores, strict=False)
        ]
    )
    journal.close()
    merge_journals(project, model)


def say_captions(project: Project, *captions: str) -> None:
    model = Model("captions", "captioner", "bb" * 32)
    journal = Journal(project, model)
    journal.append(
        [
            Evidence(r.image_path, r.sha256, "v", {"caption": caption})
            for r, caption in zip(load_dataset(project.dataset).records, captions, strict=False)
        ]
    )
    journal.close()
    merge_journals(project, model)


def settle(project: Project) -> list[ImageRecord]:
    settle_words(project, load_spec(project.spec), "test")
    return list(read_dataset(project).records)


def edit(project: Project, record: ImageRecord) -> None:
    change_dataset(project, "by hand", lambda dataset: [record])


def test_scores_become_tags_and_rules_are_applied(tmp_path: Path) -> None:
    project = project_with(tmp_path)
    say_tags(project, {"1girl": 0.99, "red_coat": 0.8, "hat": 0.2}, {"smile": 0.5})
    say_captions(project, "a woman in a coat")
    first, second = settle(project)
    assert (first.caption, first.tags) == ("a woman in a coat", ("lyq", "red coat"))
    assert (second.caption, second.tags) == ("", ("lyq", "smile"))


def test_another_threshold_needs_no_model(tmp_path: Path) -> None:
    project = project_with(tmp_path)
    say_tags(project, {"red_coat": 0.8, "hat": 0.2})
    assert settle(project)[0].tags == ("lyq", "red coat")
    project.spec.write_text(project.spec.read_text().replace("[tag]", "[tag]\nthresh = 0.1"))
    assert settle(project)[0].tags == ("lyq", "red coat", "hat")


def test_a_hand_wins_over_rules_and_another_model(tmp_path: Path) -> None:
    project = project_with(tmp_path)
    say_tags(project, {"1girl": 0.9, "red_coat": 0.8, "hat": 0.9})
    say_captions(project, "a woman")
    record = settle(project)[0]
    edit(project, set_caption(remove_tags(add_tags(record, ["1girl"]), ["hat"]), "lyq, smiling"))
    assert settle(project)[0].tags == ("lyq", "red coat", "1girl")
    say_tags(project, {"hat": 0.9, "blue_coat": 0.8, "1girl": 0.9}, revision="cc")
    say_captions(project, "a person")
    record = settle(project)[0]
    assert (record.caption, record.tags) == ("lyq, smiling", ("lyq", "blue coat", "1girl"))
    settled = settle_dataset(project, load_spec(project.spec), read_dataset(project))
    assert {(each.tag, each.kind) for each in settled.conflicts} == {
        ("1girl", "added"), ("", "caption"),
    }  # fmt: skip
    assert not settled.changed


def test_a_line_edited_in_vim_counts_as_by_hand(tmp_path: Path) -> None:
    project = project_with(tmp_path)
    say_tags(project, {"red_coat": 0.8, "hat": 0.9})
    settle(project)
    text = project.dataset.read_text().replace('"red coat", "hat"', '"red coat", "scarf"', 1)
    project.dataset.write_text(text)
    record = settle(project)[0]
    assert record.tags == ("lyq", "red coat", "scarf")
    assert (record.hand.add, record.hand.remove) == (("scarf",), ("hat",))
    say_tags(project, {"hat": 0.9, "green_coat": 0.9}, revision="cc")
    assert settle(project)[0].tags == ("lyq", "green coat", "scarf")


def test_words_that_came_with_an_image_are_cleaned_and_kept(tmp_path: Path) -> None:
    project = make_project(tmp_path, 1, tags=("1girl", "smile"), caption="a woman")
    project.spec.write_text(project.spec.read_text() + RULES)
    before = project.dataset.read_bytes()
    assert settle(project)[0].tags == ("lyq", "smile")
    project.spec.write_text(project.spec.read_text().replace(RULES, ""))
    assert settle(project)[0].tags == ("1girl", "smile")
    assert project.dataset.read_bytes() == before


def test_appended_tags_stand_behind_those_that_came(tmp_path: Path) -> None:
    project = make_project(tmp_path, 1, {"tag.model": "tagger"}, tags=("smile",), caption="")
    say_tags(project, {"smile": 0.9, "hat": 0.8})
    assert settle(project)[0].tags == ("smile", "hat")
    project.spec.write_text(project.spec.read_text().replace("[tag]", "[tag]\nappend_tags = true"))
    say_tags(project, {"coat": 0.9}, revision="cc")
    assert settle(project)[0].tags == ("smile", "coat")


def test_evidence_of_another_file_is_not_used(tmp_path: Path) -> None:
    project = project_with(tmp_path)
    say_tags(project, {"hat": 0.9})
    change_dataset(project, "x", lambda d: [replace(d.records[0], sha256="f" * 64)])
    assert settle(project)[0].tags == ()


@pytest.mark.parametrize("by", ["score", "alphabet"])
def test_rules_know_the_scores(tmp_path: Path, by: str) -> None:
    rules = f'[[clean]]\nrule = "drop_below"\nscore = 0.5\n[[clean]]\nrule = "sort"\nby = "{by}"\n'
    project = project_with(tmp_path, rules)
    say_tags(project, {"a_hat": 0.4, "a_coat": 0.6, "a_smile": 0.9})
    expected = ("a smile", "a coat") if by == "score" else ("a coat", "a smile")
    assert settle(project)[0].tags == expected


def test_cleaning_is_one_edit_that_can_be_undone(tmp_path: Path) -> None:
    project = project_with(tmp_path)
    before = project.dataset.read_bytes()
    say_tags(project, {"hat": 0.9}, {"smile": 0.9})
    settle(project)
    assert undo(project).num_changed == 2
    assert project.dataset.read_bytes() == before
