"""The report: severities by place, lines of the file, and a plan that is true."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.families import FAMILIES
from lorawiz.families.clip import count_tokens
from lorawiz.preflight import check as check_module
from lorawiz.preflight.check import check_project
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.plan import build_plan
from lorawiz.preflight.report_lines import iter_plan_rows, plan_lines
from lorawiz.runs.view import load_view
from lorawiz.spec import load_spec
from lorawiz.wording import show_bytes
from tests.preflight.test_rules import GOOD, MACHINE, hold_out
from tests.support.projects import link_base, make_project
from tests.support.training import SHORT, make_run, train


def test_what_concerns_the_machine_is_a_warning_in_check_and_an_error_in_run(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path, settings=GOOD)
    link_base(project, tiny_base)
    full = replace(MACHINE, free_disk_bytes=10)
    monkeypatch.setattr(check_module, "look_at_machine", lambda project: full)
    spec = load_spec(project.spec)
    assert [(f.code, f.severity) for f in check_project(project, spec).findings] == [
        ("disk-full", "warning")
    ]
    report = check_project(project, spec, for_run=True)
    assert [(f.code, f.severity) for f in report.findings] == [("disk-full", "error")]
    assert not report.as_json()["ok"]


def test_a_finding_names_the_line_of_its_key(tmp_path: Path, tiny_base: Path) -> None:
    project = make_project(tmp_path, settings={**GOOD, "network.alpha": "0.5"})
    link_base(project, tiny_base)
    report = check_project(project, load_spec(project.spec))
    finding = next(f for f in report.findings if f.code == "alpha-scale")
    line = int(finding.where.partition(":")[2])
    assert project.spec.read_text().splitlines()[line - 1].startswith("alpha")


def test_without_torch_the_rest_is_still_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path, settings=GOOD)
    bare = replace(MACHINE, torch=None, missing_packages=("torch",))
    monkeypatch.setattr(check_module, "look_at_machine", lambda project: bare)
    report = check_project(project, load_spec(project.spec))
    assert {f.code: f.severity for f in report.findings} == {
        "base-unset": "error",
        "extra-missing": "warning",
    }
    assert "needs the extra 'train'" in report.not_checked[0]


def test_the_report_is_json(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    values = json.loads(json.dumps(check_project(project, load_spec(project.spec)).as_json()))
    assert values["plan"]["buckets"] == [{"width": 64, "height": 64, "num_images": 4}]
    fields = {"code", "severity", "scope", "where", "message", "fix", "reason", "key", "actions"}
    assert fields == set(values["findings"][0])


def test_the_plan_is_within_ten_percent_of_what_a_run_writes(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = make_run(tmp_path, tiny_base, {**SHORT, "network.dim": "16", "network.alpha": "8"})
    project = run.project
    plan = build_plan(Inspection(project, load_spec(project.spec), MACHINE))
    assert train(run) == 0
    saves = list(run.path.glob("*.safetensors"))
    assert len(saves) == plan.num_saves
    assert saves[0].stat().st_size == pytest.approx(plan.save_bytes, rel=0.1)
    states = [sum(f.stat().st_size for f in path.iterdir()) for path in run.state.iterdir()]
    assert states[0] == pytest.approx(plan.state_bytes, rel=0.1)
    latents = sum(f.stat().st_size for f in (project.work / "latents").rglob("*.safetensors"))
    assert latents == pytest.approx(plan.latents_bytes, rel=0.1)
    again = build_plan(Inspection(project, load_spec(project.spec), MACHINE))
    assert again.time_source == "measured in lyq-0001"
    assert again.time_s == pytest.approx(6 * again.step_s)  # type: ignore[operator]
    assert plan.step_s is None


@pytest.mark.parametrize("saved_as", ["safetensors", "diffusers"])
def test_the_plan_of_full_fine_tuning_is_what_a_run_writes(
    tmp_path: Path, tiny_base: Path, saved_as: str
) -> None:
    settings = {
        "network.kind": "full",
        "train.text_encoder_lr": "1e-5",
        "train.max_train_steps": "2",
        "train.save_every_n_steps": "1",
        "train.save_model_as": saved_as,
    }
    run = make_run(tmp_path, tiny_base, settings)
    project = run.project
    plan = build_plan(Inspection(project, load_spec(project.spec), MACHINE))
    [model] = plan.products
    facts = FAMILIES["sd15"].sizes["tiny"].num_parameters
    assert (model.label, model.num_parameters) == ("model", facts[0] + facts[1])
    assert train(run) == 0
    written = [save.num_bytes for save in load_view(run).saves]
    assert len(written) == plan.num_saves
    assert written == pytest.approx([model.file_bytes] * len(written), rel=0.1)
    states = [sum(f.stat().st_size for f in path.iterdir()) for path in run.state.iterdir()]
    assert states == pytest.approx([plan.state_bytes], rel=0.1)
    on_disk = sum(f.stat().st_size for f in run.path.rglob("*") if f.is_file())
    assert plan.disk_bytes > on_disk


def test_the_plan_of_a_new_word_is_what_a_run_writes(tmp_path: Path, tiny_base: Path) -> None:
    settings = {
        "network.kind": "none",
        "textual_inversion.token_string": "lyq",
        "textual_inversion.num_vectors_per_token": "64",
        "train.max_train_steps": "2",
        "train.save_every_n_steps": "1",
        "train.save_precision": "float",
    }
    run = make_run(tmp_path, tiny_base, settings)
    project = run.project
    report = check_project(project, load_spec(project.spec))
    assert report.errors == []
    [word] = report.plan.products
    assert (word.label, word.num_parameters) == ("word", 64 * 32)
    assert train(run) == 0, load_view(run).message
    written = [save.num_bytes for save in load_view(run).saves]
    assert written == pytest.approx([word.file_bytes] * 2, rel=0.15)


def test_a_prompt_counts_the_new_words_vectors(tmp_path: Path) -> None:
    settings = {
        "textual_inversion.token_string": "lyq",
        "textual_inversion.num_vectors_per_token": "72",
    }
    project = make_project(tmp_path, settings=settings)
    at = Inspection(project, load_spec(project.spec), MACHINE)
    plain = make_project(tmp_path / "plain")
    before = Inspection(plain, load_spec(plain.spec), MACHINE)
    more = 72 - count_tokens("lyq")
    assert set(at.num_tokens.values()) == {n + more for n in before.num_tokens.values()}
    report = check_project(project, load_spec(project.spec))
    assert "prompt-too-long" in {finding.code for finding in report.findings}


def test_the_plan_calls_a_model_a_model(tmp_path: Path) -> None:
    project = make_project(tmp_path, settings={"network.kind": "full"})
    rows = {
        row.label: row for row in iter_plan_rows(check_project(project, load_spec(project.spec)))
    }
    assert "LoRA" not in rows
    assert rows["model"].note.endswith("859,520,964 parameters")
    # twelve bytes a parameter: the weight and AdamW's two averages
    assert rows["state"].figure == show_bytes(12 * 859_520_964)


def test_memory_grows_with_what_it_is_made_of(tmp_path: Path) -> None:
    project = make_project(tmp_path, size=(600, 600))

    def memory(**settings: str) -> int:
        spec = load_spec(project.spec, {k.replace("__", "."): v for k, v in settings.items()})
        return build_plan(Inspection(project, spec, MACHINE)).memory_bytes

    small = memory()
    assert memory(dataset__resolution="512", dataset__max_bucket_reso="512") > small
    assert memory(network__train_unet_only="true") < small
    assert memory(train__mixed_precision="bf16") < small
    large = {"dataset__resolution": "512", "dataset__max_bucket_reso": "512"}
    assert memory(**large, train__gradient_checkpointing="true") < memory(**large)
    # SD1.5 at 512 px in fp32: 3.4 GB of weights, 1.4 GB for the backward pass, 0.6 of the process
    assert memory(**large, network__train_unet_only="true") == pytest.approx(5.5e9, rel=0.05)


def test_what_is_held_out_is_in_the_plan_and_not_trained(tmp_path: Path) -> None:
    project = make_project(tmp_path, settings={"train.max_train_epochs": "10"})
    hold_out(0.25, 1)(project)
    report = check_project(project, load_spec(project.spec))
    plan = report.plan
    assert (plan.num_images, plan.num_held_out, plan.steps_per_epoch) == (3, 1, 3)
    assert (plan.buckets, plan.total_steps) == ({(64, 64): 3}, 30)
    assert len(report.records) == 4
    assert "  held out          1  measured, never trained" in list(plan_lines(report))
    flipped = load_spec(project.spec, {"dataset.flip_aug": "true"})
    both = build_plan(Inspection(project, flipped, MACHINE)).latents_bytes
    assert both == plan.latents_bytes // 4 * 7  # what is measured is not mirrored
