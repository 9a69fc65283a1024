"""INNg, WINN and WGAN-GP of the same time; a classifier before and after introspection.

    python scripts/introspective.py pictures                  # 3 seeds x 3 systems x 14 minutes
    python scripts/introspective.py classes                   # scikit-learn's digits
    python scripts/introspective.py classes --mnist FOLDER    # and MNIST, in torchvision's layout

Writes `data/results/introspective.csv` and `.npz` (scores on birds, 32 x 32, and some pictures),
and `introspective_classes.csv` (clean and robust accuracy), which notebook 15 shows. A row is
added when a run is finished; finished rows are kept and not run again.
"""

import argparse
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from t2ilab.data import paperworld
from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import to_float, to_uint8
from t2ilab.files import write_csv
from t2ilab.fit import Fitted, fit
from t2ilab.metrics.evaluate import picture_scores
from t2ilab.metrics.robustness import robust_accuracy
from t2ilab.models.dcgan import Generator
from t2ilab.models.introspective import Classifier, Critic
from t2ilab.paths import DATA
from t2ilab.recipes.data import load_data
from t2ilab.recipes.introspective import INTROSPECTIVE, PLANS, from_noise
from t2ilab.recipes.train import train as train_system
from t2ilab.systems.single import load_reader
from t2ilab.trainers.adversarial_training import AdversarialTraining
from t2ilab.trainers.gan import GAN

RESULTS = DATA / "results"
WORLD, N, SHOWN = "birds", 1000, 32
PAIRS = (("winn", "inng"), ("wgan",))  # those of a pair are trained in turn, seed by seed
EPSILONS = (0, 4 / 255, 8 / 255, 16 / 255, 24 / 255, 32 / 255)


def pictures(seeds: int, minutes: float, width: int, folder: Path) -> None:
    """Train each system with each seed for as long, score pictures from noise, keep a few."""
    csv, npz = folder / "introspective.csv", folder / "introspective.npz"
    test = to_float(paperworld.world(WORLD).load("test", PLANS["laptop"].size).images[:2000])
    for pair in PAIRS:
        for seed, system in product(range(seeds), pair):
            if finished(csv, system=system, seed=seed):
                continue
            made, steps, parameters = train(system, seed, minutes, width)
            found = picture_scores(paperworld.world(WORLD), load_reader(WORLD), test, made)
            row = {
                "system": system,
                "seed": seed,
                "minutes": minutes,
                "steps": steps,
                "parameters": parameters,
                **{k: v for k, v in found.items() if k != "extractor"},
            }
            add(csv, row)
            kept = dict(np.load(npz)) if npz.exists() else {}
            np.savez_compressed(npz, **kept, **{f"{system}_{seed}": to_uint8(made[:SHOWN])})
            print(row, flush=True)


def train(system: str, seed: int, minutes: float, width: int) -> tuple[torch.Tensor, int, int]:
    """Pictures from noise, how many steps the training made, and its networks' parameters."""
    if system in INTROSPECTIVE:
        trained = train_system(
            system, world=WORLD, minutes=minutes, width=width, seed=seed, show=False
        )
        fitted, networks = trained.fitted, [trained.system.critic]
        complete(fitted)
        made = from_noise(trained.system, N, seed=seed + 1)
    else:
        plan = PLANS["laptop"]
        torch.manual_seed(seed)
        networks = [Generator(size=plan.size, width=width), Critic(size=plan.size, width=width)]
        gan = GAN(*networks, objective="wasserstein", seed=seed)
        data = load_data(world=WORLD, size=plan.size)
        fitted = fit(
            gan,
            PictureBatches(data, batch_size=plan.batch_size, seed=seed),
            minutes=minutes,
            seed=seed,
            show=False,
        )
        complete(fitted)
        z = torch.randn(N, gan.G.z, generator=torch.Generator().manual_seed(seed + 1))
        made = torch.cat([gan.sample(part) for part in z.split(250)])
    parameters = sum(p.numel() for network in networks for p in network.parameters())
    return made.clone(), fitted.steps, parameters


def classes(seeds: int, steps: int, folder: Path, mnist: str | None) -> None:
    """A classifier before and after: cross-entropy alone, then with each objective beside it."""
    csv = folder / "introspective_classes.csv"
    for data, root, size in [("digits", None, 16)] + ([("mnist", mnist, 32)] if mnist else []):
        train_set, test_set = (
            load_data(data=data, root=root, size=size, split=split) for split in ("train", "test")
        )
        x = to_float(test_set.images[:1000])[:, :1]
        labels = torch.from_numpy(test_set.classes[:1000])
        for seed in range(seeds):
            for system in ("plain", "inng", "winn"):
                if finished(csv, data=data, system=system, seed=seed):
                    continue
                network = classifier(system, data, root, size, train_set, seed, steps)
                rng = torch.Generator().manual_seed(seed)
                found = robust_accuracy(network, x, labels, epsilons=EPSILONS, generator=rng)
                row = {
                    "data": data,
                    "system": system,
                    "seed": seed,
                    "steps": steps,
                    "pictures": len(x),
                    **{f"{round(255 * e)}": a for e, a in found.items()},
                }
                add(csv, row)
                print(row, flush=True)


def classifier(system, data, root, size, train_set, seed, steps):
    """Pictures -> class logits, trained for so many steps on batches of the same size."""
    width, batch = 32, 32
    if system != "plain":
        recipe = replace(INTROSPECTIVE[system], classes=100.0 if system == "winn" else 1.0)
        trained = train_system(
            system,
            data=data,
            root=root,
            size=size,
            label="class",
            width=width,
            batch_size=batch,
            steps=steps,
            recipe=recipe,
            seed=seed,
            show=False,
        )
        complete(trained.fitted)
        return trained.system.critic.classify
    torch.manual_seed(seed)
    network = Classifier(size=size, channels=1, width=width, classes=10)
    batches = PictureBatches(train_set, batch_size=batch, channels=1, seed=seed)
    complete(
        fit(
            AdversarialTraining(network, epsilon=0, lr=1e-3, seed=seed),
            batches,
            steps=steps,
            seed=seed,
            show=False,
        )
    )
    return network.cpu().eval()


def complete(fitted: Fitted) -> None:
    """End here, without a row, if the training was interrupted: `fit` itself only returns."""
    if fitted.stopped == "signal":
        raise SystemExit("interrupted: this run is not in the table, and begins anew next time")


def finished(csv: Path, **values) -> bool:
    """Is there a row with these values?"""
    if not csv.exists():
        return False
    rows = pd.read_csv(csv)
    same = [rows[name] == value for name, value in values.items()]
    return bool(np.logical_and.reduce(same).any())


def add(csv: Path, row: dict) -> None:
    """The table with one more row, replaced as a whole."""
    rows = [pd.read_csv(csv)] if csv.exists() else []
    table = pd.concat([*rows, pd.DataFrame([row])])
    write_csv(csv, table, float_format="%.6g")


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("what", choices=("pictures", "classes"))
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--minutes", type=float, default=14, help="of each system on pictures")
    words.add_argument("--width", type=int, default=32, help="of the networks on pictures")
    words.add_argument("--steps", type=int, default=1000, help="of each classifier")
    words.add_argument("--mnist", metavar="FOLDER")
    words.add_argument("--out", type=Path, default=RESULTS)
    given = words.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "pictures":
        pictures(given.seeds, given.minutes, given.width, given.out)
    else:
        classes(given.seeds, given.steps, given.out, given.mnist)


if __name__ == "__main__":
    main()
