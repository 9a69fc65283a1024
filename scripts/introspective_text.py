"""How well a critic that is told captions draws them; products of concepts; what NOT keeps out.

    python scripts/introspective_text.py winn_text-birds-32

Writes `data/results/introspective_text.csv`, a row a measurement, and `introspective_text.npz`,
some of the pictures, which notebook 22 shows. The judge is `judge-birds`, a reader of another
architecture that nothing was trained with and that can say no. A row that is there is not measured
again. About ten minutes on two cores.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float, to_uint8
from t2ilab.files import write_csv
from t2ilab.inputs.concepts import And, Not, Phrase
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.metrics.evaluate import picture_scores
from t2ilab.paths import DATA
from t2ilab.systems.introspective_text import IntrospectiveText
from t2ilab.systems.single import TrainedReader, load_reader

RESULTS = DATA / "results"
THREE = ("breast", "wing", "beak")  # what a class of birds is
GAMMAS = (0.0, 3.0, 10.0, 30.0)
SHOWN = 16
FEW = 4  # candidates
NOTS = (
    ("a bird", "a bird with red wings", "wing", "red"),
    ("a red bird with blue wings", "a bird on a branch", "setting", "branch"),
)


class Table:
    """The rows so far and the pictures so far, both replaced as a whole with each addition."""

    def __init__(self, folder: Path):
        self.csv, self.npz = folder / "introspective_text.csv", folder / "introspective_text.npz"
        self.rows = pd.read_csv(self.csv).to_dict("records") if self.csv.exists() else []
        self.pictures = dict(np.load(self.npz)) if self.npz.exists() else {}

    def has(self, what: str) -> bool:
        return any(row["what"] == what for row in self.rows)

    def add(self, what: str, n: int, found: dict[str, float], x: torch.Tensor) -> None:
        self.rows += [{"what": what, "n": n, "measure": k, "value": v} for k, v in found.items()]
        write_csv(self.csv, pd.DataFrame(self.rows), float_format="%.4g")
        self.pictures[what] = to_uint8(x[:SHOWN])
        np.savez_compressed(self.npz, **self.pictures)
        print(what, {k: round(v, 3) for k, v in found.items()}, flush=True)


def measured(x: torch.Tensor, data: CaptionedImages, judge, f0) -> dict[str, float]:
    """What the judge reads of pictures that were drawn for the complete captions of `data`."""
    x = to_float(to_uint8(x))
    world = paperworld.world("birds")
    every = caption_consistency(judge, x, data, world.content, level=0)
    found = {"right": every["all"], **{k: every[k] for k in THREE}}
    found["three"] = caption_consistency(judge, x, data, THREE, level=0)["all"]
    unseen = world.unseen[data.classes]
    for name, mask in (("seen", ~unseen), ("unseen", unseen)):
        if not mask.any():
            continue
        some = x[torch.from_numpy(mask)]
        of = caption_consistency(judge, some, data.subset(mask), world.content, level=0)
        found[f"right_{name}"] = of["all"]
    found["readable"] = float((judge.readable(x) >= 0.5).float().mean())
    with torch.inference_mode():
        found["f0"] = float(f0(x).mean())
    return found


def guidance(system: IntrospectiveText, table: Table, test: CaptionedImages, judge) -> None:
    """Real pictures, then pictures drawn with each weight of the caption."""
    f0 = system.critic.base
    if not table.has("real"):
        real = to_float(test.images)
        table.add("real", len(real), measured(real, test, judge, f0), real)
    for gamma in GAMMAS:
        what, n = f"gamma {gamma:g}", len(test) if gamma == system.gamma else 64
        if table.has(what):
            continue
        some = test.subset(slice(n))
        phi = system.encoder.encode([c[0] for c in some.captions])
        x = system.guided(gamma).draw_vectors(phi, system.noise(n, 1))
        found = measured(x, some, judge, f0)
        if n >= 100:
            found |= inception(x, some)
        table.add(what, n, found, x)
    what = f"{FEW} candidates, gamma {system.gamma:g}"
    if not table.has(what):
        phi = system.encoder.encode([c[0] for c in test.captions])
        x = system.choosing(FEW).draw_vectors(phi, seed=1)
        table.add(what, len(test), measured(x, test, judge, f0) | inception(x, test), x)


def inception(x: torch.Tensor, data: CaptionedImages) -> dict[str, float]:
    """The Inception score as a share of the same number of real pictures', and of its logarithm."""
    world, reader = paperworld.world("birds"), load_reader("birds")
    of = picture_scores(world, reader, to_float(data.images), x)
    score, share = of["inception_score"], of["inception_score_share"]
    return {
        "inception_score": score,
        "of_the_data": score / share,
        "share": share,
        "share_of_logs": np.log(score) / np.log(score / share),
        "fid": float(of["fid"]),
    }


