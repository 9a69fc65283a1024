"""What it costs to begin: imports, a notebook's first cell, and a training's memory."""

import json
import subprocess
import sys
from collections.abc import Iterator

from bench.row import Row
from bench.sizes import Sizes
from t2ilab.paths import ROOT

LIMIT_MB = 2048

_IMPORTS = """
import contextlib, json, tempfile, time
began = time.perf_counter()
import torch
had_torch = time.perf_counter()
import t2ilab
had_t2ilab = time.perf_counter()
import t2ilab.lab, t2ilab.systems.text_to_image
had_systems = time.perf_counter()
with contextlib.redirect_stdout(None), tempfile.TemporaryDirectory() as out:
    t2ilab.lab.start(out=out)
    started = time.perf_counter()
parts = [had_torch - began, had_t2ilab - had_torch, had_systems - had_torch]
print(json.dumps([*parts, started - had_systems]))
"""


def measure(sizes: Sizes) -> Iterator[Row]:
    """Rows of imports and memory, each measured in processes of their own."""
    _child("-c", _IMPORTS)  # the first one reads from the disk
    torch_s, package, systems, first_cell = zip(
        *(_child("-c", _IMPORTS) for _ in range(sizes.repeats)), strict=True
    )
    note = "beyond importing torch; reference: importing torch"
    yield Row.of(
        "import t2ilab", package, torch_s, unit="s", more=False, target="<= 0.3 s", note=note
    )
    yield Row.of(
        "import t2ilab.lab and t2ilab.systems.text_to_image",
        systems,
        torch_s,
        unit="s",
        more=False,
        note=f"{note}. This is what a notebook imports",
    )
    yield Row.of(
        "lab.start",
        first_cell,
        torch_s,
        unit="s",
        more=False,
        target="<= 0.3 s",
        note="profile, seeds, folder, and by which code and machine; reference: importing torch",
    )
    peak = _child("-m", "bench.laptop", sizes.profile, str(sizes.profile_steps))
    yield Row.of(
        f"peak memory of {sizes.profile}-profile training",
        peak,
        [LIMIT_MB],
        unit="MB",
        more=False,
        target=f"<= {LIMIT_MB} MB",
        note=f"gan_int_cls on birds, {sizes.profile_steps} steps, drawing and reading of "
        "captions included; reference: the limit",
    )


def _child(*arguments: str) -> list[float]:
    """The numbers that another Python prints as its last line."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])
