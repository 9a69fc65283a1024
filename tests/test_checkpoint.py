"""Checkpoints: resume is exact, whatever ends a run; and no accident costs the last good one."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_trainer import Tiny, TinyBatches, digest

from t2ilab import durable
from t2ilab.errors import DataError, TrainingError, UsageError
from t2ilab.fit import fit, strips
from t2ilab.fit.folder import Folder

PLAIN = {"device": "cpu", "precision": "32-true", "show": False}
SCRIPT = Path(__file__).with_name("tiny_trainer.py")


def files(folder):
    return sorted(x.name for x in folder.iterdir())


def step_of(path):
    return torch.load(path, weights_only=True)["step"]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_resume_is_exact(tmp_path, precision):
    options = {"device": "cpu", "precision": precision, "steps": 30, "show": False}
    whole, first, second = Tiny(), Tiny(stop_at=13), Tiny(seed=1)
    straight = fit(whole, TinyBatches(), **options)
    assert fit(first, TinyBatches(), out=tmp_path, **options).stopped == "signal"
    resumed = fit(second, TinyBatches(), out=tmp_path, resume=True, **options)
    assert digest(second) == digest(whole) != digest(first)
    assert resumed.steps == 30 and resumed.stopped == "steps"
    same = ["step", "d", "g"]
    assert resumed.history[same].equals(straight.history[same])
    assert resumed.history["seconds"].is_monotonic_increasing
    for (step, x), (again, y) in zip(resumed.strips, straight.strips, strict=True):
        assert step == again and np.array_equal(x, y)


def test_a_run_leaves_its_files_and_nothing_else(tmp_path):
    fitted = fit(Tiny(), TinyBatches(), steps=7, out=tmp_path / "run", **PLAIN)
    assert files(fitted.out) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
        "history.csv",
        "strips.npz",
    ]
    lines = (fitted.out / "history.csv").read_text().splitlines()
    assert lines[0] == "step,seconds,d,g" and len(lines) == 8
    assert step_of(fitted.out / "checkpoint.pt") == 7
    assert step_of(fitted.out / "checkpoint.previous.pt") == 0


def test_a_finished_run_resumes_to_itself_and_to_a_larger_budget(tmp_path):
    fit(Tiny(), TinyBatches(), steps=5, out=tmp_path, **PLAIN)
    trainer = Tiny(seed=1)
    again = fit(trainer, TinyBatches(), steps=5, out=tmp_path, resume=True, **PLAIN)
    assert (again.steps, trainer.done, len(again.history)) == (5, 5, 5)
    more = fit(Tiny(), TinyBatches(), steps=8, out=tmp_path, resume=True, **PLAIN)
    assert more.steps == 8 and more.history["step"].tolist() == list(range(1, 9))
    timed = fit(Tiny(), TinyBatches(), minutes=60, steps=9, out=tmp_path, resume=True, **PLAIN)
    assert timed.steps == 9 and timed.seconds > more.seconds


def start(out, **options):
    words = [x for k, v in options.items() for x in (f"--{k.replace('_', '-')}", str(v))]
    command = [sys.executable, str(SCRIPT), "--out", str(out), *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def wait_for_step(process, out, step):
    """Until a checkpoint of at least `step` is there."""
    for _ in range(30_000):  # ten minutes: a machine may be busy
        if process.poll() is not None:
            raise AssertionError(process.stdout.read())
        if (out / "checkpoint.pt").exists() and step_of(out / "checkpoint.pt") >= step:
            return
        time.sleep(0.02)
    raise AssertionError("no checkpoint came")


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_killed_run_goes_on_exactly_and_is_locked_while_it_runs(tmp_path, one_thread):
    out = tmp_path / "run"
    process = start(out, steps=200, sleep=0.1, precision="bf16-mixed")
    try:
        wait_for_step(process, out, 5)
        with pytest.raises(
            TrainingError, match=f"another run is writing .*process {process.pid} on"
        ):
            fit(Tiny(), TinyBatches(), steps=200, out=out, resume=True, **PLAIN)
    finally:
        process.kill()
        process.communicate()
    assert "lock" in files(out) and 5 <= step_of(out / "checkpoint.pt") < 200
    options = {"device": "cpu", "precision": "bf16-mixed", "steps": 200, "show": False}
    resumed, whole = Tiny(seed=1), Tiny()
    fit(resumed, TinyBatches(), out=out, resume=True, **options)
    fit(whole, TinyBatches(), **options)
    assert digest(resumed) == digest(whole)
    assert files(out) == ["checkpoint.previous.pt", "checkpoint.pt", "history.csv", "strips.npz"]


def test_sigterm_saves_and_says_how_to_go_on(tmp_path, one_thread):
    out = tmp_path / "run"
    process = start(out, steps=200, sleep=0.1, save_every=0.2)
    try:
        wait_for_step(process, out, 3)
        process.send_signal(signal.SIGTERM)
        words, _ = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 0 and "stopped: signal" in words
    step = step_of(out / "checkpoint.pt")
    assert f"stopped by SIGTERM after step {step}; the checkpoint is in {out}" in words
    assert f"resume=True (on the command line: --resume {out})" in words
    resumed, whole = Tiny(seed=1), Tiny()
    fit(resumed, TinyBatches(), steps=200, out=out, resume=True, **PLAIN)
    fit(whole, TinyBatches(), steps=200, **PLAIN)
    assert digest(resumed) == digest(whole)


def test_a_bad_loss_leaves_the_last_good_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match="at step 17.*checkpoint .* from before, and untouched"):
        fit(Tiny(nan_at=17), TinyBatches(), steps=50, out=tmp_path, save_every_s=0, **PLAIN)
    assert step_of(tmp_path / "checkpoint.pt") == 16
    assert fit(Tiny(), TinyBatches(), steps=50, out=tmp_path, resume=True, **PLAIN).steps == 50


def test_weights_that_are_not_finite_are_not_saved_though_all_losses_were(tmp_path):
    class Breaks(Tiny):
        def step(self, batch):
            losses = super().step(batch)
            if self.done == 5:
                with torch.no_grad():
                    self.G.module[0].weight[0, 0] = torch.nan
            return losses

    with pytest.raises(TrainingError, match=r"'G\.0\.weight' .* no longer finite after step 5"):
        fit(Breaks(), TinyBatches(), steps=5, out=tmp_path, **PLAIN)
    assert step_of(tmp_path / "checkpoint.pt") == 0


def test_folders_are_never_taken_over(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        TrainingError, match=r"not empty \(notes.txt\), and nothing in it was touched"
    ):
        fit(Tiny(), TinyBatches(), steps=1, out=tmp_path, **PLAIN)
    with pytest.raises(UsageError, match="no checkpoint.pt to resume from, but notes.txt"):
        fit(Tiny(), TinyBatches(), steps=1, out=tmp_path, resume=True, **PLAIN)
    with pytest.raises(UsageError, match="is a file"):
        fit(Tiny(), TinyBatches(), steps=1, out=tmp_path / "notes.txt", **PLAIN)
    with pytest.raises(UsageError, match="no folder .* to resume from"):
        fit(Tiny(), TinyBatches(), steps=1, out=tmp_path / "typo", resume=True, **PLAIN)
    with pytest.raises(UsageError, match="resume=True needs out"):
        fit(Tiny(), TinyBatches(), steps=1, resume=True, **PLAIN)
    assert files(tmp_path) == ["notes.txt"]


def test_a_folder_with_a_run_says_how_to_resume(tmp_path):
    fit(Tiny(), TinyBatches(), steps=1, out=tmp_path, **PLAIN)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(TrainingError, match="resume=True .* goes on from there"):
        fit(Tiny(), TinyBatches(), steps=2, out=tmp_path, **PLAIN)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_resume_in_an_empty_folder_begins(tmp_path):
    """A job that is requeued makes the same call again, even if it was killed very early."""
    (tmp_path / f".checkpoint.pt.99{durable.SUFFIX}").write_bytes(b"half")
    assert fit(Tiny(), TinyBatches(), steps=2, out=tmp_path, resume=True, **PLAIN).steps == 2
    assert not list(tmp_path.glob(".*"))


def test_one_run_a_folder_and_a_lock_file_left_behind_is_no_obstacle(tmp_path):
    (tmp_path / "lock").write_text("of a dead run")
    first, second = (Folder(tmp_path, resume=True) for _ in range(2))
    first.claim()
    with pytest.raises(TrainingError, match=f"another run .*process {os.getpid()} on"):
        second.claim()
    first.release()
    assert files(tmp_path) == []
    second.claim()
    second.release()
    second.release()


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS])
def test_file_systems_without_locks(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(number, "not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    first, second = (Folder(tmp_path, resume=True) for _ in range(2))
    first.claim()
    with pytest.raises(TrainingError, match="another run"):
        second.claim()
    first.release()
    second.claim()
    second.release()
    assert files(tmp_path) == []


class FullDisk(io.BufferedWriter):
    """A disk that is full after so many bytes."""

    room = 5000

    def write(self, data):
        if self.tell() + len(data) > FullDisk.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def full_disk(monkeypatch):
    monkeypatch.setattr(
        durable, "open", lambda path, mode: FullDisk(io.FileIO(path, mode)), raising=False
    )


def test_a_full_disk_at_the_end_is_an_error_and_the_last_checkpoint_stays(tmp_path, monkeypatch):
    fit(Tiny(), TinyBatches(), steps=3, out=tmp_path, **PLAIN)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    full_disk(monkeypatch)
    with pytest.raises(
        TrainingError, match="No space left.*checkpoint, of step 3, is still there"
    ) as caught:
        fit(Tiny(), TinyBatches(), steps=6, out=tmp_path, resume=True, **PLAIN)
    assert caught.value.fitted.steps == 6
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_a_full_disk_on_the_way_is_a_warning(tmp_path, monkeypatch):
    class Frees(Tiny):
        def step(self, batch):
            if self.done == 2:
                full_disk(monkeypatch)
            if self.done == 4:
                monkeypatch.undo()
            return super().step(batch)

    with pytest.warns(UserWarning, match="No space left.*of step 2, is still there.*goes on"):
        fit(Frees(), TinyBatches(), steps=6, out=tmp_path, save_every_s=0, **PLAIN)
    assert step_of(tmp_path / "checkpoint.pt") == 6
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_at_the_start_is_an_error_before_any_step(tmp_path, monkeypatch):
    full_disk(monkeypatch)
    trainer = Tiny()
    with pytest.raises(TrainingError, match="No space left"):
        fit(trainer, TinyBatches(), steps=6, out=tmp_path, **PLAIN)
    assert trainer.done == 0 and files(tmp_path) == []


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    place = data.index(b"data/0") + 2000  # inside the first tensor, where only a checksum can tell
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("damage", "words"), [(cut, "cut short"), (flip, "checksum"), (lambda data: b"", "cut short")]
)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_named(tmp_path, damage, words):
    fit(Tiny(stop_at=4), TinyBatches(), steps=6, out=tmp_path, **PLAIN)
    fit(Tiny(), TinyBatches(), steps=6, out=tmp_path, resume=True, **PLAIN)
    path = tmp_path / "checkpoint.pt"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(TrainingError, match=f"damaged .*{words}.*of step 4, is whole: rename"):
        fit(Tiny(), TinyBatches(), steps=6, out=tmp_path, resume=True, **PLAIN)
    assert path.read_bytes() == damaged
    (tmp_path / "checkpoint.previous.pt").rename(path)
    assert fit(Tiny(), TinyBatches(), steps=6, out=tmp_path, resume=True, **PLAIN).steps == 6


def test_a_checkpoint_with_nothing_whole_beside_it_and_one_of_something_else(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"no")
    with pytest.raises(TrainingError, match="no whole one beside it"):
        fit(Tiny(), TinyBatches(), steps=6, out=tmp_path, resume=True, **PLAIN)
    torch.save({"weights": torch.ones(3)}, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match="no checkpoint of this version"):
        fit(Tiny(), TinyBatches(), steps=6, out=tmp_path, resume=True, **PLAIN)


def test_a_checkpoint_of_another_trainer_is_refused(tmp_path):
    class Other(Tiny):
        pass

    fit(Tiny(), TinyBatches(), steps=1, out=tmp_path, **PLAIN)
    with pytest.raises(TrainingError, match="made by Tiny, and this is Other"):
        fit(Other(), TinyBatches(), steps=2, out=tmp_path, resume=True, **PLAIN)
    with pytest.raises(TrainingError, match=r"does not fit this Tiny: [\s\S]*size mismatch"):
        fit(Tiny(width=8), TinyBatches(), steps=2, out=tmp_path, resume=True, **PLAIN)


def test_states_that_could_not_be_loaded_are_refused_before_any_step(tmp_path):
    class Wrong(Tiny):
        def state_dict(self):
            return super().state_dict() | {"more": [1, {"mean": np.zeros(3)}]}

    trainer = Wrong()
    with pytest.raises(TrainingError, match=r"state_dict\(\)\['more.1.mean'\] .* type ndarray"):
        fit(trainer, TinyBatches(), steps=1, out=tmp_path, **PLAIN)
    assert trainer.done == 0


def test_strips_that_are_missing_or_damaged_are_named(tmp_path):
    with pytest.raises(DataError, match="has no strips.npz"):
        strips.read(tmp_path)
    (tmp_path / "strips.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="strips.npz is damaged"):
        strips.read(tmp_path)
