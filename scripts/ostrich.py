"""How many photographs can be turned into an ostrich, and how many classes noise can be made of?

    python scripts/ostrich.py --photos ~/pictures                  # writes data/results/ostrich.csv
    python scripts/ostrich.py --photos ~/pictures --targets ostrich,toaster --network alexnet
    python scripts/ostrich.py --photos ~/dogs --content dog --right 151-268   # ImageNet's dogs

With --right, the classes that count as right for all of these photographs, it is also said how many
the network had right before it was attacked, and how many of *those* were led to the target.

Each photograph is moved towards each target by 40 steps of PGD, within each ε; then pictures of
noise are changed freely until the network is 99.99 % sure of a class (`fooling.csv` beside it).
Weights are torchvision's: in its cache, where T2ILAB_IMAGENET says, or fetched with --download.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
import torch

from t2ilab.data import photos
from t2ilab.files import write_csv
from t2ilab.inputs.attacks import fool, pgd
from t2ilab.inputs.constraints import grey_levels
from t2ilab.inputs.optimisers import Adam
from t2ilab.inputs.scores import predict
from t2ilab.inputs.starts import uniform_noise
from t2ilab.models import imagenet
from t2ilab.paths import DATA

SURE = 0.9999


def attack(
    network: torch.nn.Module,
    pictures: torch.Tensor,
    target: str,
    levels: int,
    steps: int,
    right: range,
) -> dict:
    """One row: all photographs towards one target, within `levels` grey levels.

    right: the classes that count as right for these photographs; empty if that is not known.
    """
    goal = imagenet.class_number(target)
    before = [int(one) in right for one in predict(network, pictures)[0]]
    found = pgd(network, pictures, epsilon=levels / 255, targets=goal, steps=steps).pictures
    hit, sure = predict(network, found)
    largest, mean_square = grey_levels(found, pictures)
    if float(largest.max()) > levels:
        raise AssertionError(f"a value moved by {float(largest.max())} grey levels, not {levels}")
    mean = (found.double() - pictures.double()).abs().mean() * 127.5
    return {
        "epsilon": f"{levels}/255",
        "target": target,
        "photos": len(pictures),
        "right before": sum(before) if right else None,
        "of these led": int((hit == goal)[torch.tensor(before)].sum()) if right else None,
        "success": round(float((hit == goal).double().mean()), 4),
        "mean grey levels": round(float(mean), 3),
        "max grey levels": round(float(largest.max()), 3),
        "rms grey levels": round(float(mean_square.mean()), 3),
        "least confidence": round(float(torch.where(hit == goal, sure, 0.0).min()), 5),
        "network": network.name,
        "steps": steps,
    }


def fooling(network: torch.nn.Module, number: int, side: int, steps: int, seed: int) -> dict:
    """One row: noise towards `number` classes drawn at random, until the network is sure."""
    rng = torch.Generator().manual_seed(seed)
    targets = torch.randperm(len(imagenet.CLASSES), generator=rng)[:number]
    start = uniform_noise(number, (3, side, side), generator=rng)
    found = fool(
        network, start, targets=targets, confidence=SURE, steps=steps, batch=8, optimiser=Adam(0.05)
    )
    sure = found.scores.exp()
    return {
        "start": "uniform noise",
        "targets": number,
        "confidence": SURE,
        "share": round(float((sure >= SURE).double().mean()), 4),
        "median steps": int(found.steps.median()),
        "most steps": int(found.steps.max()),
        "least confidence": round(float(sure.min()), 6),
        "network": network.name,
        "seed": seed,
    }


def write(path: Path, rows: list[dict]) -> None:
    write_csv(path, pd.DataFrame(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", default="", help="folder; without it the libraries' own")
    parser.add_argument("--content", default="", help="what is on the photographs, for the table")
    parser.add_argument("--right", default="", help="classes that are right for them: 151-268")
    parser.add_argument("--targets", default="ostrich,parking meter")
    parser.add_argument("--levels", default="1,2,4,8", help="grey levels: the numerators of ε")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--fool", type=int, default=20, help="classes that noise is turned into")
    parser.add_argument("--network", default="squeezenet1_0", choices=imagenet.NETWORKS)
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=DATA / "results" / "ostrich.csv")
    chosen = parser.parse_args()
    network = imagenet.load(chosen.network, download=chosen.download)
    pictures, _ = photos.load(chosen.photos)
    right = range(0)
    if chosen.right:
        first, last = map(int, chosen.right.split("-"))
        right = range(first, last + 1)
    rows = []
    for target in chosen.targets.split(","):
        for levels in map(int, chosen.levels.split(",")):
            began = time.perf_counter()
            rows.append(attack(network, pictures, target, levels, chosen.steps, right))
            rows[-1] = {"content": chosen.content or "photographs"} | rows[-1]
            write(chosen.out, rows)
            print(f"{time.perf_counter() - began:.0f} s", rows[-1], flush=True)
    if chosen.fool:
        row = fooling(network, chosen.fool, pictures.shape[-1], 500, chosen.seed)
        write(chosen.out.with_name("fooling.csv"), [row])
        print(row)


if __name__ == "__main__":
    main()
