"""What the first and the last code cell of a notebook call: `lab = start(...)`, `lab.finish()`.

A `Lab` knows the profile, the seed and the device, shows and keeps figures, records numbers, is
told of the errors of widgets, and writes `metrics.json`. It works in JupyterLab, under nbval,
under papermill and in plain Python.
"""

import json
import os
import random
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from t2ilab import environment
from t2ilab.environment import PROFILES
from t2ilab.errors import T2ILabError, UsageError, choose, shortened
from t2ilab.files import new_folder, plain, write_atomically, write_json
from t2ilab.paths import OWN_RUNS, runs_dir, user_path
from t2ilab.provenance import about, cores
from t2ilab.schemas import decode

_MISSING = object()


class Lab:
    """One run of one notebook; made by `start`.

    Attributes:
        profile: "smoke", "laptop" or "gpu".
        seed: what python, numpy and torch were seeded with.
        device: "cpu", "cuda" or "mps", as torch names it.
        out: the folder of this run; figures go to `out/figures`.
        about: the code and the machine, as they are when the notebook begins.
    """

    def __init__(self, *, profile: str, seed: int, device: str, out: Path):
        self.profile, self.seed, self.device, self.out = profile, seed, device, out
        self.about = about(device)
        self._recorded: dict[str, Any] = {}
        self._figures: dict[str, str] = {}
        self._errors: list[BaseException] = []
        self._began = time.perf_counter()

    def pick(self, *, smoke: Any = _MISSING, laptop: Any = _MISSING, gpu: Any = _MISSING) -> Any:
        """The value of this profile; a missing one falls back: gpu to laptop, laptop to smoke.

        Raises:
            UsageError: neither this profile nor a smaller one has a value.
        """
        values = {"smoke": smoke, "laptop": laptop, "gpu": gpu}
        for profile in reversed(PROFILES[: PROFILES.index(self.profile) + 1]):
            if values[profile] is not _MISSING:
                return values[profile]
        raise UsageError(f"pick has no value for the profile '{self.profile}': give smoke=...")

    def figure(
        self,
        name: str,
        figure: Any,
        caption: str | None = None,
        *,
        dpi: int = 90,
        photograph: bool = False,
    ) -> None:
        """Show a figure below the cell and keep it as `out/figures/NAME.png`.

        `figure` is a matplotlib figure (drawn at `dpi`, then closed) or a PIL image. Plots are kept
        in 128 colours; figures that hold pictures in colour, and PIL images, as they are. A
        `photograph` (a PIL image) is shown as photographs are, as a JPEG of high quality, a quarter
        of the bytes in the notebook; the PNG that is kept is exact.

        Raises:
            UsageError: the name is no plain file name, or the object is neither of the two.
        """
        if not re.fullmatch(r"[\w-]+", str(name)):
            raise UsageError(f"figure name '{name}': use letters, digits, '-' and '_' only")
        png = _png(figure, dpi)
        write_atomically(self.out / "figures" / f"{name}.png", png)
        self._figures[name] = caption or ""
        _show(name, _jpeg(png) if photograph else png, caption)

    def record(self, **values: Any) -> None:
        """Keep numbers (or text, lists, dicts of them) for `metrics.json`; the last one counts.

        Scalars and small arrays of numpy and torch are turned into plain numbers; a value that is
        not finite is kept as null, with a warning.

        Raises:
            UsageError: a value of another type, an array of more than 10,000 numbers, a whole
                number of more than 19 digits, lists too deep in each other.
        """
        for name, value in values.items():
            not_finite: list[str] = []
            self._recorded[name] = _kept(value, name, not_finite)
            if not_finite:
                where = ", ".join(not_finite)
                warnings.warn(f"{where}: not a finite number, kept as null", stacklevel=2)

    def watch(self, error: BaseException) -> None:
        """Widgets report their exceptions here, for a browser would swallow them."""
        self._errors.append(error)

    def finish(self) -> None:
        """Write `metrics.json`, print a summary, and raise what a widget swallowed.

        Raises:
            T2ILabError: a widget reported an exception; the first one is its cause.
        """
        errors, self._errors = self._errors, []
        metrics = self._metrics()
        metrics["widget_errors"] = [f"{type(e).__name__}: {e}" for e in errors]
        write_json(self.out / "metrics.json", metrics)
        print(self._summary(metrics))
        if errors:
            listed = "; ".join(metrics["widget_errors"])
            raise T2ILabError(f"a widget could not draw ({len(errors)} times): {listed}") from (
                errors[0]
            )

    def _metrics(self) -> dict[str, Any]:
        import torch

        metrics = {
            "profile": self.profile,
            "seed": self.seed,
            "device": self.device,
            "seconds": round(time.perf_counter() - self._began, 3),
            "peak_memory_mb": peak_memory_mb(),
            **self.about,
            "recorded": self._recorded,
            "figures": self._figures,
        }
        if self.device == "cuda":
            metrics["peak_gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
        return metrics

    def _summary(self, metrics: dict[str, Any]) -> str:
        memory = metrics["peak_memory_mb"]
        peak = f" · peak memory {memory} MB" if memory else ""
        recorded = [f"  {name} = {_short(value)}" for name, value in self._recorded.items()]
        head = f"finished in {metrics['seconds']:.0f} s{peak} · {len(self._figures)} figures"
        return "\n".join([head, *recorded])


def start(profile: str = "laptop", seed: int = 0, device: str = "auto", out: str = "") -> Lab:
    """Begin a notebook: check the parameters, seed everything, say what we run on.

    Args:
        profile: "smoke", "laptop" or "gpu". The environment variable T2ILAB_PROFILE, where it is
            set, wins (nbval cannot inject parameters), and the printed line says so.
        seed: from 0 to 2^32 - 1; seeds python, numpy and torch.
        device: "cpu", "cuda", "mps", or "auto" for the fastest that is there.
        out: the folder for figures and `metrics.json`; "" makes a fresh one under `runs/`.

    Raises:
        UsageError: an unknown profile or device, a device this machine lacks, a wrong seed; a
            folder that cannot be made.
    """
    from t2ilab.fit.machine import pick_device

    asked = choose("profile", profile, PROFILES)
    profile = environment.profile() or asked
    device = pick_device(device)
    seed_everything(seed)
    folder = user_path(out, "OUT").resolve() if out else _fresh_out()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"OUT: cannot make the folder '{out}': {error.strerror}") from error
    note = f" (by T2ILAB_PROFILE, not {asked})" if profile != asked else ""
    lab = Lab(profile=profile, seed=seed, device=device, out=folder)
    versions = lab.about["versions"]
    print(
        f"t2ilab {versions['t2ilab']} · profile {profile}{note} · device {device} · "
        f"{cores()} cores · torch {versions['torch']} · seed {seed}"
    )
    return lab


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch (all devices).

    Raises:
        UsageError: the seed is no whole number from 0 to 2^32 - 1.
    """
    import numpy as np
    import torch

    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UsageError(f"seed {seed!r}: give a whole number from 0 to {2**32 - 1}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def in_notebook() -> bool:
    """Whether a kernel runs us, so that pictures and Markdown can be displayed."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def _fresh_out() -> Path:
    shell = sys.modules["IPython"].get_ipython() if in_notebook() else None
    opened = shell.user_ns.get("__vsc_ipynb_file__") if shell else sys.argv[0]
    stem = Path(os.environ.get("JPY_SESSION_NAME") or opened or "notebook").stem
    name = re.sub(r"[^\w-]+", "_", stem).strip("_") or "notebook"
    folder = new_folder(runs_dir() / name, time.strftime("by-hand-%Y%m%d-%H%M%S"))
    if runs_dir().name == OWN_RUNS:
        print(f"the course's folder may not be written to: figures and numbers go to {folder}")
    return folder


