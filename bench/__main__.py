"""`python -m bench [--quick] [-o FILE]`, in the checkout: measure all speeds, into bench.json."""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from t2ilab.files import write_atomically
from t2ilab.paths import ROOT


def main() -> None:
    """Measure, print each row as it comes, and write them all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="hardly measure anything: only see that it runs"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        default=ROOT / "bench.json",
        metavar="FILE",
        help="where to write (default: bench.json of the checkout)",
    )
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="t2ilab-bench-") as folder:
        os.environ["T2ILAB_CACHE"] = folder  # what is drawn here goes away afterwards
        for row in _rows(options.quick):
            print(row, flush=True)
            rows.append(asdict(row))
    write_atomically(options.out, json.dumps(rows, indent=1, allow_nan=False).encode() + b"\n")
    print(f"written to {options.out}", file=sys.stderr)


def _rows(quick: bool):
    from bench import boltzmann, dcgan, drawing, inputs, start, text_gan
    from bench.sizes import FULL, QUICK

    sizes = QUICK if quick else FULL
    for part in (
        start,
        drawing,
        text_gan,
        dcgan,
        inputs,
        boltzmann,
    ):  # the smallest process measures memory best
        yield from part.measure(sizes)


if __name__ == "__main__":
    main()
