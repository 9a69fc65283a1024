"""pix2pix on PaperWorld: losses, architectures and patches at equal steps, as in three tables.

    python scripts/pix2pix_table.py                          # 8 variants, one seed, 3,000 steps
    python scripts/pix2pix_table.py --seeds 3 --steps 4000   # with intervals

Isola et al. 2017 compare losses (table 1), the encoder-decoder with the U-Net (table 2), and sizes
of patches (table 3) by the FCN-score. Writes `data/results/pix2pix.csv`, a row a run: what was
trained, its score, sharpness, colourfulness and KID, and those of the real pictures;
`pix2pix.npz` beside it, eight pictures of each variant (of the first seed); and, with
`--weights FOLDER`, the weights of each run of the first seed. Notebook 17 shows it. A row is added
when a run is finished; finished rows are kept and not run again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from t2ilab.data import maps
from t2ilab.files import add_row
from t2ilab.paths import DATA
from t2ilab.recipes import pix2pix
from t2ilab.recipes.options import make
from t2ilab.recipes.train import rounded, run
from t2ilab.systems.pix2pix import Pix2PixSystem

FILE = DATA / "results" / "pix2pix.csv"
BOTH, PATCH, SHOWN = "l1+cgan", 16, 8
VARIANTS = (  # loss, architecture, patch; the first three are what the explorer switches between
    (BOTH, "unet", PATCH),
    ("l1", "unet", PATCH),
    ("cgan", "unet", PATCH),
    (BOTH, "encoder-decoder", PATCH),
    ("l1", "encoder-decoder", PATCH),
    (BOTH, "unet", 1),
    (BOTH, "unet", 34),
    ("gan", "unet", PATCH),
)
KEY = ["loss", "architecture", "patch", "seed", "steps", "tested"]


def one(
    variant: tuple, seed: int, *, out: Path | None = None, **options
) -> tuple[dict, Pix2PixSystem]:
    """Train and measure one variant: a row of the table, and what drew it.

    Raises:
        SystemExit: a signal ended the training.
    """
    loss, architecture, patch = variant
    given = dict(loss=loss, architecture=architecture, patch=patch, seed=seed)
    o = make(pix2pix.Options, "pix2pix", options | given)
    words = [f"--{k.replace('_', '-')} {v}" for k, v in (given | options).items() if v is not None]
    trained = run(
        pix2pix, o, out=out, show=False, command=" ".join(["t2ilab train pix2pix", *words])
    )
    if trained.fitted.stopped == "signal":
        raise SystemExit("interrupted: this run is not counted.")
    if trained.path is None:
        found = rounded(pix2pix.measure(trained.system, o))
    else:
        found = json.loads(trained.path.with_suffix(".json").read_text())["measured"]
    row = given | {"steps": trained.fitted.steps, "width": trained.system.network.width}
    return row | {"seconds": round(trained.fitted.seconds, 1)} | found, trained.system


def keep(file: Path, variant: tuple, system: Pix2PixSystem) -> None:
    """Add pictures of the first test maps to an npz file: by "loss architecture patch", uint8."""
    kept = dict(np.load(file)) if file.exists() else {}
    test = maps.load(system.world, "test", system.size, SHOWN)
    kept |= {"maps": test.maps, "real": test.pictures.images[:]}
    kept[" ".join(map(str, variant))] = system.pictures(test.maps)
    np.savez_compressed(file, **kept)


def measured(
    file: Path = FILE, *, seeds: int = 1, steps: int = 3000, weights: Path | None = None, **options
) -> pd.DataFrame:
    """Run what is missing, a row at a time, seeds in the outer loop; the whole table."""
    rows = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=KEY)
    for seed in range(seeds):
        for variant in VARIANTS:
            wanted = dict(zip(KEY, (*variant, seed, steps), strict=False))
            if len(rows) and (rows[list(wanted)] == pd.Series(wanted)).all(axis=1).any():
                continue
            name = "-".join(map(str, variant)).replace("+", "_")
            out = None if weights is None or seed else weights / name
            found, system = one(variant, seed, steps=steps, out=out, **options)
            rows = add_row(file, rows, found)
            if seed == 0:
                keep(file.with_suffix(".npz"), variant, system)
            shown = rows[["loss", "architecture", "patch", "seconds", "iou"]].tail(1)
            print(shown.to_string(index=False), flush=True)
    return rows


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--seeds", type=int, default=1, help="runs of each variant; default 1")
    words.add_argument("--steps", type=int, default=3000, help="of training; default 3000")
    words.add_argument("--profile", default="laptop", help="sizes: smoke, laptop or gpu")
    words.add_argument("--weights", type=Path, help="keep the weights of the first seed there")
    words.add_argument("--out", type=Path, default=FILE, help="the table")
    given = words.parse_args()
    table = measured(
        given.out, seeds=given.seeds, steps=given.steps, weights=given.weights,
        profile=given.profile,
    )  # fmt: skip
    print(table.groupby(KEY[:3])[["pixel", "class", "iou", "sharpness"]].mean().round(3))


if __name__ == "__main__":
    main()
