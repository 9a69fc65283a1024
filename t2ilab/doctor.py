"""What `t2ilab doctor` looks at on this machine, and what it says to do about each problem."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from t2ilab import __version__, environment
from t2ilab.errors import UsageError
from t2ilab.paths import ROOT, cache_dir, runs_dir

INSTALL = f"{sys.executable} -m pip install"
FREE_GB, MEMORY_GB = 2.0, 2.0  # below these a training may fail
VARIABLES = [f"T2ILAB_{name}" for name in ("CACHE", "DEBUG", "IMAGENET", "PROFILE", "RUNS")]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is, "torch", "free disk", ...
        state: "ok", "warning" (works, with limits) or "broken" (something fails).
        value: what was found, in words.
        advice: what to do about it; "" where all is well.
    """

    name: str
    state: str
    value: str
    advice: str = ""


def examine() -> list[Finding]:
    """All findings, in the order in which they are worth reading."""
    looks = [versions, torchvision, device, precision, cores, memory, widgets, kernel]
    looks += [weights, cache, runs, disk, variables]
    return [finding for look in looks for finding in _safely(look)]


def report(findings: list[Finding]) -> str:
    """Findings as text: a line each, and below a problem what to do about it."""
    marks = {"ok": "ok     ", "warning": "WARNING", "broken": "BROKEN "}
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.state]}  {finding.name:<{width}}  {finding.value}")
        lines += [f"{'':>7}  {'':>{width}}  -> {finding.advice}"] if finding.advice else []
    count = {state: sum(f.state == state for f in findings) for state in marks}
    words = [f"{count['broken']} broken", f"{count['warning']} to look at"]
    healthy = not (count["broken"] or count["warning"])
    return "\n".join([*lines, "", "all is well" if healthy else ", ".join(words)])


