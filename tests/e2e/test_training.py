"""The real commands through the real `accelerate launch`."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from lorawiz.paths import Project
from lorawiz.runs.control import request
from lorawiz.runs.folder import RunFolder, find_run
from lorawiz.runs.journal import read_events
from lorawiz.runs.view import load_view
from tests.cli.runner import lorawiz
from tests.support.projects import link_base, make_project
from tests.support.training import model_hash

pytestmark = pytest.mark.slow

SETTINGS = {
    "train.max_train_steps": "24",
    "train.save_every_n_steps": "5",
    "train.gradient_accumulation_steps": "2",
    "prompt.shuffle_caption": "true",
    "prompt.keep_tokens": "2",
    "network.dropout": "0.1",
}


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def start_detached(project: Project) -> RunFolder:
    answer = lorawiz("run", "--detach", cwd=project.root)
    assert answer.code == 0, answer.err + answer.out
    return find_run(project)


def trainer_pids(run: RunFolder) -> list[int]:
    """Every process whose command line names this run's folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if str(run.path) in (process.info["cmdline"] or []):
            found.append(process.pid)
    return found


@pytest.fixture
def project(tmp_path: Path, tiny_base: Path) -> Project:
    project = make_project(tmp_path / "project", settings=SETTINGS)
    link_base(project, tiny_base)
    return project


@pytest.fixture(scope="module")
def straight_hash(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> str:
    """The LoRA of a run of SETTINGS that nothing disturbed."""
    project = make_project(tmp_path_factory.mktemp("straight"), settings=SETTINGS)
    link_base(project, tiny_base)
    home = str(tmp_path_factory.mktemp("home"))
    answer = lorawiz("run", cwd=project.root, LORAWIZ_HOME=home)
    assert answer.code == 0, answer.err + answer.out
    lines = answer.out.splitlines()
    assert lines[0].startswith("lyq-0001  check   ok")
    assert lines[1] == "lyq-0001  start   24 steps, 4 images, 12 epochs"
    assert lines[-1].startswith("lyq-0001  done    runs/lyq-0001/lyq.safetensors  in ")
    return model_hash(project.runs / "lyq-0001" / "lyq.safetensors")


def test_stop_and_resume_end_with_the_same_bits(project: Project, straight_hash: str) -> None:
    run = start_detached(project)
    wait_until(lambda: load_view(run).step >= 3)
    second = lorawiz("run", cwd=project.root)
    assert (second.code, "lyq-0001 is on" in second.err) == (2, True)
    stopped = lorawiz("stop", cwd=project.root)
    assert stopped.code == 0, stopped.err
    assert "stopped" in stopped.out
    assert "lorawiz run --resume lyq-0001" in stopped.out
    state = json.loads(lorawiz("status", "--json", cwd=project.root).out)[0]
    assert state["state"] == "stopped"
    assert state["state_step"] == state["step"] < 24
    wait_until(lambda: not trainer_pids(run), 20)
    resumed = lorawiz("run", "--resume", cwd=project.root)
    assert resumed.code == 0, resumed.err + resumed.out
    assert f"going on behind step {state['step']}" in resumed.out
    assert model_hash(run.path / "lyq.safetensors") == straight_hash
    assert "no run to resume" in lorawiz("run", "--resume", cwd=project.root).err


def test_a_killed_run_is_told_as_killed_and_resumes_to_the_same_bits(
    project: Project, straight_hash: str
) -> None:
    run = start_detached(project)
    wait_until(lambda: load_view(run).state_step is not None)
    for pid in trainer_pids(run):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: load_view(run).state() == "killed")
    assert "killed" in lorawiz("status", cwd=project.root).out
    assert "lorawiz run --resume" in lorawiz("logs", cwd=project.root).out
    project.spec.write_text(project.spec.read_text().replace("1e-3", "5e-3"))
    resumed = lorawiz("run", "--resume", cwd=project.root)
    assert resumed.code == 0, resumed.err + resumed.out
    assert "goes on with its own frozen spec" in resumed.err
    assert model_hash(run.path / "lyq.safetensors") == straight_hash


