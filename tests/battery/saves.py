"""What must hold of a save that is interrupted: checks that planted faults turn red."""

import errno
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from lorawiz.runs.states import MANIFEST, find_newest_state, list_states, state_path
from lorawiz.train.averaging import MovingAverage
from tests.battery.children import FAILED, count_in_child, die, run_child, strike
from tests.train.test_state import Training, make_spec

SCHEDULER = {
    "lr_scheduler": "torch.optim.lr_scheduler.CosineAnnealingLR",
    "lr_scheduler_args": {"T_max": 6},
}


def train_to(step: int, folder: Path | None = None) -> Training:
    """A small training behind `step`; every second state is saved on the way."""
    training = Training(make_spec(learning_rate=0.1, **SCHEDULER))
    training.average = MovingAverage(training.network, 0.5)
    go_on(training, 1, step, folder)
    return training


def go_on(training: Training, first: int, last: int, folder: Path | None = None) -> None:
    for step in range(first, last + 1):
        training.train(step, step)
        assert training.average is not None
        training.average.update(step)
        if folder is not None and step % 2 == 0:
            training.save(folder, step)


def bits(training: Training) -> list[bytes]:
    """Weights, optimizer, rates and averages."""
    assert training.average is not None
    averages = training.average.tensors().values()
    return [*training.bits(), *(average.numpy().tobytes() for average in averages)]


def restore(folder: Path) -> tuple[int, list[bytes]]:
    """The step of the newest whole state, and what training has when it goes on from it."""
    found, damaged = find_newest_state(folder)
    assert found is not None, "no state is left"
    assert damaged == [], f"a state was left half written: {damaged}"
    training = train_to(0)
    training.restore(folder)
    return found.step, bits(training)


def check_kills(tmp_path: Path) -> int:
    """SIGKILL at every file operation of a save (K2): the newest state is the old or the new one.

    Returns how many there are.
    """
    ready = tmp_path / "ready"
    training = train_to(4, ready)
    wanted = {4: bits(train_to(4)), 6: bits(train_to(6))}
    go_on(training, 5, 6)
    seen = set()
    total = count_in_child(
        tmp_path / "count", lambda: save_into(training, ready, tmp_path / "count")
    )
    for at in range(1, total + 1):
        folder = tmp_path / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ready, folder)

        def save_and_die(at: int = at, folder: Path = folder) -> int:
            strike(folder, at, die)
            training.save(folder, 6)
            return 0

        assert run_child(save_and_die) == -9
        step, found = restore(folder)
        assert found == wanted[step], f"killed at operation {at}: state {step} is a mix"
        seen.add(step)
        training.save(folder, 6)
        assert [path.name for path in sorted(folder.iterdir())] == [
            "step-00000004",
            "step-00000006",
        ]
    assert seen == {4, 6}
    return total


def check_errors(tmp_path: Path, number: int) -> int:
    """An error of the disk at every file operation of a save (K3): the old state is intact, and
    nothing half written is left. Returns how many there are."""
    ready = tmp_path / "ready"
    training = train_to(4, ready)
    go_on(training, 5, 6)
    total = count_in_child(
        tmp_path / "count", lambda: save_into(training, ready, tmp_path / "count")
    )

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    num_told = 0
    for at in range(1, total + 1):
        folder = tmp_path / "failed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ready, folder)

        def save_or_tell(at: int = at, folder: Path = folder) -> int:
            strike(folder, at, fail)
            try:
                training.save(folder, 6)
            except OSError as error:
                return FAILED if error.errno == number else 1
            return 0

        code = run_child(save_or_tell)
        assert code in (0, FAILED)
        num_told += code == FAILED
        step, _ = restore(folder)
        assert step == 6 or code == FAILED, "a save that failed said nothing"
        assert not list(folder.glob("*.tmp")), f"left at operation {at}"
    assert num_told >= total // 2
    return total


def save_into(training: Training, ready: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    # copied before it is counted: copies are operations of the test
    run_child(lambda: int(shutil.copytree(ready, folder) is None))
    training.save(folder, 6)


def check_order(tmp_path: Path) -> None:
    """Every file is on the disk before the rename, and the folder after it."""
    told: list[tuple[str, str]] = []
    folder = tmp_path / "ordered"

    def save() -> int:
        fsync = os.fsync

        def tell_fsync(fd: Any) -> None:
            told.append(("fsync", str(Path(f"/proc/self/fd/{fd}").readlink())))
            fsync(fd)

        def tell(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "os.rename" and str(folder) in str(arguments[0]):
                told.append(("rename", str(arguments[1])))

        training = train_to(2)
        os.fsync = tell_fsync
        sys.addaudithook(tell)
        training.save(folder, 2)
        target = state_path(folder, 2)
        renamed = told.index(("rename", str(target)))
        before = {Path(path).name for _, path in told[:renamed]}
        complete = before >= {path.name for path in target.iterdir()}
        durable = ("fsync", str(folder)) in told[renamed:]
        return 0 if complete and durable else 1

    assert run_child(save) == 0, "a rename went before what it renames was on the disk"


def check_resume(tmp_path: Path) -> None:
    """What goes on from a state ends where an uninterrupted training does, to the bit."""
    folder = tmp_path / "resumed"
    straight = train_to(6)
    train_to(4, folder)
    resumed = train_to(0)
    resumed.restore(folder)
    go_on(resumed, 5, 6)
    assert bits(resumed) == bits(straight)


def damage_every_way(path: Path) -> list[tuple[str, bytes | None]]:
    """(what was done, the bytes then) of each way to damage a file; None is no file."""
    data = path.read_bytes()
    cuts = sorted({len(data) * part // 16 for part in range(16)} - {len(data)})
    flips = sorted({len(data) * part // 64 for part in range(64)}) if data else []
    ways: list[tuple[str, bytes | None]] = [("gone", None)]
    ways += [(f"cut to {cut}", data[:cut]) for cut in cuts]
    for at in flips:
        flipped = bytearray(data)
        flipped[at] ^= 0x10
        ways.append((f"flipped at {at}", bytes(flipped)))
    return ways


def check_damage(tmp_path: Path) -> int:
    """Every damage of the newest state is seen, and the one before is used (K6)."""
    folder = tmp_path / "damaged"
    train_to(4, folder)
    assert len(list_states(folder)) == 2
    count = 0
    for path in sorted(state_path(folder, 4).iterdir()):
        whole = path.read_bytes()
        for done, data in damage_every_way(path):
            path.unlink()
            if data is not None:
                path.write_bytes(data)
            found, damaged = find_newest_state(folder)
            # a manifest may be damaged where it says nothing: white space between its words
            is_same = path.name == MANIFEST and found is not None and found.step == 4
            assert is_same or (found is not None and found.step == 2), f"{path.name} {done}"
            assert is_same or len(damaged) == 1
            path.write_bytes(whole)
            count += 1
    return count


ENOSPC, EIO = errno.ENOSPC, errno.EIO
