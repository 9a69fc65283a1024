"""INNg, WINN and WGAN-GP of the same time; fewer or more digits; a classifier that also draws.

    python scripts/introspective.py pictures                  # 3 seeds x 3 systems x 14 minutes
    python scripts/introspective.py digits --mnist FOLDER     # WINN on 1,500 digits and on 60,000
    python scripts/introspective.py classes                   # scikit-learn's digits
    python scripts/introspective.py classes --mnist FOLDER    # and MNIST, in torchvision's layout

Writes `data/results/introspective.csv` and `.npz` (scores on birds, 32 x 32, and some pictures),
`introspective_digits.csv` and `.npz` (the same of MNIST), and `introspective_classes.csv` (clean
and robust accuracy), which notebook 15 shows. A row is added when a run is finished; finished rows
are kept and not run again. `--systems wgan --seeds 3 --budget 4238` gives each run that many steps
in place of minutes; its row says how many minutes of processor time they took.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from t2ilab.data import paperworld
from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import CaptionedImages, to_float, to_uint8
from t2ilab.data.digits import load_mnist
from t2ilab.files import write_csv
from t2ilab.fit import Fitted, fit
from t2ilab.metrics.evaluate import picture_scores
from t2ilab.metrics.manifold import manifold
from t2ilab.metrics.robustness import robust_accuracy
from t2ilab.metrics.scores import inception_score, scores
from t2ilab.models.dcgan import Generator
from t2ilab.models.introspective import Classifier, Critic
from t2ilab.models.reader import AttributeReader
from t2ilab.paths import DATA
from t2ilab.recipes.data import load_data
from t2ilab.recipes.introspective import INTROSPECTIVE, PLANS, _scaled, from_noise
from t2ilab.recipes.introspective import finished as as_system
from t2ilab.recipes.train import train as train_system
from t2ilab.systems.single import load_reader
from t2ilab.trainers.adversarial_training import AdversarialTraining
from t2ilab.trainers.gan import GAN
from t2ilab.trainers.introspective import Introspective
from t2ilab.trainers.reader import ReaderBatches, ReaderTrainer

RESULTS = DATA / "results"
WORLD, N, SHOWN = "birds", 1000, 32
SIDE, TEST = 16, 1000  # of MNIST's digits: pixels, and how many of the test set are used
PAIRS = (("winn", "inng"), ("wgan",))  # those of a pair are trained in turn, seed by seed
EPSILONS = (0, 4 / 255, 8 / 255, 16 / 255, 24 / 255, 32 / 255)


def pictures(
    seeds: int,
    minutes: float,
    width: int,
    folder: Path,
    systems: Sequence[str] = ("winn", "inng", "wgan"),
    budget: int | None = None,
) -> None:
    """Train each system with each seed for as long, score pictures from noise, keep a few."""
    csv, npz = folder / "introspective.csv", folder / "introspective.npz"
    test = to_float(paperworld.world(WORLD).load("test", PLANS["laptop"].size).images[:2000])
    for pair in PAIRS:
        for seed, system in product(range(seeds), pair):
            if system not in systems or finished(csv, system=system, seed=seed):
                continue
            began = time.process_time()
            limit = {"minutes": minutes} if budget is None else {"steps": budget}
            made, steps, parameters = train(system, seed, width, **limit)
            took = (time.process_time() - began) / 60
            found = picture_scores(paperworld.world(WORLD), load_reader(WORLD), test, made)
            row = {
                "system": system,
                "seed": seed,
                "minutes": minutes if budget is None else round(took, 1),
                "steps": steps,
                "parameters": parameters,
                **{k: v for k, v in found.items() if k != "extractor"},
            }
            add(csv, row)
            kept = dict(np.load(npz)) if npz.exists() else {}
            np.savez_compressed(npz, **kept, **{f"{system}_{seed}": to_uint8(made[:SHOWN])})
            print(row, flush=True)


def train(system: str, seed: int, width: int, **limit) -> tuple[torch.Tensor, int, int]:
    """Pictures from noise, how many steps the training made, and its networks' parameters."""
    if system in INTROSPECTIVE:
        trained = train_system(system, world=WORLD, width=width, seed=seed, show=False, **limit)
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
            seed=seed,
            show=False,
            **limit,
        )
        complete(fitted)
        z = torch.randn(N, gan.G.z, generator=torch.Generator().manual_seed(seed + 1))
        made = torch.cat([gan.sample(part) for part in z.split(250)])
    parameters = sum(p.numel() for network in networks for p in network.parameters())
    return made.clone(), fitted.steps, parameters