def test_a_run_is_paused_saved_and_goes_on_to_the_same_bits(
    project: Project, straight_hash: str
) -> None:
    run = start_detached(project)
    wait_until(lambda: load_view(run).step >= 2)
    paused = lorawiz("pause", cwd=project.root)
    assert paused.code == 0, paused.err
    step = load_view(run).step
    assert f"lyq-0001  paused  behind step {step}; lorawiz pause --off goes on" in paused.out
    assert "paused" in lorawiz("status", cwd=project.root).out
    assert "lorawiz pause --off" in lorawiz(cwd=project.root).out
    request(run, "save")
    saved = run.path / f"lyq-s{step:06d}.safetensors"
    wait_until(saved.is_file)
    assert load_view(run).state_step == load_view(run).step == step
    # it holds without load
    trainer = psutil.Process(
        next(e["pid"] for e in read_events(run.journal) if e["event"] == "start")
    )
    before = sum(trainer.cpu_times()[:2])
    time.sleep(1.0)
    assert sum(trainer.cpu_times()[:2]) - before < 0.2
    on = lorawiz("pause", "--off", "lyq-0001", cwd=project.root)
    assert (on.code, on.out.split()) == (0, ["lyq-0001", "running"])
    wait_until(lambda: load_view(run).outcome is not None)
    assert load_view(run).state() == "finished"
    assert model_hash(run.path / "lyq.safetensors") == straight_hash
    again = lorawiz("pause", cwd=project.root)
    assert (again.code, "lyq-0001 is not on: finished" in again.err) == (2, True)


def test_a_paused_run_that_is_killed_resumes_where_it_held(
    project: Project, straight_hash: str
) -> None:
    run = start_detached(project)
    wait_until(lambda: load_view(run).step >= 1)
    assert lorawiz("pause", cwd=project.root).code == 0
    step = load_view(run).step
    for pid in trainer_pids(run):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: load_view(run).state() == "killed")
    resumed = lorawiz("run", "--resume", cwd=project.root)
    assert resumed.code == 0, resumed.err + resumed.out
    assert f"going on behind step {step}" in resumed.out
    assert model_hash(run.path / "lyq.safetensors") == straight_hash


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_saves_and_leaves_no_orphan(
    project: Project, straight_hash: str, number: signal.Signals
) -> None:
    run = start_detached(project)
    wait_until(lambda: load_view(run).step >= 2)
    launcher = next(e["pid"] for e in read_events(run.journal) if e["event"] == "launch")
    os.killpg(launcher, number)
    wait_until(lambda: load_view(run).outcome is not None, 30)
    view = load_view(run)
    assert view.state() == "stopped"
    assert view.state_step == view.step
    assert number.name in view.message
    wait_until(lambda: not trainer_pids(run), 20)
    assert lorawiz("run", "--resume", cwd=project.root).code == 0
    assert model_hash(run.path / "lyq.safetensors") == straight_hash


def test_a_closed_terminal_leaves_the_run_going(project: Project, straight_hash: str) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        os.execv(sys.executable, [sys.executable, "-m", "lorawiz", "run", "--plain"])
    wait_until((project.runs / "lyq-0001" / "journal.jsonl").exists)
    run = find_run(project)
    wait_until(lambda: load_view(run).step >= 1)
    os.close(terminal)
    os.waitpid(pid, 0)
    assert load_view(run).outcome is None
    attached = lorawiz("attach", cwd=project.root)
    assert attached.code == 0, attached.err
    assert "lyq-0001  done " in attached.out
    assert model_hash(run.path / "lyq.safetensors") == straight_hash


def test_a_failing_run_says_why_and_exits_with_2(project: Project) -> None:
    image = sorted(project.images.iterdir())[0]
    process = subprocess.Popen(
        [sys.executable, "-m", "lorawiz", "run"],
        cwd=project.root,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until((project.runs / "lyq-0001" / "manifest.json").exists)
    image.write_bytes(b"changed while the trainer was starting")
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "failed" in out
    assert "not the file that was added" in out


def test_the_lora_loads_in_diffusers_with_no_key_left_over(
    project: Project, tiny_base: Path
) -> None:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from safetensors.torch import load_file

    assert lorawiz("run", cwd=project.root).code == 0
    path = project.runs / "lyq-0001" / "lyq.safetensors"
    state, alphas = StableDiffusionPipeline.lora_state_dict(path, local_files_only=True)
    tensors = load_file(path)
    assert len(tensors) == 3 * (192 + 12)
    # every matrix of the file arrives, none is dropped or renamed to nothing
    assert len(state) == 2 * (192 + 12)
    assert len(alphas) == 192 + 12
    unet = UNet2DConditionModel.from_pretrained(tiny_base, subfolder="unet", local_files_only=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        StableDiffusionPipeline.load_lora_into_unet(state, alphas, unet, low_cpu_mem_usage=False)
    key = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    layer = unet.get_submodule(key)
    ours = tensors[f"lora_unet_{key.replace('.', '_')}.lora_up.weight"]
    loaded = next(iter(layer.lora_B.values())).weight
    assert torch.equal(loaded.to(ours.dtype), ours)
    scaling = next(iter(layer.scaling.values()))
    assert scaling == pytest.approx(0.5)  # alpha 2 / dim 4
