"""Table 5.1 of Le 2018 run again: three introspective systems, two stages, several seeds.

    python scripts/table51.py                  # seeds 0, 1, 2: about four CPU minutes a run
    python scripts/table51.py --seeds 1

On `phrases` of PaperWorld at 32 x 32, men and dogs alone, as in the thesis's last experiments; the
stages are 5/9 and 9/9 of the steps (there: 500 and 900 epochs). Writes `data/results/table51.csv`,
a row a stage, with the Inception score as a share of the same number of real pictures' and as a
share of its logarithm, and how often what stands in a caption is read back, of complete captions,
of bare ones ("a man") and of men; and `table51.npz`, some pictures. Finished rows are kept and not
run again.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float, to_uint8
from t2ilab.files import write_csv
from t2ilab.fit import fit
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.metrics.evaluate import drawn_for, readable
from t2ilab.metrics.scores import ClassLogits
from t2ilab.paths import DATA
from t2ilab.recipes import caption_critic
from t2ilab.recipes.caption_critic import only
from t2ilab.systems.single import load_reader

RESULTS = DATA / "results"
WORLD, ONLY, WIDTH, SHOWN = "phrases", "man,dog", 16, 16
RUNS = (  # name of the row, system, options; in the order in which they are worth their time
    ("introspective", "introspective_text", {}),
    ("wasserstein, ten steps", "wasserstein_text", {"critics": 10}),
    ("affinity", "affinity_text", {"critics": 10}),
    ("affinity, tf-idf", "affinity_text", {"critics": 10, "text": "tfidf"}),
    ("wasserstein, cascade of ten", "wasserstein_text", {"cascade": 10}),
)


def run(row: str, system: str, options: dict, seed: int, steps: int, n: int, folder: Path) -> None:
    """Train one system with one seed and measure it twice on its way."""
    o = caption_critic.Options(
        system=system, world=WORLD, only=ONLY, width=WIDTH, seed=seed, **options
    )
    began, done = time.process_time(), 0
    built = caption_critic.build(o, None)
    trainer = built.trainer
    for stage in (round(steps * 5 / 9), steps):
        before, wanted = done, stage
        fitted = fit(
            _Part(trainer, before / steps, stage / steps) if before else trainer,
            lambda step, before=before: built.batches(step + before),
            steps=wanted - before,
            seed=seed,
            device="cpu",
            show=False,
        )
        if fitted.stopped == "signal":
            raise SystemExit("interrupted: this run is not in the table, and begins anew next time")
        done = stage
        found, x = measured(built.finish().eval(), n)
        minutes = (time.process_time() - began) / 60
        add(
            folder,
            {"system": row, "seed": seed, "steps": stage, "of": steps, "minutes": minutes, **found},
            x,
        )


class _Part:
    """A trainer that has learned before, for the rest of its steps: it is set up already."""

    def __init__(self, trainer, begin: float, end: float):
        self.trainer, self.begin, self.end, self.progress = trainer, begin, end, 0.0

    def setup(self, fabric) -> None:
        """Networks and optimiser are set up."""

    def step(self, batch):
        self.trainer.progress = self.begin + (self.end - self.begin) * self.progress
        return self.trainer.step(batch)

    def state_dict(self) -> dict:
        return self.trainer.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.trainer.load_state_dict(state)


def measured(system, n: int) -> tuple[dict[str, float], torch.Tensor]:
    """Inception score and what is read back, of pictures for complete and for bare captions."""
    world, reader = paperworld.world(WORLD), load_reader(WORLD)
    test = only(world.load("test", system.size), ONLY.split(",")).subset(slice(n))
    names = world.definition["class"]
    classes = [
        {k: world.content[k].index(v) for k, v in zip(names, one, strict=True)}
        for one in world.classes
        if {*one} & {*ONLY.split(",")}  # of others the mean probability is 0, and has no logarithm
    ]
    drawn = {level: drawn_for(system, test, level) for level in (0, 3)}  # complete, "a man"
    scores = [
        score(to_float(to_uint8(x)), ClassLogits(reader, classes).eval())
        for x in (drawn[0], to_float(test.images))
    ]
    found = {
        "inception_score": scores[0],
        "of_the_data": scores[1],
        "share": scores[0] / scores[1],
        "share_of_logs": float(np.log(scores[0]) / np.log(scores[1])),
        "readable": readable(reader, drawn[0]),
        "right": right(reader, drawn[0], test, 0, world),
        "right_bare": right(reader, drawn[3], test, 3, world),
    }
    for subject in ("man", "dog"):
        mask = test.attributes["subject"] == world.content["subject"].index(subject)
        some = drawn[0][torch.from_numpy(mask)]
        found[f"right_{subject}"] = right(reader, some, test.subset(mask), 0, world)
    return found, drawn[0]


@torch.inference_mode()
def score(x: torch.Tensor, logits: ClassLogits) -> float:
    """The Inception score in double precision: few pictures leave classes with no chance at all."""
    log_p = torch.cat([logits(part) for part in x.split(250)]).double().log_softmax(1)
    p = log_p.exp()
    mean = p.mean(0).clamp(min=1e-300).log()
    return float((p * (log_p - mean)).sum(1).mean().exp())


def right(reader, x, data: CaptionedImages, level: int, world) -> float:
    return caption_consistency(reader, x, data, world.content, level=level)["all"]


def add(folder: Path, row: dict, x: torch.Tensor) -> None:
    """The table with one more row and the pictures, both replaced as a whole."""
    csv, npz = folder / "table51.csv", folder / "table51.npz"
    rows = [pd.read_csv(csv)] if csv.exists() else []
    write_csv(csv, pd.concat([*rows, pd.DataFrame([row])]), float_format="%.4g")
    if row["seed"] == 0:
        kept = dict(np.load(npz)) if npz.exists() else {}
        kept[f"{row['system']} {row['steps']}"] = to_uint8(x[:SHOWN])
        np.savez_compressed(npz, **kept)
    print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)


def finished(csv: Path, row: str, seed: int, steps: int) -> bool:
    """Is the last stage of this run in the table?"""
    if not csv.exists():
        return False
    rows = pd.read_csv(csv)
    same = (rows["system"] == row) & (rows["seed"] == seed)
    return bool((same & (rows["steps"] == steps) & (rows["of"] == steps)).any())


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--steps", type=int, default=900, help="updates of the critic")
    words.add_argument("-n", type=int, default=200, help="captions of the test split")
    words.add_argument("--out", type=Path, default=RESULTS)
    given = words.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        for row, system, options in RUNS:
            if not finished(given.out / "table51.csv", row, seed, given.steps):
                run(row, system, options, seed, given.steps, given.n, given.out)


if __name__ == "__main__":
    main()
