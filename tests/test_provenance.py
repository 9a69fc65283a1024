"""By which code and on which machine a result was made."""

import json
import subprocess

import pytest
import torch

from t2ilab import provenance
from t2ilab.provenance import about, about_machine, about_package, package_digest


@pytest.fixture(autouse=True)
def read_again():
    """What is kept for a process is read anew in each test, and after it."""
    forget()
    yield
    forget()


def forget():
    for kept in (provenance.package_digest, provenance._git, provenance._processor):
        kept.cache_clear()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A package of one module, with the weights' and the world's JSON, in a repository."""
    for name, text in {"t2ilab/a.py": "x = 1\n", "data/world.json": "{}", "README.md": "a"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(provenance, "DATA", tmp_path / "data")
    return tmp_path


def git(folder, *words):
    name = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *name, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_code_and_machine_are_named_and_json_holds_them():
    said = json.loads(json.dumps(about(), allow_nan=False))
    assert said["versions"]["torch"] == str(torch.__version__)
    assert len(said["package"]["digest"]) == provenance.DIGITS
    machine = said["machine"]
    assert machine["host"] and machine["processor"] and machine["cores"] >= 1
    assert isinstance(machine["bf16"], bool)


def test_the_digest_changes_with_code_and_data_and_with_nothing_else(checkout):
    def now(path, text):
        (checkout / path).write_text(text)
        forget()
        return package_digest()

    first = package_digest()
    assert now("README.md", "b") == first and now("data/weights.bin", "b") == first
    assert now("t2ilab/a.py", "x = 2\n") != first
    assert now("t2ilab/a.py", "x = 1\n") == first
    assert now("data/world.json", "[]") != first
    assert now("data/world.json", "{}") == first
    (checkout / "t2ilab" / "a.py").rename(checkout / "t2ilab" / "b.py")
    forget()
    assert package_digest() != first
    (checkout / "t2ilab" / ".#a.py").symlink_to("nowhere")  # as editors leave them
    forget()
    assert package_digest() != first


def test_the_commit_and_whether_files_differ_from_it(checkout, monkeypatch):
    assert about_package()["commit"] is None and about_package()["changed"] is None
    git(checkout, "init", "-q")
    forget()
    assert about_package()["commit"] is None  # nothing is committed yet
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "a")
    forget()
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as within a hook
    assert about_package() == {
        "digest": package_digest(),
        "commit": subprocess.run(
            ["git", "--git-dir", checkout / ".git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
        ).stdout.strip(),
        "changed": False,
    }
    (checkout / "README.md").write_text("b")
    forget()
    assert about_package()["changed"] is True


def test_a_package_in_somebody_elses_checkout_has_no_commit(checkout, monkeypatch):
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "a")
    monkeypatch.setattr(provenance, "ROOT", checkout / "t2ilab")
    monkeypatch.setattr(provenance, "DATA", checkout / "t2ilab")
    assert about_package()["commit"] is None


def test_without_git_only_the_commit_is_missing(checkout, monkeypatch):
    git(checkout, "init", "-q")
    monkeypatch.setenv("PATH", str(checkout))
    assert about_package() == {"digest": package_digest(), "commit": None, "changed": None}


def test_on_a_gpu_it_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA Some")
    assert about_machine("cuda")["gpu"] == "NVIDIA Some"
    assert "gpu" not in about_machine("cpu")
