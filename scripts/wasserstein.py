"""WGAN, WGAN-GP and the non-saturating game on PaperWorld: equal processor time, several seeds.

    python scripts/wasserstein.py                          # 3 systems x 3 seeds x 1.5 minutes
    python scripts/wasserstein.py --k 5 --seeds 1          # with five updates of the critic for one

Writes `data/results/wasserstein.csv`, a row a run: system, seed, k (updates of the critic for one
of G), learning rate, updates of G, the minutes of processor time that the training took, and the
scores of `picture_scores`; and `wasserstein.npz`, some pictures of each run. Notebook 10 shows
both. The papers of WGAN and WGAN-GP have k = 5, which in minutes leaves few updates of G.

How many updates fit into the minutes is found by timing some, so that the learning rate can end at
0, and other work on the machine does not count. A row is added when a run is finished; finished
rows are kept and not run again. Seeds are the outer loop, so that what is there can be compared at
any time.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from t2ilab import catalogue
from t2ilab.files import add_row
from t2ilab.fit import fit
from t2ilab.paths import DATA
from t2ilab.recipes.dcgan import measure
from t2ilab.recipes.train import train

FILE = DATA / "results" / "wasserstein.csv"
RATES = {"dcgan": 5e-4, "wgan": 5e-4, "wgan_gp": 5e-4}  # the papers: 2e-4, 5e-5, 1e-4
N, SHOWN, TIMED = 500, 12, 12  # pictures that are scored, and kept; updates of G that are timed
KEY = ["system", "seed", "k", "lr", "minutes", "world", "size", "width", "tested"]


def updates(system: str, minutes: float, **options) -> int:
    """How many updates of G fit into so many minutes of processor time: some are made and timed."""
    recipe = catalogue.recipe(system)
    built = recipe.build(recipe.Options(system=system, **options), None)
    given = {"device": "cpu", "precision": built.precision, "show": False, "strips": 0}
    fit(built.trainer, built.batches, steps=3, **given)
    began = time.process_time()
    fit(built.trainer, built.batches, steps=TIMED, **given)
    return max(1, round(60 * minutes / (time.process_time() - began) * TIMED))


def one(system: str, seed: int, k: int, lr: float, *, minutes: float, n: int, **options) -> tuple:
    """Train and measure; a row of the table, and some pictures.

    Raises:
        SystemExit: a signal ended the training.
    """
    given = options | {"seed": seed, "k": k, "lr": lr, "device": "cpu"}
    steps = updates(system, minutes, **given)
    began = time.process_time()
    trained = train(system, show=False, steps=steps, **given)
    took = (time.process_time() - began) / 60
    if trained.fitted.stopped == "signal":
        raise SystemExit("interrupted: this run is not counted.")
    o = catalogue.recipe(system).Options(system=system, **given)
    row = {"system": system, "seed": seed, "k": k, "lr": lr, "minutes": minutes, "world": o.world}
    row |= {"size": trained.system.size, "width": trained.system.network.arguments["width"]}
    row |= {"tested": n, "updates": trained.fitted.steps, "took": round(took, 2)}
    drawn = trained.system.draw(SHOWN, seed=1)
    return row | measure(trained.system, o, n), drawn


def measured(
    file: Path = FILE,
    *,
    seeds: int = 3,
    k: int = 1,
    minutes: float = 1.5,
    n: int = N,
    rates: dict[str, float] = RATES,
    **options,
) -> pd.DataFrame:
    """Run what is missing with this k, a row at a time; the whole table."""
    rows = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=KEY)
    pictures = file.with_suffix(".npz")
    for seed in range(seeds):
        for system, lr in rates.items():
            done = rows[(rows["system"] == system) & (rows["seed"] == seed) & (rows["k"] == k)]
            same = (done["minutes"] == minutes) & (done["tested"] == n) & np.isclose(done["lr"], lr)
            if same.any():
                continue
            row, drawn = one(system, seed, k, lr, minutes=minutes, n=n, **options)
            pictures.parent.mkdir(parents=True, exist_ok=True)
            kept = dict(np.load(pictures)) if pictures.exists() else {}
            np.savez_compressed(pictures, **kept | {f"{system}_{k}_{seed}": drawn})
            rows = add_row(file, rows, row)
            shown = rows[["system", "seed", "k", "updates", "took", "fid"]].tail(1)
            print(shown.to_string(index=False), flush=True)
    return rows


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--seeds", type=int, default=3, help="runs of each system; default 3")
    words.add_argument("--k", type=int, default=1, help="updates of the critic for one of G")
    words.add_argument("--minutes", type=float, default=1.5, help="of processor time a run")
    words.add_argument("--n", type=int, default=N, help=f"pictures that are scored; default {N}")
    words.add_argument("--world", default="birds")
    words.add_argument("--size", type=int, default=32)
    words.add_argument("--width", type=int, default=8)
    words.add_argument("--batch-size", type=int, default=32)
    words.add_argument("--rates", type=float, nargs=3, default=list(RATES.values()),
                       help=f"learning rates of {', '.join(RATES)}")  # fmt: skip
    words.add_argument("--out", type=Path, default=FILE, help="the table")
    given = words.parse_args()
    torch.set_num_threads(1)  # processor time is then the same as time
    table = measured(
        given.out, seeds=given.seeds, k=given.k, minutes=given.minutes, n=given.n,
        rates=dict(zip(RATES, given.rates, strict=True)),
        world=given.world, size=given.size, width=given.width, batch_size=given.batch_size,
    )  # fmt: skip
    print(table.groupby(["system", "k"])["fid"].agg(["mean", "std", "count"]).round(2).to_string())


if __name__ == "__main__":
    main()
