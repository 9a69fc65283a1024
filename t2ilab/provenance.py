"""By which code and on which machine a result was made: it stands beside every result."""

import hashlib
import os
import platform
import socket
import subprocess
import sys
from functools import lru_cache
from typing import Any

from t2ilab import __version__
from t2ilab.paths import DATA, ROOT

DIGITS = 12  # of a digest, as kept


def about(device: str = "cpu") -> dict[str, dict[str, Any]]:
    """What run.json and metrics.json say: {"versions": ..., "package": ..., "machine": ...}."""
    return {"versions": versions(), "package": about_package(), "machine": about_machine(device)}


def versions() -> dict[str, str]:
    """Of this package, of torch and of Python."""
    import torch

    python = ".".join(str(part) for part in sys.version_info[:3])
    return {"t2ilab": __version__, "torch": str(torch.__version__), "python": python}


@lru_cache(maxsize=1)
def package_digest() -> str:
    """Of all that decides what the code does: its .py files, and data/*.json with all below.

    Weights are covered, for the JSON beside them holds their own digest. Read once a process:
    what is edited later is not what has been imported.
    """
    digest = hashlib.sha256()
    code = ROOT / "t2ilab"
    for path in [*sorted(code.rglob("*.py")), *sorted(DATA.rglob("*.json"))]:
        if not path.is_file():  # a link that an editor left
            continue
        data = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:DIGITS]


def about_package() -> dict[str, Any]:
    """The package's digest, the commit it lies at, and whether files differ from that commit.

    The last two are None where there is no checkout, or no git.
    """
    commit, changed = _git()
    return {"digest": package_digest(), "commit": commit, "changed": changed}


def about_machine(device: str = "cpu") -> dict[str, Any]:
    """Its name, system, processor and cores, and whether `device` has bf16 in hardware.

    On "cuda" the name of the GPU too.
    """
    import torch

    from t2ilab.fit.machine import computes_bf16

    machine = {
        "host": socket.gethostname(),
        "system": platform.platform(terse=True),
        "processor": _processor(),
        "cores": cores(),
        "bf16": computes_bf16(device),
    }
    return machine | ({"gpu": torch.cuda.get_device_name()} if device == "cuda" else {})


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, not on Windows
        return os.cpu_count() or 1


@lru_cache(maxsize=1)
def _processor() -> str:
    """As it calls itself; where it does not, its architecture."""
    mac = sys.platform == "darwin"
    name = _said("sysctl", "-n", "machdep.cpu.brand_string") if mac else cpuinfo("model name")
    return name.strip() or platform.processor() or platform.machine()


def cpuinfo(field: str) -> str:
    """What Linux tells of the first processor, under "model name" or "flags"; "" elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            line = next((line for line in lines if line.startswith(field)), "")
    except OSError:
        return ""
    return line.partition(":")[2].strip()


@lru_cache(maxsize=1)
def _git() -> tuple[str | None, bool | None]:
    """The commit of the checkout, and whether the tree is dirty."""
    if not (ROOT / ".git").exists():  # installed, maybe below somebody else's checkout
        return None, None
    lines = _said("git", "--no-optional-locks", "status", "--porcelain=v2", "--branch").splitlines()
    commit = next((x.split()[-1] for x in lines if x.startswith("# branch.oid")), "")
    if not commit.isalnum():  # "(initial)"
        return None, None
    return commit, any(not line.startswith("#") for line in lines)


def _said(*command: str) -> str:
    """What a program prints when it is run in the checkout; "" where it fails."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=plain, capture_output=True, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""