def digits(seeds: int, steps: int, folder: Path, mnist: str) -> None:
    """WINN on the first 1,500 digits of MNIST and on all 60,000, for as many steps."""
    csv, npz = folder / "introspective_digits.csv", folder / "introspective_digits.npz"
    every, held = halved(load_mnist(mnist)), halved(load_mnist(mnist, "test"))
    test = to_float(held.images[:TEST])
    torch.manual_seed(0)
    reader = AttributeReader(attributes={"digit": 10}, width=8, features=64)
    trainer = ReaderTrainer(reader, noise=0.1, seed=0)
    fit(trainer, ReaderBatches([every], seed=0), steps=600, device="cpu", show=False)
    reader = reader.cpu().eval()
    if not finished(csv, digits=0):  # what the scores of real digits are: the floor
        add(csv, {"digits": 0, "seed": 0, "steps": 0, **judged(reader, *test.chunk(2))})
    for seed, n in product(range(seeds), (1500, len(every))):
        if finished(csv, digits=n, seed=seed):
            continue
        torch.manual_seed(seed)
        recipe = INTROSPECTIVE["winn"]
        sampler = _scaled(recipe.sampler, SIDE * SIDE)
        recipe = replace(recipe, pool=256, lr=1e-3, sampler=sampler)
        one = Introspective(Critic(size=SIDE, channels=1, width=16), recipe=recipe, seed=seed)
        data, began = every.subset(slice(n)), time.process_time()
        batches = PictureBatches(data, channels=1, batch_size=32, seed=seed)
        complete(fit(one, batches, steps=steps, device="cpu", seed=seed, show=False))
        minutes = round((time.process_time() - began) / 60, 1)
        made = from_noise(as_system(one.average, sampler, data, 1), TEST // 2, seed=seed + 1)
        found = judged(reader, test[: TEST // 2], made.expand(-1, 3, -1, -1))
        row = {"digits": n, "seed": seed, "steps": steps, "minutes": minutes, **found}
        add(csv, row)
        kept = dict(np.load(npz)) if npz.exists() else {}
        np.savez_compressed(npz, **kept, **{f"{n}_{seed}": to_uint8(made[:SHOWN])})
        print(row, flush=True)


def halved(digits: CaptionedImages) -> CaptionedImages:
    """Digits of 32 x 32 pixels as 16 x 16: means of four pixels."""
    images = digits.images.reshape(len(digits), SIDE, 2, SIDE, 2, 3).mean((2, 4))
    return replace(digits, images=images.round().astype(np.uint8))


@torch.inference_mode()
def judged(reader: AttributeReader, real: torch.Tensor, made: torch.Tensor) -> dict[str, float]:
    """Scores of digits that were made, with a reader of digits as the extractor."""
    ten = [{"digit": i} for i in range(10)]
    found = scores(real, made, reader, ten, world="digits")
    near = manifold(*(torch.cat([reader.features(p) for p in x.split(250)]) for x in (real, made)))
    return {
        "fid": found.fid,
        "inception_score_share": found.inception_score / inception_score(real, reader, ten),
        "precision": near.precision,
        "recall": near.recall,
        "readable": float((reader.readable(made) >= 0.5).float().mean()),
        "pictures": len(made),
    }


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
    words.add_argument("what", choices=("pictures", "digits", "classes"))
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--minutes", type=float, default=14, help="of each system on pictures")
    words.add_argument("--width", type=int, default=32, help="of the networks on pictures")
    words.add_argument("--systems", nargs="+", choices=("winn", "inng", "wgan"), metavar="NAME")
    words.add_argument("--budget", type=int, help="steps of each, in place of minutes")
    words.add_argument("--steps", type=int, default=1000, help="on digits, and of each classifier")
    words.add_argument("--mnist", metavar="FOLDER")
    words.add_argument("--out", type=Path, default=RESULTS)
    given = words.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "pictures":
        systems = given.systems or [system for pair in PAIRS for system in pair]
        budget = given.budget
        pictures(given.seeds, given.minutes, given.width, given.out, systems, budget)
    elif given.what == "digits":
        if given.mnist is None:
            words.error("digits are learned from MNIST: say where it lies with --mnist FOLDER.")
        digits(given.seeds, given.steps, given.out, given.mnist)
    else:
        classes(given.seeds, given.steps, given.out, given.mnist)


if __name__ == "__main__":
    main()
