"""What all tests share: shapes are checked, and the user's own folders are left alone."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before the package is imported, its functions are wrapped by `check`, which looks at shapes alone.
# (Not the exercises: they look at who called them.)
ROOMS = Path(__file__).parents[1] / "t2ilab"
install_import_hook(
    [f"t2ilab.{x.stem}" for x in ROOMS.iterdir() if x.stem not in ("checks", "__init__")],
    "shapes.check",
)


def pytest_configure(config):
    """Drawn pictures are kept for the session, in one folder for all its processes.

    A background job of a shell ignores Ctrl-C; tests that send it must not depend on that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" in os.environ:
        import torch

        torch.set_num_threads(1)  # there is a process for each core already
    if not os.environ.get("T2ILAB_CACHE"):  # else it was given, or made by the parent of a worker
        config.t2ilab_cache = tempfile.mkdtemp(prefix="t2ilab-tests-")
        os.environ["T2ILAB_CACHE"] = config.t2ilab_cache


def pytest_unconfigure(config):
    """Remove what `pytest_configure` made."""
    if hasattr(config, "t2ilab_cache"):
        os.environ.pop("T2ILAB_CACHE", None)
        shutil.rmtree(config.t2ilab_cache, ignore_errors=True)


@pytest.fixture(scope="module")
def few_test_pictures():
    """PaperWorld's test split has 128 pictures while a module's tests run."""
    from t2ilab.data import paperworld

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(paperworld.SPLITS, "test", 128)
        yield


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """What is kept on disk lies in the test's own folder."""
    monkeypatch.setenv("T2ILAB_CACHE", str(tmp_path / "cache"))
