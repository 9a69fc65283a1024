"""Matching pictures and captions: what each constraint brings, and three kinds of network.

    python scripts/matching.py                  # 7 rows x 3 seeds x 400 steps: short
    python scripts/matching.py --steps 2500 --batch-size 128   # as the weights that ship
    python scripts/matching.py --data crowds --rows softmax similarity   # who is meant in a crowd

Writes `data/results/matching.csv` (of crowds: `matching_crowds.csv`), a row a run: which, seed,
steps, the minutes of processor time that the training took, parameters, and all that the recipe
measures on 1,000 pictures that training did not see. Notebook 16 shows it. A row is added when a
run is finished; finished rows are kept and not run again. Seeds are the outer loop.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
import torch

from t2ilab import catalogue
from t2ilab.files import add_row, has_row
from t2ilab.paths import DATA
from t2ilab.recipes.train import train

FILE = DATA / "results" / "matching.csv"
CROWDS = DATA / "results" / "matching_crowds.csv"
ROWS = {
    "hinge": ("embedding", {"objective": "hinge"}),
    "without pictures": ("embedding", {"objective": "hinge", "pictures": 0.0}),
    "without captions": ("embedding", {"objective": "hinge", "captions": 0.0}),
    "across alone": ("embedding", {"objective": "hinge", "pictures": 0.0, "captions": 0.0}),
    "softmax": ("embedding", {"objective": "softmax"}),
    "similarity": ("similarity", {}),
    "affinity": ("affinity", {}),
}
KEY = ["which", "seed", "steps", "batch_size", "world", "tested"]
BATCH = 64


def one(which: str, seed: int, *, steps: int, n: int, batch_size: int = BATCH, **options) -> dict:
    """Train and measure: a row of the table.

    Raises:
        SystemExit: a signal ended the training.
    """
    system, own = ROWS[which]
    given = own | options | {"seed": seed, "batch_size": batch_size, "device": "cpu"}
    began = time.process_time()
    trained = train(system, show=False, steps=steps, **given)
    took = (time.process_time() - began) / 60
    if trained.fitted.stopped == "signal":
        raise SystemExit("interrupted: this run is not counted.")
    recipe = catalogue.recipe(system)
    o = recipe.Options(system=system, **given)
    row = {"which": which, "seed": seed, "steps": steps, "batch_size": batch_size, "world": o.of}
    row |= {"tested": n, "took": round(took, 2)}
    row |= {"parameters": sum(p.numel() for p in trained.system.parameters())}
    return row | recipe.measure(trained.system, o, n)


def measured(
    file: Path = FILE,
    *,
    seeds: int = 3,
    steps: int = 400,
    n: int = 1000,
    rows=tuple(ROWS),
    **options,
) -> pd.DataFrame:
    """Run what is missing, a row at a time; the whole table."""
    table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=KEY)
    world = options.get("world") or options.get("data") or "birds"
    batch = options.get("batch_size", BATCH)
    for seed in range(seeds):
        for which in rows:
            known = dict(zip(KEY, (which, seed, steps, batch, world, n), strict=True))
            if has_row(table, known):
                continue
            table = add_row(file, table, one(which, seed, steps=steps, n=n, **options))
            shown = [*KEY[:3], "facts_caption_1", "facts_picture_1", "swapped_unseen"]
            print(table.reindex(columns=shown).tail(1).to_string(index=False), flush=True)
    return table


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    words.add_argument("--seeds", type=int, default=3, help="runs of each row; default 3")
    words.add_argument("--steps", type=int, default=400, help="updates a run; default 400")
    words.add_argument("--batch-size", type=int, default=BATCH, help="pictures a step; default 64")
    words.add_argument("--n", type=int, default=1000, help="pictures that are measured")
    words.add_argument("--world", help="of PaperWorld; default birds")
    words.add_argument("--data", choices=("crowds",), help="in place of a world")
    words.add_argument("--out", type=Path, help="the table")
    given = words.parse_args()
    torch.set_num_threads(1)  # processor time is then the same as time
    of = {"data": given.data} if given.data else {"world": given.world or "birds"}
    table = measured(
        given.out or (CROWDS if given.data else FILE), seeds=given.seeds, steps=given.steps,
        n=given.n, rows=given.rows, batch_size=given.batch_size, **of,
    )  # fmt: skip
    by = table.groupby(["world", "which", "steps"])[["facts_caption_1", "facts_picture_1"]]
    print(by.agg(["mean", "std", "count"]).round(3).to_string())


if __name__ == "__main__":
    main()