def phrases(facts: dict[str, str]) -> list[str]:
    """What a complete caption says of a bird's class, a phrase each."""
    return [
        f"a {facts['breast']} bird",
        f"this bird has {facts['wing']} wings",
        f"a bird with a {facts['beak']} beak",
    ]


def products(system: IntrospectiveText, table: Table, test: CaptionedImages, judge, n: int) -> None:
    """Classes never seen: the whole caption, the product of its phrases, both; equal weight."""
    world = paperworld.world("birds")
    few = test.subset(world.unseen[test.classes]).subset(slice(n))
    facts = [{k: world.content[k][few.attributes[k][i]] for k in THREE} for i in range(len(few))]
    whole = system.psi([c[0] for c in few.captions])
    parts = [system.psi(list(p)) for p in zip(*map(phrases, facts), strict=True)]
    ways = {
        "whole caption": [(1.0, whole)],
        "its phrases": [(1 / 3, p) for p in parts],
        "both": [(0.5, whole), *((1 / 6, p) for p in parts)],
    }
    for gamma in (system.gamma,):
        for name, terms in ways.items():
            what = f"product {name} {gamma:g}"
            if table.has(what):
                continue
            x = joined(system.guided(gamma), terms, len(few))
            table.add(what, len(few), measured(x, few, judge, system.critic.base), x)


def joined(system: IntrospectiveText, terms, n: int) -> torch.Tensor:
    """A product of n pictures' own phrases: AND, with a weight for each."""
    weights, k = [w for w, _ in terms], system.candidates
    given = [p.repeat_interleave(k, 0) for _, p in terms]

    def fit(theta, *psi, gamma=system.gamma):
        return gamma * sum(w * (theta * p).sum(1) for w, p in zip(weights, psi, strict=True))

    def score(gamma: float):
        def f(x, *psi):
            f0, theta = system.critic.parts(x, mixed=system.mixed)
            return f0 + fit(theta, *psi, gamma=gamma)

        return f

    start = system.noise(n * k, 1)
    return system._climb(score, start, fit, given=given, candidates=k).pictures


def nots(system: IntrospectiveText, table: Table, judge, n: int) -> None:
    """How often the judge reads a value that NOT should keep out; without NOT, and with it."""
    values = paperworld.world("birds").attributes
    what = f"{FEW} candidates, a bird"
    if not table.has(what):
        x = system.choosing(FEW).compose("a bird", n, seed=2).pictures
        can = float((judge.readable(to_float(to_uint8(x))) >= 0.5).float().mean())
        table.add(what, n, {"readable": can}, x)
    for text, out, attribute, value in NOTS:
        for name, concept in (
            ("without", Phrase(text)),
            ("asked for", And(text, Phrase(out))),
            ("not", And(text, Not(out, 0.5))),
        ):
            what = f"not {value} {attribute}: {name}"
            if table.has(what):
                continue
            x = system.compose(concept, n, seed=2).pictures
            read = judge.read(to_float(to_uint8(x)))
            hit = (read[attribute] == values[attribute].index(value)).float().mean()
            can = float((judge.readable(x) >= 0.5).float().mean())
            table.add(what, n, {"read": float(hit), "readable": can}, x)


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("name", help="a shipped name, or a file")
    words.add_argument("-n", type=int, default=200, help="captions of the test split")
    words.add_argument("--few", type=int, default=48, help="pictures a product, or a NOT")
    words.add_argument("--out", type=Path, default=RESULTS)
    given = words.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    system, judge = IntrospectiveText.load(given.name), TrainedReader.load("judge-birds").network
    test = paperworld.world("birds").load("test", system.size).subset(slice(given.n))
    table = Table(given.out)
    guidance(system, table, test, judge)
    nots(system, table, judge, given.few)
    products(system, table, test, judge, given.few)


if __name__ == "__main__":
    main()