def _safely(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A look that fails is itself a finding: the others are made all the same."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except Exception as error:
        words = f"could not be looked at: {type(error).__name__}: {error}"
        homeless = "home directory" in str(error)  # Jupyter cannot do without
        advice = "set HOME to a folder of yours" if homeless else "see the message"
        found.append(Finding(look.__name__, "broken", words, advice))
    return found


def versions() -> Iterator[Finding]:
    """Python, this package, and every package of requirements.txt against its range."""
    python = ".".join(map(str, sys.version_info[:3]))
    advice = "install Python 3.10 or newer" if sys.version_info < (3, 10) else ""
    state = "broken" if advice else "ok"
    yield Finding("python", state, f"{python} ({sys.executable})", advice)
    yield Finding("t2ilab", "ok", f"{__version__} ({Path(__file__).parent})")
    for requirement, needed in _requirements(ROOT / "requirements.txt"):
        yield _package(requirement, needed)


def _requirements(path: Path) -> list[tuple[str, bool]]:
    """(requirement, whether the course itself needs it) for each line; tests come last in the file.
    Without the file: torch alone."""
    if not path.exists():
        return [("torch>=2.11", True)]
    needed, found = True, []
    for line in path.read_text(encoding="utf-8").splitlines():
        needed = needed and not (line.startswith("#") and "test" in line and "use" in line)
        text = line.split("#")[0].strip()
        if text and not text.startswith("-"):
            found.append((text, needed))
    return found


def _package(text: str, needed: bool) -> Finding:
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    bad, purpose = ("broken", "") if needed else ("warning", " (used by the tests only)")
    install = f"{INSTALL} '{text}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, bad, f"not installed{purpose}", install)
    if not requirement.specifier.contains(version, prereleases=True):
        value = f"{version}, expected {requirement.specifier}{purpose}"
        return Finding(requirement.name, bad, value, install)
    return Finding(requirement.name, "ok", version)


def torchvision() -> Iterator[Finding]:
    """Torch and torchvision must have been built for each other."""
    try:
        import torchvision as _  # noqa: F401
    except Exception as error:
        repair = f"{INSTALL} --force-reinstall torch torchvision (both from one place)"
        said = f"do not import together: {error}"
        yield Finding("torch with torchvision", "broken", said, repair)
        return
    yield Finding("torch with torchvision", "ok", "import together")


def device() -> Iterator[Finding]:
    """What training runs on by default."""
    import torch

    from t2ilab.fit.machine import pick_device

    chosen = pick_device("auto")
    if chosen == "cuda":
        names = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
        yield Finding("device", "ok", f"cuda ({', '.join(names)})")
    elif shutil.which("nvidia-smi"):
        advice = (
            "this torch is built without CUDA, or the driver is too old for it: "
            "install a torch that fits the driver"
        )
        yield Finding("device", "warning", f"{chosen}, although there is an NVIDIA driver", advice)
    else:
        yield Finding("device", "ok", chosen)


def precision() -> Iterator[Finding]:
    """What `--precision auto` comes to."""
    from t2ilab.fit.machine import computes_bf16, pick_device

    native = computes_bf16(pick_device("auto"))
    said = "not computed natively: training uses float32"
    yield Finding("bfloat16", "ok", "computed natively: training uses it" if native else said)


def cores() -> Iterator[Finding]:
    """How many there are for us, how many torch will use, and how its threads wait."""
    import torch

    from t2ilab import lab

    count, threads = lab.cores(), torch.get_num_threads()
    waits = os.environ.get("OMP_WAIT_POLICY", "")
    advice = []
    if threads > count:
        advice.append(f"more threads than cores slow training down: set OMP_NUM_THREADS={count}")
    if waits.upper() != "PASSIVE" and threads > 1:
        advice.append(
            "threads that spin while they wait make everything many times slower beside a busy "
            "program: unset OMP_WAIT_POLICY"
        )
    said = f"{count}, torch uses {threads} threads, OMP_WAIT_POLICY={waits}"
    yield Finding("cores", "warning" if advice else "ok", said, "; ".join(advice))


def memory() -> Iterator[Finding]:
    """Of the whole machine; training in the laptop profile takes up to 2 GB."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = {line.split(":")[0]: int(line.split()[1]) / 1e6 for line in lines}
        total, free = found["MemTotal"], found["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):  # only Linux tells so easily
        yield Finding("memory", "ok", "not told by this system")
        return
    said = f"{free:.1f} of {total:.1f} GB free"
    if free < MEMORY_GB:
        needs = f"training takes up to {MEMORY_GB:g} GB"
        advice = f"{needs}: close other programs, or use the profile smoke"
        yield Finding("memory", "warning", said, advice)
    else:
        yield Finding("memory", "ok", said)


def widgets() -> Iterator[Finding]:
    """The kernel's half (ipywidgets) and the browser's half (jupyterlab_widgets) must agree."""
    from jupyter_core.paths import jupyter_path
    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in metadata.requires("ipywidgets") or []]
    wanted = next(one for one in wanted if one.name.replace("-", "_") == "jupyterlab_widgets")
    ours = metadata.version("ipywidgets")
    repair = f"{INSTALL} --force-reinstall ipywidgets jupyterlab_widgets, then reload the browser"
    try:
        theirs = metadata.version("jupyterlab_widgets")
    except metadata.PackageNotFoundError:
        yield Finding("widgets", "broken", "jupyterlab_widgets is not installed", repair)
        return
    both = f"ipywidgets {ours}, jupyterlab_widgets {theirs}"
    places = [Path(place) for place in jupyter_path("labextensions")]
    found = any((place / "@jupyter-widgets/jupyterlab-manager").is_dir() for place in places)
    if not wanted.specifier.contains(theirs, prereleases=True):
        yield Finding("widgets", "broken", f"{both}: expected {wanted}", repair)
    elif not found:
        said = f"{both}, but JupyterLab does not find the latter"
        yield Finding("widgets", "broken", said, repair)
    else:
        yield Finding("widgets", "ok", both)


def kernel() -> Iterator[Finding]:
    """Notebooks ask for "python3": which Python is that?"""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    repair = f"{sys.executable} -m ipykernel install --sys-prefix --env OMP_WAIT_POLICY PASSIVE"
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        yield Finding("kernel", "broken", "there is no kernel 'python3'", repair)
        return
    command = spec.argv[0]
    found = command if os.path.isabs(command) else shutil.which(command) or command
    bare = os.path.basename(command) in ("python", "python3") and not os.path.isabs(command)
    if bare or os.path.dirname(os.path.abspath(found)) == os.path.dirname(sys.executable):
        passive = "OMP_WAIT_POLICY" in spec.env
        spins = "" if passive else "; outside of `t2ilab lab` its threads spin"
        yield Finding("kernel", "ok", f"python3 runs in this environment{spins}")
    else:
        said = f"python3 is {found}, another Python: it may lack this package"
        yield Finding("kernel", "warning", said, repair)


def weights() -> Iterator[Finding]:
    """Each bundled file against its sha256."""
    from t2ilab.systems.weights import verify_all

    checked = verify_all()
    repair = "restore both files from the repository: git checkout -- data/weights"
    for one in checked:
        if one.problem:
            yield Finding(f"weights {one.name}", "broken", one.problem, repair)
    whole = [one for one in checked if not one.problem]
    if not checked:
        advice = "fetch data/weights again, or train your own: t2ilab train --help"
        yield Finding("weights", "warning", "none are bundled", advice)
    elif whole:
        size = sum(one.megabytes for one in whole)
        yield Finding("weights", "ok", f"{len(whole)} intact, {size:.1f} MB")


def cache() -> Iterator[Finding]:
    """The folder for drawn pictures: can it be written to, and how much is in it?"""

    def words(folder: Path) -> str:
        sizes = (os.path.getsize(path) for path in folder.rglob("*") if path.is_file())
        return f"{sum(sizes) / 1e6:.0f} MB in {folder} (may be removed)"

    yield from _place("kept pictures", cache_dir, "T2ILAB_CACHE", words)


def runs() -> Iterator[Finding]:
    """Where runs go: can it be written to?"""
    yield from _place("runs", runs_dir, "T2ILAB_RUNS", "go to {}".format)


def _place(
    name: str, find: Callable[[], Path], variable: str, words: Callable[[Path], str]
) -> Iterator[Finding]:
    advice = f"set {variable} to a folder of yours"
    try:
        folder = find()
    except UsageError as error:  # there is no home folder
        yield Finding(name, "broken", str(error), advice)
        return
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".doctor-", dir=_there(folder)))
    except OSError as error:
        said = f"cannot write into {folder}: {error.strerror} ({error.filename})"
        yield Finding(name, "broken", said, f"make it writable, or {advice}")
        return
    yield Finding(name, "ok", words(folder))


def _there(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def disk() -> Iterator[Finding]:
    """Where pictures are kept and where runs go; one line where both are on one disk."""
    places: dict[int, tuple[Path, float]] = {}
    for find in (cache_dir, runs_dir):
        with suppress(OSError, UsageError):  # `cache` and `runs` tell
            there = _there(find())
            places.setdefault(there.stat().st_dev, (find(), shutil.disk_usage(there).free / 1e9))
    for folder, free in places.values():
        state = "broken" if free < 0.1 else "warning" if free < FREE_GB else "ok"
        advice = "make room, or set T2ILAB_CACHE and T2ILAB_RUNS to folders on another disk"
        said = f"{free:.1f} GB at {folder}"
        yield Finding("free disk", state, said, "" if state == "ok" else advice)


def variables() -> Iterator[Finding]:
    """What the environment variables of this package, and of launchers, are set to."""
    ours = {k: v for k, v in sorted(os.environ.items()) if k.startswith("T2ILAB_") and v}
    words = " ".join(f"{name}={value}" for name, value in ours.items()) or "nothing is set"
    problems = [f"{name} is no variable that is read" for name in ours if name not in VARIABLES]
    looks = [environment.profile]
    looks += [partial(environment.whole_number, *one) for one in environment.LAUNCHERS.items()]
    for look in looks:
        try:
            look()
        except UsageError as error:
            problems.append(str(error))
    state = "broken" if problems else "ok"
    yield Finding("environment", state, words, "; ".join(problems))
