"""Writing: whole or not at all, pairs together, devices left alone, and nothing left behind."""

import errno
import fcntl
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from t2ilab import durable
from t2ilab.durable import SUFFIX, aside, remove_leftovers, replacing, replacing_all


class FullDisk(io.BufferedWriter):
    """A disk with room for ten bytes of each file."""

    def write(self, data):
        if self.tell() + len(data) > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.fixture
def pair(tmp_path):
    paths = tmp_path / "a.safetensors", tmp_path / "a.json"
    for path in paths:
        path.write_bytes(b"old")
    return paths


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_that_belong_together_are_replaced_together(pair):
    with replacing_all(*pair) as (tensors, words):
        tensors.write(b"new")
        words.write(b"words")
        assert [path.read_bytes() for path in pair] == [b"old", b"old"]
    assert contents(pair[0].parent) == {"a.safetensors": b"new", "a.json": b"words"}


@pytest.mark.parametrize("too_long", [0, 1])
def test_a_full_disk_at_either_file_leaves_both_as_they_were(pair, too_long, monkeypatch):
    monkeypatch.setattr(durable, "open", lambda p, m: FullDisk(io.FileIO(p, m)), raising=False)
    with pytest.raises(OSError, match="No space left"), replacing_all(*pair) as sinks:
        for number, sink in enumerate(sinks):
            sink.write(b"x" * (11 if number == too_long else 5))
    assert contents(pair[0].parent) == {"a.safetensors": b"old", "a.json": b"old"}


def test_an_error_in_the_block_and_a_target_that_is_a_folder_change_nothing(pair, tmp_path):
    with pytest.raises(KeyError), replacing_all(*pair) as (tensors, _):
        tensors.write(b"new")
        raise KeyError("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError), replacing_all(pair[0], tmp_path / "folder"):
        pass
    (tmp_path / "folder").rmdir()
    assert contents(tmp_path) == {"a.safetensors": b"old", "a.json": b"old"}


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "ours"):
        pass
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("length", [1, 40, 251, 255])
def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path, length):
    with replacing(tmp_path / ("ä" * (length // 2) + "x" * (length % 2))) as file:
        file.write(b"long")
    assert list(contents(tmp_path).values()) == [b"long"]


def test_two_threads_may_write_the_same_file(tmp_path):
    def write(byte):
        for _ in range(20):
            with replacing(tmp_path / "file") as file:
                file.write(byte * 1000)

    threads = [threading.Thread(target=write, args=(byte,)) for byte in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(tmp_path)["file"] in (b"a" * 1000, b"b" * 1000) and len(contents(tmp_path)) == 1


# ------------------------------------------------------------------------------- links and devices


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "link.csv", tmp_path / "there" / "runs.csv"
    link.symlink_to("there/runs.csv")
    for text in (b"made", b"replaced"):  # the first time the link leads nowhere yet
        with replacing(link) as file:
            file.write(text)
        assert link.is_symlink() and contents(target.parent) == {"runs.csv": text}


def test_a_link_that_leads_to_itself_is_an_error(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"), replacing(tmp_path / "loop"):
        pass
    assert (tmp_path / "loop").is_symlink()


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said = []
    reader = threading.Thread(target=lambda: said.append(pipe.read_bytes()))
    reader.start()
    with replacing(pipe) as file:
        file.write(b"row")
    reader.join(10)
    assert said == [b"row"] and pipe.is_fifo()


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_device_is_written_to_and_stays_a_device(through_a_link, tmp_path):
    """A terminal's, for among those no file could be made: the machine's own are safe here."""
    ours, theirs = os.openpty()
    device = path = Path(os.ttyname(theirs))
    if through_a_link:
        path = tmp_path / "link"
        path.symlink_to(device)
    with replacing(path) as file:
        file.write(b"row")
    assert os.read(ours, 10) == b"row"
    assert device.is_char_device() and path.is_symlink() == through_a_link
    os.close(ours)
    os.close(theirs)


# --------------------------------------------------------------------------------------- leftovers

KILLED = (
    "import os, signal, sys; from pathlib import Path; from t2ilab.durable import replacing\n"
    "with replacing(Path(sys.argv[1])) as file:\n"
    "    file.write(b'x' * 100_000); os.kill(os.getpid(), signal.SIGKILL)"
)


def half_written(folder):
    return list(folder.glob(f"**/.*{SUFFIX}"))


def kill_a_writer(path):
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)]).returncode == -9


def test_the_next_writer_sweeps_up_after_a_killed_one_and_spares_a_living_one(tmp_path):
    kill_a_writer(tmp_path / "killed")
    (left,) = half_written(tmp_path)
    with replacing(tmp_path / "living") as living:  # sweeps, for it is the next
        assert not left.exists()
        (its,) = half_written(tmp_path)
        with replacing(tmp_path / "third"):
            pass
        assert half_written(tmp_path) == [its]
        living.write(b"whole")
    assert contents(tmp_path) == {"living": b"whole", "third": b""}


def test_sub_folders_are_swept_where_asked_and_other_files_stay(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / ".notes.partial").touch()  # another program's
    kill_a_writer(tmp_path / "run" / "checkpoint.pt")
    remove_leftovers(tmp_path)
    assert len(half_written(tmp_path)) == 1
    remove_leftovers(tmp_path, below="*/")
    assert half_written(tmp_path) == [] and (tmp_path / ".notes.partial").exists()


def test_without_file_locks_only_what_is_old_is_swept(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = tmp_path / f".file.0{SUFFIX}"
    left.touch()
    with replacing(tmp_path / "file") as file:
        file.write(b"whole")
    assert left.exists() and (tmp_path / "file").read_bytes() == b"whole"
    os.utime(left, (time.time() - 2 * durable.ABANDONED,) * 2)
    remove_leftovers(tmp_path)
    assert not left.exists()


def test_a_sweep_between_opening_and_locking_costs_the_writer_only_a_second_try(
    tmp_path, monkeypatch
):
    lock, tries = durable._lock, []

    def swept(file):
        tries.append(file.name)
        if len(tries) == 1:
            os.unlink(file.name)
        return lock(file)

    monkeypatch.setattr(durable, "_lock", swept)
    with replacing(tmp_path / "file") as file:
        file.write(b"whole")
    assert len(tries) == 2 and contents(tmp_path) == {"file": b"whole"}


def test_a_file_aside_may_be_mapped_by_its_name(tmp_path):
    import numpy as np

    with aside(tmp_path / "pictures.npy") as (file,):
        array = np.lib.format.open_memmap(file.name, "w+", np.uint8, (3, 2))
        array[:] = 7
        array.flush()
    assert np.load(tmp_path / "pictures.npy").tolist() == [[7, 7]] * 3
    assert os.listdir(tmp_path) == ["pictures.npy"]
