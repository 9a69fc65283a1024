"""Alignment and strokes, measured apart: the rows of chapter 20, data/results/aligndraw.csv.

python scripts/drawing_captions.py [--steps 1200] [--runs runs/aligndraw] [--only once]

Four alignDRAWs of one size, the same number of updates, one seed each: as it is; without alignment
(every word weighs the same); with one stroke, a conditional variational autoencoder; and as it is
on placed digits. None is sharpened. A row that is there already is not trained again.
"""

import argparse
import csv
from pathlib import Path

from t2ilab.paths import DATA
from t2ilab.recipes import aligndraw
from t2ilab.recipes.train import run

OUT = DATA / "results" / "aligndraw.csv"
ROWS = {
    "aligned": dict(world="scenes"),
    "even": dict(world="scenes", align="off"),
    "once": dict(world="scenes", strokes=1),
    "digits": dict(data="placed_digits"),
}
TOLD = ("steps", "seconds", "parameters", "nats_1", "nats_20", "kl", "named", "named_unseen", "fid",
        "mass", "mass_even", "placed", "placed_unseen", "placed_real")  # fmt: skip


def row(name: str, steps: int, runs: Path) -> dict[str, str | float]:
    """Train one, measure it."""
    options = aligndraw.Options(system="aligndraw", steps=steps, **ROWS[name])
    trained = run(aligndraw, options, out=runs / name, show=True)
    about = aligndraw.System.load(trained.path).about
    found = about["measured"] | {
        "steps": about["steps"],
        "seconds": about["seconds"],
        "parameters": sum(p.numel() for p in trained.system.network.parameters()),
    }
    return {"row": name} | {key: found.get(key, "") for key in TOLD}


def kept() -> dict[str, dict[str, str]]:
    """Rows that are there, by name."""
    if not OUT.exists():
        return {}
    with open(OUT, newline="") as file:
        return {one["row"]: one for one in csv.DictReader(file)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--runs", type=Path, default=Path("runs/aligndraw"))
    parser.add_argument("--only", choices=ROWS)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    rows = kept()
    for name in [given.only] if given.only else ROWS:
        if name not in rows:
            rows[name] = row(name, given.steps, given.runs)
        with open(given.out, "w", newline="") as file:
            writer = csv.DictWriter(file, ["row", *TOLD])
            writer.writeheader()
            writer.writerows(rows[one] for one in ROWS if one in rows)


if __name__ == "__main__":
    main()
