"""Three roads to 64 pixels: flat DCGAN, LAPGAN, progressive growing, at equal processor time.

    python scripts/three_roads.py                      # 3 roads x 3 seeds x 1 minute: very short
    python scripts/three_roads.py --minutes 20         # as long as one would want

Writes `data/results/three_roads.csv`, a row a run: road, seed, the minutes of processor time that
were given and that the training took, updates, parameters of the generator, and the scores of the
recipe's `measure` (LAPGAN also those of pictures made from real smaller ones); and
`three_roads.npz`, some pictures of each run. Notebook 11 shows both.

How many updates fit into the minutes is found by timing some, spread over the whole budget, so that
what grows is timed at each of its sizes; other work on the machine does not count. A row is added
when a run is finished; finished rows are kept and not run again. Seeds are the outer loop.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from wasserstein import updates

from t2ilab import catalogue
from t2ilab.files import add_row, has_row
from t2ilab.paths import DATA
from t2ilab.recipes.train import train

FILE = DATA / "results" / "three_roads.csv"
ROADS = {
    "dcgan": {"width": 8, "lr": 5e-4},
    "lapgan": {"width": 8, "lr": 5e-4},
    "progressive": {"width": 4, "loss": "logistic"},
}
N, SHOWN = 500, 10  # pictures that are scored, and kept
GIVEN = ("world", "size", "batch_size", "width")  # options that make it another run
KEY = ["road", "seed", "minutes", "tested", *GIVEN]


def one(road: str, seed: int, *, minutes: float, n: int, **options) -> tuple[dict, np.ndarray]:
    """Train and measure; a row of the table, and some pictures.

    Raises:
        SystemExit: a signal ended the training.
    """
    given = ROADS[road] | options | {"seed": seed, "device": "cpu"}
    steps = updates(road, minutes, **given)
    began = time.process_time()
    trained = train(road, show=False, steps=steps, **given)
    took = (time.process_time() - began) / 60
    if trained.fitted.stopped == "signal":
        raise SystemExit("interrupted: this run is not counted.")
    recipe = catalogue.recipe(road)
    o = recipe.Options(system=road, **given)
    row = {"road": road, "seed": seed, "minutes": minutes, "world": o.world}
    row |= {"size": trained.system.size, "tested": n, "updates": trained.fitted.steps}
    row |= {"took": round(took, 2), "batch_size": o.batch_size, "width": o.width}
    row |= {"parameters": sum(p.numel() for p in trained.system.network.parameters())}
    drawn = trained.system.draw(SHOWN, seed=1)
    return row | recipe.measure(trained.system, o, n), drawn


def measured(
    file: Path = FILE, *, seeds: int = 3, minutes: float = 1.0, n: int = N, **options
) -> pd.DataFrame:
    """Run what is missing, a row at a time; the whole table."""
    rows = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=KEY)
    pictures = file.with_suffix(".npz")
    for seed in range(seeds):
        for road in ROADS:
            asked = {"road": road, "seed": seed, "minutes": minutes, "tested": n}
            asked |= {name: options[name] for name in GIVEN if options.get(name) is not None}
            if has_row(rows, asked):
                continue
            row, drawn = one(road, seed, minutes=minutes, n=n, **options)
            pictures.parent.mkdir(parents=True, exist_ok=True)
            kept = dict(np.load(pictures)) if pictures.exists() else {}
            np.savez_compressed(pictures, **kept | {f"{road}_{minutes:g}_{seed}": drawn})
            rows = add_row(file, rows, row)
            shown = rows[["road", "seed", "updates", "took", "fid"]].tail(1)
            print(shown.to_string(index=False), flush=True)
    return rows


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--seeds", type=int, default=3, help="runs of each road; default 3")
    words.add_argument("--minutes", type=float, default=1.0, help="of processor time a run")
    words.add_argument("--n", type=int, default=N, help=f"pictures that are scored; default {N}")
    words.add_argument("--world", default="birds")
    words.add_argument("--size", type=int, default=64)
    words.add_argument("--batch-size", type=int, default=16)
    words.add_argument("--out", type=Path, default=FILE, help="the table")
    given = words.parse_args()
    torch.set_num_threads(1)  # processor time is then the same as time
    table = measured(
        given.out, seeds=given.seeds, minutes=given.minutes, n=given.n,
        world=given.world, size=given.size, batch_size=given.batch_size,
    )  # fmt: skip
    print(table.groupby(["road", "minutes"])["fid"].agg(["mean", "std", "count"]).to_string())


if __name__ == "__main__":
    main()
