"""DCGAN on PaperWorld with each of its five guidelines taken away: equal steps, several seeds.

    python scripts/dcgan_guidelines.py                       # 6 variants x 3 seeds x 4,000 steps
    python scripts/dcgan_guidelines.py --seeds 1 --steps 500 # a first look

The table that ships came from twelve minutes of one processor:

    python scripts/dcgan_guidelines.py --seeds 2 --steps 1200 --n 1000
                                       --width 16 --batch-size 32 --lr 5e-4

Writes `data/results/dcgan_guidelines.csv`, a row a run: what was taken away ("none": nothing),
seed, sizes and rate, seconds, the FID over the reader's features, and the other scores of
`picture_scores`. Notebook 09 shows it. A row is added when a run is finished; finished rows are
kept and not run again. Seeds are the outer loop, so that what is there can be compared at any time.
"""

import argparse
from pathlib import Path

import pandas as pd

from t2ilab.files import add_row, has_row
from t2ilab.paths import DATA
from t2ilab.recipes.dcgan import GUIDELINES, LR, PLANS, Options, measure
from t2ilab.recipes.train import train

FILE = DATA / "results" / "dcgan_guidelines.csv"
KEY = ["without", "seed", "steps", "world", "size", "width", "batch_size", "lr", "tested"]
N = 2000  # pictures that are scored, and real ones that they are compared with


def variants(seeds: int) -> list[tuple[int, str]]:
    """Seed and guideline that is taken away ("none": nothing), in the order of the runs."""
    return [(seed, name) for seed in range(seeds) for name in ("none", *GUIDELINES)]


def one(without: str, seed: int, *, steps: int, n: int, **options) -> dict:
    """Train and measure one variant; a row of the table.

    Raises:
        SystemExit: a signal ended the training.
    """
    taken = {} if without == "none" else {without: "off"}
    given = dict(options) | taken | {"seed": seed, "steps": steps, "minutes": None}
    trained = train("dcgan", show=False, **given)
    if trained.fitted.stopped == "signal":
        raise SystemExit("interrupted: this run is not counted.")
    o = Options(system="dcgan", **given)
    found = measure(trained.system, o, n)
    row = {"without": without, "seed": seed, "steps": trained.fitted.steps, "world": o.world}
    row |= {"size": trained.system.size, "width": trained.system.network.arguments["width"]}
    row |= {"batch_size": o.batch_size or PLANS[o.profile].batch_size, "lr": o.lr or LR}
    row |= {"tested": n, "seconds": round(trained.fitted.seconds, 1)}
    return row | found


def measured(
    file: Path = FILE, *, seeds: int = 3, steps: int = 4000, n: int = N, **options
) -> pd.DataFrame:
    """Run what is missing, a row at a time; the whole table."""
    rows = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=KEY)
    for seed, without in variants(seeds):
        asked = options | {"without": without, "seed": seed, "steps": steps, "tested": n}
        known = {k: v for k, v in asked.items() if k in KEY and v is not None}
        if has_row(rows, known):
            continue
        rows = add_row(file, rows, one(without, seed, steps=steps, n=n, **options))
        print(
            rows[["without", "seed", "seconds", "fid"]].tail(1).to_string(index=False), flush=True
        )
    return rows


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--seeds", type=int, default=3, help="runs of each variant; default 3")
    words.add_argument("--steps", type=int, default=4000, help="of training; default 4000")
    words.add_argument("--n", type=int, default=N, help=f"pictures that are scored; default {N}")
    words.add_argument("--world", default="birds")
    words.add_argument("--size", type=int, default=32)
    words.add_argument("--width", type=int, help="of both networks; default 32")
    words.add_argument("--batch-size", type=int, help="default 64")
    words.add_argument("--lr", type=float, help="of both networks; default 2e-4")
    words.add_argument("--out", type=Path, default=FILE, help="the table")
    given = words.parse_args()
    table = measured(
        given.out, seeds=given.seeds, steps=given.steps, n=given.n,
        world=given.world, size=given.size, width=given.width, batch_size=given.batch_size,
        lr=given.lr,
    )  # fmt: skip
    print(table.groupby("without")["fid"].agg(["mean", "std", "count"]).round(2).to_string())


if __name__ == "__main__":
    main()
