"""Gabel's Figure 4 in numbers: the four GANs of Reed et al., trained alike.

    python scripts/four_gans.py              # three seeds each; the first ships
    python scripts/four_gans.py --strong     # a run whose discriminator is too strong

Writes `data/results/four_gans.csv` (a row a run, kept and not run again), `four_gans.npz` (pictures
of seed 0 as they were learned) and `strong_d.npz`; weights lie below `--out`, and `scripts/ship.py`
makes them ship. Notebook 18 shows them all. All four have the recipe `gated`, the same captions,
noise, order of pictures and number of steps. A run takes some ten minutes on one core.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.files import add_row, has_row
from t2ilab.fit import strips
from t2ilab.metrics.evaluate import evaluate, picture_scores, readable
from t2ilab.models.reader import AttributeReader
from t2ilab.paths import DATA
from t2ilab.recipes.train import train
from t2ilab.runs import run
from t2ilab.systems.single import load_reader
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.trainers.text_gan import SYSTEMS

RESULTS = DATA / "results"
WORLD, RECIPE = "birds", "gated"
KEY = ["system", "seed", "steps", "size", "width", "batch_size", "recipe", "tested"]
SCORES = ("consistency_all", "consistency_all_unseen", "readable", "diversity")
DISTANCES = ("fid", "kid", "precision", "recall")
STRONG = {"SYSTEM": "text_gan", "RECIPE": "paper", "LR_D": 0.004, "STEPS": 1000}  # G: 2e-4
SHOWN, MOMENTS = 8, 12  # captions, and moments of the training, whose pictures are kept


@torch.inference_mode()
def half_way(system: TextToImage, test: CaptionedImages, seed: int = 1) -> torch.Tensor:
    """Pictures [n, 3, h, w] of the middle between two complete captions' vectors each."""
    z = system.noise(len(test), seed)
    phi = system.complete(system.encoder.encode([c[0] for c in test.captions]), z)
    return system(z, 0.5 * (phi + phi.roll(1, 0)))


def measured(
    system: TextToImage, reader: AttributeReader, n: int, noises: int = 50
) -> dict[str, float]:
    """What `evaluate` finds, and readable share, FID and KID half-way between two captions."""
    world = paperworld.world(WORLD)
    found = evaluate(system, world, reader, n=n, noises=noises)
    test = world.load("test", system.size).subset(slice(0, n))
    made = half_way(system, test)
    between = picture_scores(world, reader, to_float(test.images), made)
    row = {name: found[name] for name in (*SCORES, *DISTANCES)}
    row |= {"readable_between": readable(reader, made)}
    return row | {f"{name}_between": between[name] for name in ("fid", "kid")}


def compare(seeds: int, n: int, folder: Path, results: Path, **options) -> pd.DataFrame:
    """Train and measure each system with each seed; the table, to which rows are added.

    Raises:
        SystemExit: a signal ended a training; the same call goes on with it.
    """
    file, reader = results / "four_gans.csv", load_reader(WORLD)
    table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=KEY)
    for seed in range(seeds):  # seeds outside, so that what is there can be compared at any time
        for system in SYSTEMS:
            row = {"system": system, "seed": seed, **options, "recipe": RECIPE, "tested": n}
            if has_row(table, row):
                continue
            out = folder / f"{system}-{seed}"
            if not list(out.glob("*.safetensors")):
                given = dict(world=WORLD, recipe=RECIPE, seed=seed, show=False, out=out)
                trained = train(system, resume=out.exists(), **given, **options)
                if trained.fitted.stopped == "signal":
                    raise SystemExit("stopped; finished rows are kept")
            made = TextToImage.load(out)
            row |= {"seconds": made.about["seconds"]} | measured(made, reader, n)
            table = add_row(file, table, row)
            print(row, flush=True)
    return table


def keep_pictures(folder: Path, results: Path) -> None:
    """Write `four_gans.npz`: pictures of each system's seed 0 at moments of its training."""
    kept = {}
    for system in SYSTEMS:
        taken = strips.read(folder / f"{system}-0")
        some = np.unique(np.linspace(0, len(taken) - 1, MOMENTS).round().astype(int))
        kept["steps"] = np.array([taken[k][0] for k in some])
        kept[system] = np.stack([taken[k][1][:SHOWN] for k in some])
    results.mkdir(parents=True, exist_ok=True)
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
    words.add_argument("--strong", action="store_true", help="only the run that is too strong")
    words.add_argument("--seeds", type=int, default=3, help="runs of each system; default 3")
    words.add_argument("--steps", type=int, default=3600, help="of training; default 3600")
    words.add_argument("--size", type=int, default=64, help="of the pictures; default 64")
    words.add_argument("--width", type=int, default=16, help="of the networks; default 16")
    words.add_argument("--batch-size", type=int, default=16, help="pictures a step; default 16")
    words.add_argument("-n", type=int, default=1000, help="captions that are tested; default 1000")
    words.add_argument("--profile", default="laptop", help="of the run that is too strong")
    words.add_argument(
        "--out", type=Path, default=Path("runs/four_gans"), help="folder of the runs"
    )
    given = words.parse_args()
    if given.strong:
        out = given.out.with_name("strong_d")
        collect_strong(run(18, profile=given.profile, out=out, parameters=STRONG))
        return
    sizes = {name: getattr(given, name) for name in ("size", "steps", "width", "batch_size")}
    table = compare(given.seeds, given.n, given.out, RESULTS, **sizes)
    keep_pictures(given.out, RESULTS)
    print(table.groupby("system")[list(SCORES)].mean().round(2).to_string())


if __name__ == "__main__":
    main()
