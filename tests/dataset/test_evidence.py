"""What models said: journaled by each process, merged by whoever ends, readable in git."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lorawiz.dataset.evidence import (
    Evidence,
    Journal,
    Model,
    evidence_path,
    find_evidence,
    iter_evidence,
    iter_journals,
    load_faces,
    merge_journals,
)
from lorawiz.errors import DatasetError
from lorawiz.paths import Project

TAGGER = Model("tags", "owner/tagger", "ab" * 32)


def said(number: int, caption: str = "a cat") -> Evidence:
    return Evidence(f"images/{number}.jpg", f"{number:064d}", "view", {"caption": caption})


def written(project: Project, *evidence: Evidence, model: Model = TAGGER) -> Path:
    journal = Journal(project, model)
    journal.append(evidence)
    journal.close()
    return journal.path


def test_journals_become_one_sorted_file(tmp_path: Path) -> None:
    project = Project(tmp_path)
    written(project, said(3), said(1))
    written(project, said(2))
    path = merge_journals(project, TAGGER)
    assert path == tmp_path / "evidence" / "tags" / "owner--tagger@abababab.jsonl"
    lines = path.read_text().splitlines()
    assert json.loads(lines[0])["revision"] == "ab" * 32
    assert [json.loads(line)["image_path"] for line in lines[1:]] == [
        "images/1.jpg", "images/2.jpg", "images/3.jpg",
    ]  # fmt: skip
    assert list(iter_journals(project, TAGGER)) == []
    before = path.read_bytes()
    merge_journals(project, TAGGER)
    assert path.read_bytes() == before


def test_a_newer_word_on_an_image_takes_the_place_of_the_older(tmp_path: Path) -> None:
    project = Project(tmp_path)
    written(project, said(1), said(2))
    merge_journals(project, TAGGER)
    written(project, said(1, "a dog"))
    path = merge_journals(project, TAGGER)
    assert path is not None
    assert [each.finding["caption"] for each in iter_evidence(path)] == ["a dog", "a cat"]
    assert all(each.time.startswith("20") for each in iter_evidence(path))


def test_a_journal_of_a_living_process_is_left_to_it(tmp_path: Path) -> None:
    project = Project(tmp_path)
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from lorawiz.paths import Project\n"
        "from lorawiz.dataset.evidence import *\n"
        "j = Journal(Project(Path(sys.argv[1])), Model('tags', 'owner/tagger', 'ab' * 32))\n"
        "j.append([Evidence('images/9.jpg', '9', 'view', {'caption': 'x'})])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        written(project, said(1))
        path = merge_journals(project, TAGGER)
        assert path is not None
        assert [each.image_path for each in iter_evidence(path)] == ["images/1.jpg"]
        assert [each.image_path for each in iter_journals(project, TAGGER)] == ["images/9.jpg"]
        other.kill()  # and what it had written is there for the next
    merge_journals(project, TAGGER)
    assert [each.image_path for each in iter_evidence(path)] == ["images/1.jpg", "images/9.jpg"]


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    project = Project(tmp_path)
    journal = written(project, said(1), said(2))
    journal.write_bytes(journal.read_bytes()[:-7])
    path = merge_journals(project, TAGGER)
    assert path is not None
    assert [each.image_path for each in iter_evidence(path)] == ["images/1.jpg"]


def test_revisions_of_a_model_have_files_of_their_own(tmp_path: Path) -> None:
    project = Project(tmp_path)
    newer = Model("tags", "owner/tagger", "cd" * 32)
    written(project, said(1))
    merge_journals(project, TAGGER)
    written(project, said(1, "newer"), model=newer)
    merge_journals(project, newer)
    assert len(list((tmp_path / "evidence" / "tags").iterdir())) == 2
    assert find_evidence(project, "tags", "owner/tagger") == evidence_path(project, newer)
    assert find_evidence(project, "tags", "owner--tagger") is None
    assert find_evidence(project, "captions", "owner/tagger") is None


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    project = Project(tmp_path)
    written(project, said(1))
    path = merge_journals(project, TAGGER)
    assert path is not None
    for bad in (b"{not json\n", b"[1]\n", b'{"image_path": "a"}\n'):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + bad)
        with pytest.raises(DatasetError, match=r"tags/owner--tagger@abababab\.jsonl:2") as caught:
            list(iter_evidence(path))
        assert "lorawiz tag" in caught.value.hint


def test_faces_are_boxes_with_scores(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert load_faces(project) is None
    model = Model("faces", "blazeface", "ef" * 32)
    faces = {"faces": [{"box": [0.1, 0.2, 0.3, 0.4], "score": 0.9, "points": []}]}
    written(project, Evidence("images/1.jpg", "1", "whole", faces), model=model)
    written(project, Evidence("images/2.jpg", "2", "whole", {"faces": []}), model=model)
    merge_journals(project, model)
    assert load_faces(project) == {
        "images/1.jpg": [(0.1, 0.2, 0.3, 0.4, 0.9)],
        "images/2.jpg": [],
    }


def test_a_file_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    project = Project(tmp_path)
    written(project, Evidence("images/\udcff.jpg", "1", "view", {"caption": "x"}))
    path = merge_journals(project, TAGGER)
    assert path is not None
    assert next(iter_evidence(path)).image_path == "images/\udcff.jpg"
