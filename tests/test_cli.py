"""The command line: what it prints where, its exit statuses, and what bad input gets."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from t2ilab import runs
from t2ilab.cli import main
from t2ilab.commands import listing, notebooks, pictures
from t2ilab.recipes import text_gan
from t2ilab.runs import notebook as notebooks_module
from t2ilab.systems import weights

TINY = Path(__file__).parent / "notebooks_for_tests" / "tiny.ipynb"
CAPTION = "a small red bird with blue wings"
SMOKE = ("--world", "birds", "--profile", "smoke", "--width", "4", "--device", "cpu")


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


def refused(*words, status=2):
    """The message of a call that must fail with this status, without results or a traceback."""
    done = call(*words)
    assert (done.exit_code, done.stdout) == (status, ""), done.output
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("T2ILAB_PROFILE", "T2ILAB_DEBUG", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module", autouse=True)
def own_runs(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2ILAB_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """The file of an untrained caption encoder that knows the words of birds."""
    import torch

    from t2ilab.data import paperworld
    from t2ilab.systems.encoders import TrainedEncoder
    from t2ilab.text.encoders import MeanVectorEncoder
    from t2ilab.text.tokens import Vocabulary

    torch.manual_seed(0)
    said = paperworld.world("birds").load("train", 32, 256).captions
    words = Vocabulary.of(caption for captions in said for caption in captions)
    made = MeanVectorEncoder(words, text=16, word=8)
    about = {"command": "none", "data": "none", "seconds": 0, "measured": {}}
    return TrainedEncoder(made).save(tmp_path_factory.mktemp("encoder"), "encoder-tiny", **about)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, encoder):
    """What `t2ilab train` did, and its folder."""
    out = tmp_path_factory.mktemp("trained") / "run"
    words = ("train", "gan_int_cls", *SMOKE, "--steps", 3, "--encoder", encoder, "--out", out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_gan, "measure", lambda *_, **__: {"consistency_all": 0.25})
        done = call(*words)
    assert done.exit_code == 0, done.output
    return done, out


@pytest.fixture
def unmeasured(monkeypatch):
    """Measuring what a few steps taught takes longer than the steps."""
    monkeypatch.setattr(text_gan, "measure", lambda *_, **__: {})


# --- help, names, statuses

COMMANDS = ("lab", "list", "run", "sweep", "table", "train", "sample", "evaluate", "doctor")


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_shows_an_example(command):
    done = call(*command, "--help")
    assert done.exit_code == 0 and done.stderr == ""
    assert " ".join(["  t2ilab", *command]) in done.stdout.split("Example")[-1]


def test_help_names_every_system_and_the_options_of_each():
    from dataclasses import fields

    from t2ilab.catalogue import CATALOGUE, recipe

    said = call("train", "--help").stdout
    for name, entry in CATALOGUE.items():
        assert re.search(rf"\n  {name} +{re.escape(entry.about[:30])}", said)
        help_of = " ".join(call("train", name, "--help").stdout.split())
        for field in fields(recipe(name).Options):
            if field.name == "system" or not field.metadata["shown"]:
                continue
            assert f"--{field.name.replace('_', '-')} " in help_of
            for choice in field.metadata["choices"] or ():
                assert choice in help_of, (name, field.name, choice)


def test_help_is_quick():
    code = (
        "import sys\nfrom t2ilab.cli import main\n"
        "main(['train', '--help'], standalone_mode=False)\n"
        "print([m for m in ('torch', 'numpy', 'pandas', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize(
    ("words", "nearest", "listed"),
    [
        (["trian"], "train", "sample"),
        (["train", "gan_int_clss"], "gan_int_cls", "reader"),
        (["train", "encodr"], "encoder", "gan_cls"),
        (["train", "text_gan", "--world", "bird"], "birds", "scenes"),
        (["train", "text_gan", "--data", "flicker8k", "--root", "."], "flickr8k", "coco"),
        (["train", "text_gan", "--profile", "laptpo"], "laptop", "smoke"),
        (["train", "text_gan", "--recipe", "papr"], "paper", "stable"),
        (["train", "text_gan", "--device", "gpu"], "cpu", "cuda"),
        (["sample", "gan_clss", CAPTION, "-o", "x.png"], "gan_cls", "gan_int"),
        (["sample", "text_gan", CAPTION, "--world", "brids", "-o", "x.png"], "birds", "phrases"),
        (["evaluate", "text_gan", "--world", "flower"], "flowers", "birds"),
        (["run", TINY, "-p", "RAET=1"], "RATE", "SEED"),
        (["run", TINY, "--profile", "smok"], "smoke", "gpu"),
        (["run", TINY, "-p", "DEVICE=cud"], "cuda", "mps"),
        (["sweep", TINY, "-p", "SEEDS=1,2"], "SEED", "RATE"),
    ],
)
def test_an_unknown_name_gets_the_nearest_one_and_the_list(words, nearest, listed):
    said = refused(*words)
    assert f"did you mean '{nearest}'?" in said
    assert listed in said.split("Choose one of")[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", TINY, "-p", "SEED=x"], "parameter SEED: expected a whole number (int), got 'x'"),
        (["sweep", TINY, "-p", "RATE=0.1,much"], "parameter RATE: expected a finite number"),
        (["run", TINY, "-p", "SEED"], "write NAME=VALUE"),
        (["sweep", TINY], "Missing option '-p'"),
        (["sweep", TINY, "-p", "SEED=1,2", "--partition", "gpu"], "add --slurm"),
        (["sweep", TINY, "-p", "SEED=1,2", "--account", "lab"], "--account is what a job asks"),
        (["sweep", TINY, "-p", "SEED=1", "--minutes", "1", "--minutes", "2"], "is given twice"),
        (["run", TINY, "-p", "NAMES={[]:1}"], "parameter NAMES: expected a list"),
        (["run", TINY, "--profile", "smoke", "--profile=gpu"], "--profile is given twice"),
        (["run", TINY, "--out", "~nosuchuser/x"], "write the folder out"),
        (["run", "a" * 300 + ".ipynb"], "more than 255 bytes"),
        (["table", "18", "--csv", "."], "--csv . is a folder"),
        (["table", "18", "--csv", "a", "--csv", "b"], "--csv is given twice"),
        (["table", "~nosuchuser/x"], "write the folder out"),
        (["train"], "say which system to train"),
        (["train", "text_gan", "--size", "48"], "drawn at 32, 64, 128 pixels, not 48"),
        (["train", "text_gan", "--steps", "many"], "'many' is not a valid integer"),
        (["train", "text_gan", "--minutes", "nan"], "finite"),
        (["train", "text_gan", "--steps", "0"], "--steps 0: give a finite number from 1"),
        (["train", "encoder", "--width", "8"], "No such option"),
        (["train", "reader", "--data", "coco"], "No such option"),
        (["train", "text_gan", "--world", "birds", "--data", "coco"], "either --world or --data"),
        (["train", "text_gan", "--data", "coco"], "say which with --root FOLDER"),
        (["train", "text_gan", "--encoder", "no/such.safetensors"], "no/such.safetensors"),
    ],
)
def test_wrong_use_is_said_in_words(words, expected, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert expected in refused(*words)


def test_other_failures_have_status_one(tmp_path, monkeypatch):
    said = refused("table", tmp_path, status=1)
    assert said.startswith("error: no finished runs") and len(said.splitlines()) == 1
    monkeypatch.setenv("T2ILAB_DEBUG", "1")
    done = call("table", tmp_path)
    assert done.exit_code == 1 and "Traceback" in done.stderr and "error: no fin" in done.stderr


def test_ctrl_c_is_quiet(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run", interrupted)
    assert refused("run", TINY, status=130) == "stopped by Ctrl-C\n"


def test_a_closed_pipe_is_quiet():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "t2ilab", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.stderr == "" and done.returncode != 0


# --- train


def test_training_prints_the_weights_and_nothing_else(trained, encoder):
    done, out = trained
    path = out / "gan_int_cls-birds-32.safetensors"
    assert done.stdout == f"{path}\n" and path.exists()
    assert "3 steps" in done.stderr and "loss_d" in done.stderr
    assert "measured: consistency_all 0.25\n" in done.stderr
    said = json.loads(path.with_suffix(".json").read_text())["command"]
    assert said.startswith("t2ilab train gan_int_cls") and "--steps 3" in said
    assert str(encoder.parent) not in said and "encoder-tiny.safetensors" in said


def test_a_folder_that_is_not_empty_is_left_alone(trained, encoder, tmp_path):
    _, out = trained
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    more = (*SMOKE, "--seed", 7, "--steps", 2, "--encoder", encoder, "--out")
    assert "--resume" in refused("train", "gan_int_cls", *more, out, status=1)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}
    (tmp_path / "mine.txt").write_text("precious")
    assert "not empty" in refused("train", "gan_int_cls", *more, tmp_path, status=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_resume_needs_only_the_folder(encoder, tmp_path, unmeasured):
    out = tmp_path / "run"
    first = call("train", "gan_cls", *SMOKE, "--steps", 2, "--encoder", encoder, "--out", out)
    assert first.exit_code == 0, first.output
    assert "began with --seed 0, not 5" in refused("train", "--resume", out, "--seed", 5)
    assert "--width 4, not 8" in refused("train", "gan_cls", "--resume", out, "--width", 8)
    assert "the system gan_cls, not text_gan" in refused("train", "text_gan", "--resume", out)
    assert "leave out --out" in refused("train", "--resume", out, "--out", tmp_path)
    done = call("train", "--resume", out, "--steps", 4)
    assert done.exit_code == 0 and "4 steps" in done.stderr, done.output
    assert json.loads((out / "run.json").read_text())["options"]["steps"] == 4

    (out / "run.json").write_text("{")
    assert "run.json is damaged" in refused("train", "--resume", out, status=1)
    (out / "run.json").unlink()
    assert "has no run.json" in refused("train", "--resume", out)
    again = call("train", "gan_cls", *SMOKE, "--steps", 4, "--encoder", encoder, "--resume", out)
    assert again.exit_code == 0 and (out / "run.json").exists(), again.output
    assert "there is no folder" in refused("train", "--resume", tmp_path / "nowhere")


def test_a_signal_ends_a_run_that_can_go_on(encoder, tmp_path, unmeasured):
    out, errors = tmp_path / "run", tmp_path / "errors"
    command = [sys.executable, "-m", "t2ilab", "train", "text_gan", *SMOKE, "--minutes", "5"]
    command += ["--encoder", str(encoder), "--out", str(out)]
    with open(errors, "w") as stderr:
        run = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        while not (out / "run.json").exists():
            assert run.poll() is None, errors.read_text()
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        printed = run.communicate()[0]
    assert (run.returncode, printed) == (143, "")
    assert f"to go on: t2ilab train --resume {out}" in errors.read_text()
    assert "Traceback" not in errors.read_text()
    done = call("train", "--resume", out, "--steps", 1)
    assert done.exit_code == 0 and done.stdout.endswith("text_gan-birds-32.safetensors\n"), (
        done.output
    )


def test_a_signal_before_there_is_anything_to_resume(monkeypatch, tmp_path):
    from t2ilab.fit import Stopped

    def stopped(*_):
        raise Stopped("stopped while 'encoder' was trained", "SIGINT")

    monkeypatch.setattr(text_gan, "build", stopped)
    said = refused("train", "gan_cls", "--seed", 3, "--out", tmp_path / "run", status=130)
    assert said.startswith("error: stopped while 'encoder'")
    assert "--seed 3 " in said and "--world birds " in said
    assert said.endswith(f" --resume {tmp_path / 'run'}\n")


@pytest.fixture
def photographs(tmp_path):
    """24 pictures of one colour each, laid out as Flickr8k."""
    root = tmp_path / "flickr8k"
    (root / "Flicker8k_Dataset").mkdir(parents=True)
    names = [f"{k}_{k}.jpg" for k in range(24)]
    for k, name in enumerate(names):
        Image.new("RGB", (32, 32), (10 * k, 0, 0)).save(root / "Flicker8k_Dataset" / name)
    lines = [f"{name}#{i}\tA dog runs , number {i} ." for name in names for i in range(5)]
    (root / "Flickr8k.token.txt").write_text("\n".join(lines))
    for part in ("train", "dev", "test"):
        (root / f"Flickr_8k.{part}Images.txt").write_text("\n".join(names))
    return root


def test_two_processes_train_one_model(photographs, encoder, tmp_path):
    out = tmp_path / "run"
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(port),
        "-m",
        "t2ilab",
        "train",
        "gan_cls",
        *SMOKE[2:],
        "--data",
        "flickr8k",
        "--root",
        str(photographs),
        "--steps",
        "2",
        "--out",
        str(out),
        "--encoder",
        str(encoder),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out / 'gan_cls-flickr8k-32.safetensors'}\n"
    assert done.stderr.count("2 steps in") == done.stderr.count("24 of the 24 pictures") == 1
    weights.load(out)  # one process wrote both files: they agree
    assert (out / "run.json").exists()
    again = call("train", "--resume", out, "--steps", 3)
    assert again.exit_code == 0 and "3 steps in" in again.stderr, again.output


def test_what_several_processes_cannot_do(photographs, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    from_ = ("--data", "flickr8k", "--root", photographs, "--profile", "smoke")
    said = refused("train", "gan_cls", *from_, "--out", tmp_path / "run")
    assert "t2ilab train encoder" in said


# --- sample


def draw(out, *more, system="gan_int_cls", caption=CAPTION):
    return ("sample", system, caption, *more, "-o", out)


def opened(path):
    with Image.open(path) as picture:
        return picture.copy()


def test_a_sample_is_a_grid_that_the_seed_decides(trained, tmp_path):
    from_ = ("--weights", trained[1])
    one, two, other = (tmp_path / f"{name}.png" for name in ("one", "two", "other"))
    done = call(*draw(one, "-n", 8, *from_))
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{one}\n", "")
    assert opened(one).size == (4 * 34 - 2, 2 * 34 - 2)
    call(*draw(two, *from_))
    call(*draw(other, "--seed", 1, *from_))
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    inside = np.asarray(opened(one))[:32, :32]
    drawn = pictures._open("gan_int_cls", str(trained[1]), None, None).draw(CAPTION, 1, 0)[0]
    assert np.array_equal(inside, drawn)


def test_unknown_words_are_named_on_stderr(trained, tmp_path):
    done = call(*draw(tmp_path / "a.webp", "--weights", trained[1], caption="a zorgly red bird"))
    assert done.exit_code == 0 and "'zorgly'" in done.stderr and "zorgly" not in done.stdout
    assert (tmp_path / "a.webp").read_bytes()[8:12] == b"WEBP"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("", "empty"),
        ("zorgly blipp", "None of these words is known: 'zorgly', 'blipp'"),
        ("red " * 61, "has 61 words"),
    ],
)
def test_captions_that_cannot_be_drawn(caption, expected, trained, tmp_path):
    words = draw(tmp_path / "a.png", "--weights", trained[1], caption=caption)
    assert expected in refused(*words) and not list(tmp_path.iterdir())


def test_what_is_no_picture_is_not_overwritten(trained, tmp_path):
    from_ = ("--weights", trained[1])
    path = tmp_path / "thesis.png"
    path.write_text("years of work")
    assert "no picture" in refused(*draw(path, *from_)) and path.read_text() == "years of work"
    assert "'.txt'" in refused(*draw(tmp_path / "a.txt", *from_))
    assert "no suffix" in refused(*draw(tmp_path / "a", *from_))
    Image.new("RGB", (2, 2)).save(path)
    assert call(*draw(path, *from_)).exit_code == 0
    assert opened(path).size > (2, 2)
    assert "could not write" in refused(*draw(path / "below.png", *from_), status=1)


def test_weights_that_do_not_fit_are_refused(trained, encoder, tmp_path):
    out = tmp_path / "a.png"
    from_ = ("--weights", trained[1])
    assert "are of gan_int_cls, not of gan_cls" in refused(*draw(out, *from_, system="gan_cls"))
    assert "are for 32 pixels, not 64" in refused(*draw(out, *from_, "--size", 64))
    assert "1 to 1024" in refused(*draw(out, *from_, "-n", 1025))
    assert "of the world birds, not of scenes" in refused(*draw(out, *from_, "--world", "scenes"))
    assert "not 'text_to_image'" in refused(*draw(out, "--weights", encoder), status=1)
    assert "there is no file" in refused(*draw(out, "--weights", tmp_path / "nowhere.safetensors"))
    assert "should hold one" in refused(*draw(out, "--weights", tmp_path), status=1)
    whole = trained[1] / "gan_int_cls-birds-32.safetensors"
    cut = tmp_path / whole.name
    cut.write_bytes(whole.read_bytes()[:-100])
    cut.with_suffix(".json").write_bytes(whole.with_suffix(".json").read_bytes())
    assert "cut short" in refused(*draw(out, "--weights", cut), status=1)
    assert not out.exists()


def test_bundled_weights_are_found_by_system_world_and_size(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    said = refused(*draw(tmp_path / "a.png"))
    assert "no weights of gan_int_cls on birds ship" in said and "t2ilab train gan_int_cls" in said
    loaded = weights.load(trained[1])
    about = {k: v for k, v in loaded.about.items() if k not in ("tensors", "versions")}
    for name, system, size in (("a", "text_gan", 32), ("b", "text_gan", 64), ("c", "gan_cls", 128),
                               ("d", "text_gan", 128)):  # fmt: skip
        own = about | {"system": system, "size": size}
        weights.save(tmp_path, loaded.tensors, own, name=name)  # names do not matter
    assert pictures._bundled("text_gan", "birds", None) == "b"
    assert pictures._bundled("text_gan", "birds", 128) == "d"
    assert pictures._bundled("gan_cls", "birds", None) == "c"
    weights.save(tmp_path, loaded.tensors, about, name="e")
    assert call(*draw(tmp_path / "a.png")).exit_code == 0


def test_a_grid_keeps_every_picture_in_order():
    many = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((10, 4, 4, 3), np.uint8)
    sheet = np.asarray(pictures.grid(many))
    assert sheet.shape == (2 * 6 - 2, 5 * 6 - 2, 3)
    assert [int(sheet[y, x, 0]) for y in (0, 6) for x in range(0, 30, 6)] == list(range(10))


# --- evaluate


@pytest.fixture
def measured(monkeypatch):
    def found(system, options, n):
        print("working")
        return {"consistency_all": 0.5, "fid": float("nan"), "n": n, "world_was": options.world}

    monkeypatch.setattr(text_gan, "measure", found)


def test_an_evaluation_is_clean_json(measured, trained):
    done = call("evaluate", "gan_int_cls", "--weights", trained[1], "-n", 60, "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0 and done.stderr == "working\n"
    assert found["weights"] == "gan_int_cls-birds-32" and found["size"] == 32
    assert (found["fid"], found["n"], found["world_was"]) == (None, 60, "birds")
    text = call("evaluate", "gan_int_cls", "--weights", trained[1]).stdout
    assert "consistency_all  0.5\n" in text and "world_was        birds\n" in text
    assert "write NAME=VALUE" in refused("evaluate", "gan_int_cls", "-p", "width")
    assert "no option of 'train gan_int_cls'" in refused("evaluate", "gan_int_cls", "-p", "x=1")
    assert "20000" in refused("evaluate", "gan_int_cls", "-n", 10**8)


def test_weights_of_a_public_data_set_have_no_world(measured, trained, tmp_path):
    loaded = weights.load(trained[1])
    about = {k: v for k, v in loaded.about.items() if k not in ("tensors", "versions")}
    options = about["more"]["options"]
    del options["world"]
    name = "gan_int_cls-coco-32"
    weights.save(tmp_path / "none", loaded.tensors, about | {"world": ""}, name=name)
    words = ("evaluate", "gan_int_cls", "--weights")
    assert "do not say of which world" in refused(*words, tmp_path / "none")
    options["data"] = "coco"
    weights.save(tmp_path, loaded.tensors, about | {"world": ""}, name=name)
    told = json.loads(call(*words, tmp_path, "--json").stdout)
    assert "world" not in told and told["world_was"] is None  # the weights' data set, and no world
    assert "expected a whole number" in refused(*words, tmp_path, "-p", "size=big")
    assert call("evaluate", "gan_int_cls", "--weights", tmp_path, "--world", "birds").exit_code == 0


# --- notebooks


def test_the_list_tells_what_there_is(tmp_path, monkeypatch, trained):
    cell = (
        "# 18 · Text to image\n\nHow does a *sentence* become a picture? We train one.\n\n"
        "| profile | time |\n|---|---|\n| smoke | 45 s |\n| laptop | 4.5 min |\n"
    )
    book = {"cells": [{"cell_type": "markdown", "source": cell.splitlines(keepends=True)}]}
    (tmp_path / "18_text_to_image.ipynb").write_text(json.dumps(book))
    (tmp_path / "19_broken.ipynb").write_text("{")
    monkeypatch.setattr(notebooks_module, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(weights, "FOLDER", trained[1])
    done = call("list")
    assert done.exit_code == 0 and done.stderr == ""
    assert (
        "18_text_to_image  18 · Text to image · How does a sentence become a picture?"
        " · smoke 0.75 min, laptop 4.5 min"
    ) in done.stdout
    assert "19_broken         (cannot be read)" in done.stdout
    for name in ("gan_int_cls", "birds", "oxford_flowers", "gan_int_cls-birds-32  0."):
        assert name in done.stdout


def test_headline_results_come_from_the_json_beside(tmp_path):
    import torch

    about = {"kind": "tiny", "arguments": {}, "command": "x", "data": "x", "seconds": 1}
    told = {"wing": 0.99, "beak": 0.97, "fid": 12.345}
    one = about | {"measured": told, "headline": ["fid", "gone"]}
    path = weights.save(tmp_path, {"x": torch.ones(2)}, one, name="a")
    assert listing._weights(path) == ("a", "0.0 MB; fid 12.3")
    path = weights.save(tmp_path, {"x": torch.ones(2)}, about | {"measured": told}, name="a")
    assert listing._weights(path) == ("a", "0.0 MB; lowest of 3: beak 0.97")
    path.with_suffix(".json").unlink()
    assert listing._weights(path) == ("a", "0.0 MB")


def test_a_notebook_is_run_and_its_runs_are_tabled(tmp_path):
    done = call("run", TINY, "--profile", "smoke", "-p", "RATE=0.5", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path and done.stdout.count("\n") == 1
    made = json.loads((folder / "metrics.json").read_text())
    assert (made["profile"], made["recorded"]["score"]) == ("smoke", 5)
    csv = tmp_path / "table.csv"
    tabled = call("table", tmp_path, "--by", "RATE,PROFILE", "--metric", "score", "--csv", csv)
    assert tabled.exit_code == 0 and "score" in tabled.stdout, tabled.output
    assert csv.read_text().splitlines()[1].startswith("0.5,smoke,1,5")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "metrics.json").write_text("{")
    again = call("table", tmp_path, "--by", "RATE,PROFILE", "--metric", "score")
    assert (again.exit_code, again.stdout) == (0, tabled.stdout)
    assert "left out: " in again.stderr and "torn" in again.stderr
    assert "unknown metric 'scor'" in refused("table", tmp_path, "--metric", "scor")
    assert "no finished run has" in refused("table", tmp_path, "--where", "SEED=9", status=1)
    assert "could not write" in refused("table", tmp_path, "--csv", csv / "below.csv", status=1)


def test_a_sweep_passes_everything_on(monkeypatch, tmp_path):
    asked = {}

    def swept(notebook, values, **options):
        print("2 combinations")
        asked.update(options, values=values)
        return [tmp_path / "a", tmp_path / "b"]

    monkeypatch.setattr(runs, "sweep", swept)
    asks = ("--slurm", "--account", "lab", "--qos", "long", "--gpus", 1, "--at-once", 2)
    done = call("sweep", "18", "-p", "SEED=0,1", *asks)
    assert done.stdout == f"{tmp_path / 'a'}\n{tmp_path / 'b'}\n"
    assert done.stderr == "2 combinations\n"
    assert asked == {
        "values": {"SEED": ["0", "1"]},
        "profile": None,
        "out": None,
        "at_once": 2,
        "force": False,
        "cluster": "slurm",
        "account": "lab",
        "qos": "long",
        "gpus": 1,
    }


def test_lab_opens_jupyterlab_on_the_notebooks(monkeypatch, tmp_path):
    import t2ilab.paths

    monkeypatch.setattr(t2ilab.paths, "NOTEBOOKS", tmp_path)
    started = []
    monkeypatch.setattr(notebooks.os, "execv", lambda program, words: started.extend(words))
    assert call("lab", "--no-browser", "--port", "9").exit_code == 0
    assert started[1:] == [
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={tmp_path}",
        "--no-browser",
        "--port",
        "9",
    ]
    monkeypatch.setattr(notebooks, "find_spec", lambda name: None)
    assert "pip install jupyterlab" in refused("lab", status=1)
    monkeypatch.undo()
    monkeypatch.setattr(t2ilab.paths, "NOTEBOOKS", tmp_path / "none")
    assert "there is no folder" in refused("lab", status=1)
