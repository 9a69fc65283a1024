"""What 2017 added to GAN-CLS, one part at a time: equal processor time, one world, 32 pixels.

    python scripts/conditioning.py                    # nine systems, 3 minutes each
    python scripts/conditioning.py --seeds 2          # a second seed of each as well

Conditioning augmentation at four weights of its KL term; heads on the discriminator, of three
kinds (TAC-GAN); and a generator that is told the caption at every scale (as DF-GAN's is). None has
a prior: what a sparse caption leaves open has to come from noise.

Writes `data/results/conditioning.csv`, a row a run, and `conditioning.npz`, pictures of the runs of
seed 0: of three captions, `FEW` of the same z with other eps each, then `FEW` with other z.
Notebook 21 shows both. Finished rows are kept and not run again. How many updates fit into the
minutes is found by timing some, so that other work on the machine does not count.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from wasserstein import updates

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_uint8
from t2ilab.files import add_row
from t2ilab.metrics.evaluate import by_level, evaluate
from t2ilab.models.augmentation import AugmentedGenerator
from t2ilab.paths import DATA
from t2ilab.recipes.train import train
from t2ilab.systems.single import load_reader
from t2ilab.systems.text_to_image import TextToImage

FILE = DATA / "results" / "conditioning.csv"
PLAIN = {"system": "tac_gan", "heads": "none", "ca": 0}
RUNS = {
    "GAN-CLS": PLAIN,
    **{f"CA, KL {kl:g}": {"system": "stackgan_one", "ca_kl": kl} for kl in (0.0, 0.5, 2.0, 8.0)},
    "TAC, attributes": PLAIN | {"heads": "attributes"},
    "TAC, classes": PLAIN | {"heads": "class"},
    "TAC, one-hot": PLAIN | {"heads": "one_hot"},
    "gated": PLAIN | {"generator": "gated"},
}
CAPTIONS = (
    "a small red bird with blue wings, a red crown, a black tail and a long beak",
    "a bird with yellow wings",
    "a bird",
)
SPARSE, FEW = 3, 6  # a level of captions; pictures of a caption
SHOWN = ("consistency_all", "consistency_all_unseen", "diversity", "fid", "variety_bare")


class Still(TextToImage):
    """The same system with eps = 0: the condition is the mean of its Gaussian."""

    def noise(self, n: int, seed: int = 0) -> torch.Tensor:
        z = super().noise(n, seed)
        z[:, self.generator.generator.z :] = 0
        return z


def pictures(system: TextToImage, seed: int = 3) -> np.ndarray:
    """uint8 [captions, 2 FEW, 32, 32, 3]: one z with FEW eps, and FEW z with one eps."""
    z, parts = system.noise(FEW, seed), getattr(system.generator, "generator", system.generator)
    same, other = z.clone(), z.clone()
    same[:, : parts.z] = z[0, : parts.z]
    other[:, parts.z :] = z[0, parts.z :]
    phi = system.encoder.encode(CAPTIONS)
    return np.stack(
        [to_uint8(system.draw_vectors(p.expand(2 * FEW, -1), torch.cat([same, other])))
         for p in phi]
    )  # fmt: skip


def measured(system: TextToImage, n: int, noises: int) -> dict:
    """What `evaluate` finds, of captions that state one thing besides, and of the Gaussian."""
    world = paperworld.world("birds")
    reader = load_reader(world.name)
    found = evaluate(system, world, reader, n=n, noises=noises)
    few = by_level(system, world, reader, SPARSE, n)
    row = {k: found[k] for k in SHOWN} | {
        "readable": found["readable"],
        "right_bare": found["right_bare"],
    }
    row |= {
        "fid_bare": found["fid_bare"],
        "right_sparse": few["right"],
        "variety_sparse": few["variety"],
    }
    if not isinstance(system.generator, AugmentedGenerator):
        return row
    still = Still(system.encoder, system.generator)
    at_mean = evaluate(still, world, reader, n=n, noises=noises)
    row |= {f"{k}_mean": at_mean[k] for k in SHOWN}
    phi = system.encoder.encode([c[0] for c in world.load("test", 32, 500).captions])
    _, mu, logvar = system.generator.augmentation(phi)
    row["sigma"] = float((logvar / 2).exp().mean())
    row["spread_of_mu"] = float(mu.std(0).mean())
    return row


def one(name: str, seed: int, minutes: float, n: int, noises: int, **options) -> tuple:
    """Train and measure; a row of the table, and some pictures."""
    given = RUNS[name] | options | {"seed": seed, "device": "cpu"}
    steps = updates(minutes=minutes, **given)
    began = time.process_time()
    trained = train(given.pop("system"), show=False, steps=steps, **given)
    if trained.fitted.stopped == "signal":
        raise SystemExit("interrupted: this run is not counted.")
    row = {"run": name, "seed": seed, "minutes": minutes, "tested": n, "updates": steps}
    row |= {"took": round((time.process_time() - began) / 60, 2)}
    with torch.inference_mode():
        return row | measured(trained.system, n, noises), pictures(trained.system)


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--seeds", type=int, default=1, help="runs of each; default 1")
    words.add_argument("--minutes", type=float, default=3.0, help="of processor time a run")
    words.add_argument("--n", type=int, default=500, help="captions that are scored")
    words.add_argument("--noises", type=int, default=50, help="pictures a caption for diversity")
    words.add_argument("--width", type=int, default=32)
    words.add_argument("--runs", nargs="+", default=list(RUNS), choices=list(RUNS))
    words.add_argument("--out", type=Path, default=FILE, help="the table")
    given = words.parse_args()
    torch.set_num_threads(1)  # processor time is then the same as time
    rows = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame(columns=["run", "seed"])
    for seed in range(given.seeds):
        for name in given.runs:
            if ((rows["run"] == name) & (rows["seed"] == seed)).any():
                continue
            row, drawn = one(name, seed, given.minutes, given.n, given.noises,
                             world="birds", size=32, width=given.width)  # fmt: skip
            rows = add_row(given.out, rows, row)
            if not seed:
                keep(given.out.with_suffix(".npz"), name, drawn)
            print(rows[["run", "seed", "updates", "took", *SHOWN]].tail(1).to_string(index=False),
                  flush=True)  # fmt: skip


def keep(file: Path, name: str, drawn: np.ndarray) -> None:
    """Add pictures of a run to those that are there."""
    kept = dict(np.load(file)) if file.exists() else {}
    np.savez_compressed(file, **kept | {name: drawn})


if __name__ == "__main__":
    main()
