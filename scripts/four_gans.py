"""Gabel's Figure 4 in numbers: train the four GANs alike, keep their table and their pictures.

    python scripts/four_gans.py                    # train (about an hour on two cores) and collect
    python scripts/four_gans.py --collect runs/four_gans     # collect what has been trained

Writes `data/results/four_gans.csv` (a row a run), `four_gans.npz` (pictures of seed 0), and
`strong_d.npz` (a run whose discriminator is too strong), which notebook 18 shows.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from t2ilab.files import write_csv
from t2ilab.paths import DATA
from t2ilab.runs import run, sweep, table
from t2ilab.trainers.text_gan import SYSTEMS

RESULTS = DATA / "results"
PARAMETERS = ["SYSTEM", "SEED", "STEPS", "PROFILE", "RECIPE", "WORLD"]
METRICS = [
    "live_all_unseen",
    "live_all_seen",
    "live_breast",
    "live_wing",
    "live_beak",
    "live_diversity",
    "live_fid_unseen",
    "live_kid_unseen",
    "live_fid_between",
    "live_kid_between",
    "steps",
    "train_seconds",
]
STRONG = {"SYSTEM": "text_gan", "RECIPE": "paper", "LR_D": 0.004, "STEPS": 1000}  # G: 2e-4
SHOWN, MOMENTS = 8, 12  # captions, and moments of the training, whose pictures are kept


def collect(folder: Path, results: Path = RESULTS) -> None:
    """Write table and pictures of the finished runs below `folder`.

    Raises:
        DataError: there is no finished run.
    """
    runs = table(folder, metrics=METRICS).sort_values(["SYSTEM", "SEED"])
    results.mkdir(parents=True, exist_ok=True)
    write_csv(results / "four_gans.csv", runs[[*PARAMETERS, *METRICS]], float_format="%.6g")
    kept = {}
    for _, row in runs[runs["SEED"] == 0].iterrows():
        with np.load(next(folder.rglob(f"{row['run']}/frames.npz"))) as frames:
            some = np.linspace(0, len(frames["steps"]) - 1, MOMENTS).round().astype(int)
            some = np.unique(some)
            kept["steps"] = frames["steps"][some]
            kept[f"{row['SYSTEM']}_training"] = frames["training"][some][:, :SHOWN]
            kept[f"{row['SYSTEM']}_between"] = frames["between"][:4]
    np.savez_compressed(results / "four_gans.npz", **kept)


def collect_strong(folder: Path, results: Path = RESULTS) -> None:
    """Write pictures and losses of the run in `folder`."""
    history = pd.read_csv(folder / "history.csv")
    with np.load(folder / "frames.npz") as frames:
        np.savez_compressed(
            results / "strong_d.npz",
            steps=frames["steps"],
            lr_d=STRONG["LR_D"],
            training=frames["training"][:, :SHOWN],
            **{name: history[name] for name in ("step", "loss_d", "loss_g")},
        )


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--seeds", type=int, default=3, help="runs of each system; default 3")
    words.add_argument("--steps", type=int, default=2500, help="of training; default 2500")
    words.add_argument("--at-once", type=int, default=2, help="runs at a time; default 2")
    words.add_argument("--profile", default="laptop")
    words.add_argument("--out", type=Path, default=Path("runs/four_gans"))
    words.add_argument("--collect", type=Path, metavar="FOLDER", help="train nothing")
    given = words.parse_args()
    if given.collect is None:
        grid = {"SYSTEM": list(SYSTEMS), "SEED": list(range(given.seeds)), "STEPS": [given.steps]}
        sweep(18, grid, profile=given.profile, out=given.out, at_once=given.at_once)
        collect_strong(
            run(18, profile=given.profile, out=given.out.with_name("strong_d"), parameters=STRONG)
        )
    collect(given.collect or given.out)
    print(table(given.collect or given.out, by="SYSTEM", metrics=METRICS[:1]).to_string())


if __name__ == "__main__":
    main()
