"""The registry: every model finds its layout, and what is missing is named with its place."""

from pathlib import Path

import pytest

from lorawiz.annotate.registry import (
    CAPTIONERS,
    FACE_DETECTORS,
    SEGMENTERS,
    TAGGERS,
    find_model,
    load_model,
)
from lorawiz.errors import ModelError
from lorawiz.paths import Project
from lorawiz.spec.annotating import CropTable, CutoutTable, TagTable
from tests.support.taggers import build_cl_tagger, build_wd14


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return Project(tmp_path)


def test_every_layout_has_a_name_of_its_own() -> None:
    for kind in (TAGGERS, CAPTIONERS):
        names = [layout.name for layout in kind.layouts]
        assert len(set(names)) == len(names) >= 2
        assert kind.files.advice
        assert kind.files.weights


@pytest.mark.parametrize("place", ["owner/tiny", "owner_tiny", "tiny"])
def test_a_hub_id_is_found_however_its_folder_was_named(project: Project, place: str) -> None:
    build_wd14(project.models / place, side=64)
    layout, folder = find_model(TAGGERS, "owner/tiny", project)
    assert (layout.name, folder) == ("wd14", project.models / place)


def test_a_tagger_says_what_it_is_called(project: Project) -> None:
    build_cl_tagger(project.models / "mine", side=64)
    tagger = load_model(TAGGERS, "mine", project, TagTable())
    assert (tagger.name, len(tagger.revision)) == ("mine", 64)


def test_half_a_download_is_no_model(project: Project) -> None:
    build_wd14(project.models / "tiny", side=64)
    (project.models / "tiny" / "selected_tags.csv").unlink()
    with pytest.raises(
        ModelError, match=r"not a tagger that lorawiz knows; in it: model\.onnx"
    ) as caught:
        find_model(TAGGERS, "tiny", project)
    assert "model.onnx and selected_tags.csv" in caught.value.hint


def test_a_missing_model_names_the_files_and_the_folder(project: Project) -> None:
    with pytest.raises(ModelError, match="not on this machine") as caught:
        find_model(TAGGERS, "SmilingWolf/wd-swinv2-tagger-v3", project)
    assert "model.onnx and selected_tags.csv" in caught.value.hint
    assert "models/SmilingWolf/wd-swinv2-tagger-v3/" in caught.value.hint
    with pytest.raises(ModelError, match="nothing: no such model"):
        find_model(TAGGERS, "nothing", project)
    with pytest.raises(ModelError, match="not on this machine") as caught:
        find_model(CAPTIONERS, "Salesforce/blip-image-captioning-large", project)
    assert "preprocessor_config.json" in caught.value.hint


def test_what_comes_along_loads_without_anything_else() -> None:
    assert FACE_DETECTORS["blazeface"](CropTable()).name == "blazeface"
    assert SEGMENTERS["selfie"](CutoutTable()).name == "selfie"
    assert set(FACE_DETECTORS) == set(CropTable.model_fields["detector"].annotation.__args__)  # type: ignore[union-attr]
    assert set(SEGMENTERS) == set(CutoutTable.model_fields["segmenter"].annotation.__args__)  # type: ignore[union-attr]
