"""The caption encoders compared on birds: train them, keep their table for notebook 18.

    python scripts/encoders.py                        # train all (some minutes each) and collect
    python scripts/encoders.py --collect runs/encoders      # collect what has been trained

Writes `data/results/encoders.csv`: a row an encoder, with what it can do on classes that training
never saw: class retrieval, and binding, which of two swapped captions fits the picture, in
sentences like those of training and in others, whose colours stand after their parts.
"""

import argparse
from pathlib import Path

import pandas as pd

from t2ilab import schemas
from t2ilab.errors import DataError
from t2ilab.files import write_csv
from t2ilab.paths import DATA
from t2ilab.recipes import encoder
from t2ilab.recipes.options import make
from t2ilab.recipes.train import run
from t2ilab.schemas.weights import Beside

RESULTS = DATA / "results"
WORLD = "birds"
KINDS = {
    "mean": "cross_entropy",
    "gru": "cross_entropy",
    "lstm": "cross_entropy",
    "char": "cross_entropy",
    "char-sje": "sje",
}
COLUMNS = [
    "encoder",
    "objective",
    "top1_unseen",
    "map50_unseen",
    "binding_unseen",
    "binding_after",
    "steps",
]


def train(folder: Path, profile: str) -> None:
    """Train those that are not there yet, each into a folder of its own."""
    for name, objective in KINDS.items():
        out = folder / name
        if list(out.glob("*.safetensors")):
            continue
        print(name, flush=True)
        options = {"kind": name.split("-")[0], "objective": objective, "world": WORLD, "size": 32}
        run(
            encoder,
            make(encoder.Options, "encoder", options | {"profile": profile}),
            out=out,
            resume=out.exists(),
            command="python scripts/encoders.py",
        )


def collect(folder: Path, results: Path = RESULTS) -> pd.DataFrame:
    """Write the table of the encoders below `folder`.

    Raises:
        DataError: none has been trained.
    """
    rows = []
    for path in sorted(folder.glob("*/encoder*.json")):
        about = schemas.to_dict(schemas.read(path, Beside))
        kind = about["arguments"]["encoder"]["kind"]
        rows.append({"encoder": kind, **about, **about["more"], **about["measured"]})
    if not rows:
        raise DataError(f"no trained encoders below {folder}: leave --collect out to train them.")
    table = pd.DataFrame(rows)[COLUMNS].sort_values(["binding_unseen", "top1_unseen"])
    write_csv(results / "encoders.csv", table)
    return table


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--profile", default="laptop")
    words.add_argument("--out", type=Path, default=Path("runs/encoders"))
    words.add_argument("--collect", type=Path, metavar="FOLDER", help="train nothing")
    given = words.parse_args()
    if given.collect is None:
        train(given.out, given.profile)
    print(collect(given.collect or given.out).to_string(index=False))


if __name__ == "__main__":
    main()