def _png(figure: Any, dpi: int) -> bytes:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    if isinstance(figure, Image.Image):
        writable = figure.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
        (figure if writable else figure.convert("RGB")).save(buffer, "PNG", optimize=True)
    elif hasattr(figure, "savefig"):
        drawn = BytesIO()
        figure.savefig(drawn, format="png", dpi=dpi, bbox_inches="tight")
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(figure)
        plot = Image.open(drawn).convert("RGB")
        if not _holds_pictures(figure):  # lines and text: few colours, a quarter of the bytes
            plot = plot.quantize(128, Image.Quantize.FASTOCTREE, dither=0)
        plot.save(buffer, "PNG", optimize=True)
    else:
        kind = type(figure).__name__
        raise UsageError(f"a figure is a matplotlib Figure or a PIL image; this is a {kind}")
    return buffer.getvalue()


def _jpeg(png: bytes) -> bytes:
    """A picture as JPEG, its colours at every pixel (no chroma subsampling)."""
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def _holds_pictures(figure: Any) -> bool:
    """Whether an image in colour is drawn in it, whose colours must not be reduced to a palette."""
    images = [image for ax in figure.axes for image in ax.get_images()]
    return any(image.get_array() is not None and image.get_array().ndim == 3 for image in images)


def _show(name: str, data: bytes, caption: str | None) -> None:
    if not in_notebook():
        print(f"figure {name}" + (f": {caption}" if caption else ""))
        return
    from IPython.display import Image, Markdown, display

    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    display(Image(data=data, format=kind, alt=caption or name.replace("_", " ")))
    if caption:
        display(Markdown(f"*{caption}*"))


def _kept(value: Any, name: str, not_finite: list[str]) -> Any:
    """`plain`, if it can be read back as well."""
    try:
        kept = plain(value, name, not_finite)
    except RecursionError as error:
        raise UsageError(
            f"{name} cannot be recorded: it holds itself, or lists too deep"
        ) from error
    in_file = {"recorded": {name: kept}}
    decode(json.dumps(in_file), Any, f"{name} cannot be recorded", error=UsageError)
    return kept


def _short(value: Any) -> str:
    return shortened(f"{value:.4g}" if isinstance(value, float) else str(value), 60)


def peak_memory_mb() -> int | None:
    """The most memory this process held, in MiB; None where the system does not tell.

    Linux's ru_maxrss would include the parent's memory before exec, hence VmHWM first.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return round(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024)
    except (OSError, TypeError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
