"""What a notebook's first and last cell call."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from t2ilab import lab as labs
from t2ilab.errors import T2ILabError, UsageError
from t2ilab.files import new_folder, write_atomically, write_json
from t2ilab.lab import start
from t2ilab.provenance import about
from t2ilab.schemas import read
from t2ilab.schemas.runs import Metrics

TINY = Path(__file__).parent / "notebooks_for_tests" / "tiny.ipynb"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.delenv("T2ILAB_PROFILE", raising=False)
    return start("laptop", 0, "cpu", str(tmp_path))


def written(lab) -> dict:
    return json.loads((lab.out / "metrics.json").read_text())


def test_start_says_on_one_line_what_it_runs_on(lab, capsys, tmp_path):
    start("smoke", 7, "cpu", str(tmp_path))
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    for part in ("profile smoke", "device cpu", "cores", f"torch {torch.__version__}", "seed 7"):
        assert part in out
    assert str(tmp_path) not in out


def test_start_seeds_everything(tmp_path):
    def draws():
        start("laptop", 3, "cpu", str(tmp_path))
        return random.random(), np.random.rand(), torch.rand(()).item()

    first = draws()
    assert draws() == first
    start("laptop", 4, "cpu", str(tmp_path))
    assert torch.rand(()).item() != first[2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("laptpo", 0, "cpu"), "did you mean 'laptop'"),
        (("laptop", 0, "gpu"), "unknown device 'gpu'"),
        (("laptop", -1, "cpu"), "whole number"),
        (("laptop", 1.5, "cpu"), "whole number"),
        (("laptop", True, "cpu"), "whole number"),
        (("laptop", 2**32, "cpu"), "whole number"),
    ],
)
def test_start_refuses_what_is_wrong_by_name(given, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        start(*given, str(tmp_path))


def test_a_device_the_machine_lacks_is_refused_and_auto_takes_the_best(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match="torch finds none here"):
        start("laptop", 0, "cuda", str(tmp_path))
    assert start("laptop", 0, "auto", str(tmp_path)).device == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert start("laptop", 0, "auto", str(tmp_path)).device == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA Some")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert start("laptop", 0, "auto", str(tmp_path)).device == "cuda"


def test_the_environment_wins_over_the_parameter_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("T2ILAB_PROFILE", "smoke")
    assert start("laptop", 0, "cpu", str(tmp_path)).profile == "smoke"
    assert "profile smoke (by T2ILAB_PROFILE, not laptop)" in capsys.readouterr().out
    monkeypatch.setenv("T2ILAB_PROFILE", "")
    assert start("laptop", 0, "cpu", str(tmp_path)).profile == "laptop"
    monkeypatch.setenv("T2ILAB_PROFILE", "somke")
    with pytest.raises(UsageError, match="T2ILAB_PROFILE.*did you mean 'smoke'"):
        start("laptop", 0, "cpu", str(tmp_path))


def test_out_is_a_fresh_folder_unless_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("T2ILAB_RUNS", str(tmp_path))
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/18_text to image.ipynb")
    one, two = start("laptop", 0, "cpu", ""), start("laptop", 0, "cpu", "")
    assert one.out != two.out
    assert one.out.parent == two.out.parent == tmp_path / "18_text_to_image"
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make the folder"):
        start("laptop", 0, "cpu", str(tmp_path / "file" / "inside"))


def test_pick_takes_the_profiles_value_or_the_next_smaller(lab):
    assert lab.pick(smoke=1, laptop=2, gpu=3) == 2
    assert lab.pick(smoke=1, gpu=3) == 1
    lab.profile = "gpu"
    assert lab.pick(smoke=1, laptop=None) is None
    lab.profile = "smoke"
    with pytest.raises(UsageError, match="give smoke="):
        lab.pick(laptop=2)


def test_record_turns_scalars_and_small_arrays_into_numbers(lab):
    lab.record(a=torch.tensor(0.5), b=np.float32(2), c=np.arange(3), d={"e": (1, None)}, f=True)
    lab.record(g=torch.tensor([1.5], requires_grad=True), a=np.int64(4))
    lab.finish()
    expected = {"a": 4, "b": 2.0, "c": [0, 1, 2], "d": {"e": [1, None]}, "f": True, "g": [1.5]}
    assert written(lab)["recorded"] == expected


def test_record_keeps_what_is_not_finite_as_null_and_warns(lab):
    with pytest.warns(UserWarning, match="fid = nan: not a finite number, kept as null"):
        lab.record(fid=float("nan"))
    with pytest.warns(UserWarning, match=r"kl\[1\] = inf"):
        lab.record(kl=torch.tensor([1.0, float("inf")]))
    lab.finish()
    assert written(lab)["recorded"] == {"fid": None, "kl": [1.0, None]}


@pytest.mark.parametrize("value", [object(), 1j, {1, 2}, torch.zeros(10_001), b"bytes"])
def test_record_refuses_what_json_cannot_hold(lab, value):
    with pytest.raises(UsageError, match="loss: .* cannot be recorded"):
        lab.record(loss=value)


def test_record_refuses_what_could_not_be_read_back(lab):
    nested, itself = [], []
    for _ in range(100):
        nested = [nested]
    itself.append(itself)
    for value in (nested, itself, 10**25, {"a": [10**25]}, "\ud800"):
        with pytest.raises(UsageError, match="loss cannot be recorded"):
            lab.record(loss=value)
    lab.record(loss=2**63)
    lab.finish()
    assert read(lab.out / "metrics.json", Metrics).recorded == {"loss": 2**63}


def test_a_figure_with_a_picture_in_it_keeps_all_its_colours(lab):
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    values = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3) * 2654435761
    noise = (values >> 8).astype(np.uint8)
    figure, ax = plt.subplots(figsize=(2, 2))
    ax.imshow(noise, interpolation="nearest")
    lab.figure("photograph", figure)
    figure, ax = plt.subplots(figsize=(2, 2))
    ax.plot([0, 1], [0, 1])
    lab.figure("plot", figure)
    modes = {}
    for name in ("photograph", "plot"):
        with Image.open(lab.out / "figures" / f"{name}.png") as kept:
            modes[name] = kept.mode
    assert modes == {"photograph": "RGB", "plot": "P"}


def test_a_photograph_is_shown_as_jpeg_and_kept_as_it_is(lab, monkeypatch):
    shown = []
    monkeypatch.setattr(labs, "_show", lambda name, data, caption: shown.append(data))
    values = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    lab.figure("photograph", Image.fromarray(values), photograph=True)
    assert shown[0].startswith(b"\xff\xd8")  # a JPEG
    with Image.open(lab.out / "figures" / "photograph.png") as kept:
        assert (np.asarray(kept) == values).all()


def test_figure_keeps_a_png_of_a_figure_or_a_picture_and_closes_it(lab, capsys):
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    lab.figure("curve", figure, "a line that rises")
    assert not plt.fignum_exists(figure.number)
    lab.figure("float", Image.new("F", (5, 4)))
    with Image.open(lab.out / "figures" / "curve.png") as curve:
        assert curve.size[0] > 200
    with Image.open(lab.out / "figures" / "float.png") as picture:
        assert picture.size == (5, 4)
    assert capsys.readouterr().out.endswith("figure curve: a line that rises\nfigure float\n")


@pytest.mark.parametrize(
    ("name", "figure", "said"),
    [("../x", Image.new("L", (2, 2)), "letters"), ("x", "a curve", "this is a str")],
)
def test_figure_refuses_a_path_for_a_name_and_what_is_no_figure(lab, name, figure, said):
    with pytest.raises(UsageError, match=said):
        lab.figure(name, figure)


def test_finish_writes_what_was_run_and_how(lab, capsys):
    lab.record(score=0.91234567)
    lab.finish()
    metrics = written(lab)
    assert (metrics["profile"], metrics["seed"], metrics["device"]) == ("laptop", 0, "cpu")
    assert set(metrics["versions"]) == {"t2ilab", "torch", "python"}
    assert {key: metrics[key] for key in ("versions", "package", "machine")} == about("cpu")
    assert metrics["seconds"] >= 0 and metrics["peak_memory_mb"] > 50
    out = capsys.readouterr().out
    assert "score = 0.9123\n" in out and str(lab.out) not in out


def test_finish_raises_what_a_widget_swallowed_once(lab):
    error = RuntimeError("shapes 3 and 4 differ")
    lab.watch(error)
    with pytest.raises(T2ILabError, match="RuntimeError: shapes 3 and 4 differ") as caught:
        lab.finish()
    assert caught.value.__cause__ is error
    assert written(lab)["widget_errors"] == ["RuntimeError: shapes 3 and 4 differ"]
    lab.finish()
    assert written(lab)["widget_errors"] == []


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"half")
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_a_new_folder_is_never_one_that_was_there(tmp_path):
    names = [new_folder(tmp_path, "run").name for _ in range(3)]
    assert names == ["run", "run-2", "run-3"]


def test_in_plain_python_nothing_is_displayed():
    assert labs.in_notebook() is False


def test_a_notebook_with_figures_and_a_widget_passes_under_nbval(tmp_path):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TINY)]
    flags = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120"]
    changed = {"T2ILAB_PROFILE": "smoke", "T2ILAB_RUNS": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *flags], env={**os.environ, **changed}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    (metrics,) = tmp_path.glob("notebook/by-hand-*/metrics.json")
    assert json.loads(metrics.read_text())["profile"] == "smoke"
    assert (metrics.parent / "figures" / "square.png").exists()
