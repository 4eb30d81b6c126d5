"""Templates: every one makes a spec that loads, with its help above each setting."""

import json
from pathlib import Path

import pytest

from lorawiz.errors import SpecError
from lorawiz.spec.document import load_spec
from lorawiz.spec.schema import build_schema
from lorawiz.spec.templates import fill_template, list_templates, load_template, render_spec

ANSWERS = {"project.name": "lyq", "project.trigger": "lyq", "project.class_word": "woman"}


@pytest.mark.parametrize("name", [template.name for template in list_templates()])
def test_every_template_makes_a_spec(name: str, tmp_path: Path) -> None:
    template = load_template(name)
    assert template.description
    path = tmp_path / "lorawiz.toml"
    path.write_text(render_spec(template, ANSWERS))
    spec = load_spec(path)
    assert (spec.project.name, spec.project.trigger) == ("lyq", "lyq")
    assert spec.project.template == name
    words = {"name": "lyq", "trigger": "lyq", "class_word": "woman"}
    values = fill_template(template, words)
    assert values["sample.prompts"] == spec.sample.prompts
    assert "{" not in "".join(spec.sample.prompts)
    assert any("lyq" in prompt for prompt in spec.sample.prompts)


def test_each_setting_stands_under_its_help() -> None:
    text = render_spec(load_template("face-lora"), ANSWERS)
    assert (
        "# The rank: more holds more detail, in a larger file. 8 to 32 for a face.\ndim = 16\n"
        in text
    )


def test_the_named_templates_are_there() -> None:
    assert {"face-lora", "style-lora"} <= {template.name for template in list_templates()}


def test_an_empty_trigger_leaves_no_gap_in_the_prompts() -> None:
    text = render_spec(load_template("style-lora"), {**ANSWERS, "project.trigger": ""})
    assert '"a house by a lake"' in text
    assert '", a house' not in text


def test_an_unknown_template_lists_the_known_ones() -> None:
    with pytest.raises(SpecError, match="no such template") as caught:
        load_template("face-lra")
    assert "face-lora" in caught.value.hint


def test_a_users_own_template_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text("[template]\ndescription = 'x'\n[train]\nseed = 9\n")
    monkeypatch.setenv("LORAWIZ_TEMPLATES", str(tmp_path))
    assert "seed = 9" in render_spec(load_template("mine"), ANSWERS)
    by_path = load_template(str(tmp_path / "mine.toml"))
    # no home path goes into what is committed
    assert 'template = "mine"' in render_spec(by_path, ANSWERS)


def test_a_template_with_a_wrong_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[train]\nsed = 9\n")
    with pytest.raises(SpecError, match=r"train\.sed: unknown setting"):
        render_spec(load_template(str(tmp_path / "bad.toml")), ANSWERS)


def test_the_schema_describes_every_key() -> None:
    schema = json.loads(build_schema())
    assert schema["properties"]["train"]
    table = schema["$defs"]["TrainTable"]
    assert table["additionalProperties"] is False
    assert "learning rate" in table["properties"]["learning_rate"]["description"]
