"""All that is known of the pictures of a text-to-image system, each number beside its floor.

    python scripts/judge.py gan_int_cls-birds-64

writes `data/results/judged-<name>.csv`: a row a measurement, with what real pictures score. Some
minutes on two cores.
"""

import argparse

import numpy as np
import pandas as pd
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.metrics.anatomy import Anatomy
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.metrics.evaluate import drawn_for, floors, level_scores, style_of
from t2ilab.metrics.telling import telling_auc
from t2ilab.models.reader import UNREADABLE
from t2ilab.paths import DATA
from t2ilab.systems import weights
from t2ilab.systems.single import TrainedReader, load_parts, load_reader
from t2ilab.systems.text_to_image import TextToImage

LEVELS = ("complete", "one less", "two less", "three less", "bare")


def judge(name: str, n: int) -> pd.DataFrame:
    """what, of which captions, value, and the same of real pictures where there is one."""
    system = TextToImage.load(name)
    world = paperworld.world(system.about["world"])
    reader, rows = load_reader(world.name), []
    test = world.load("test", system.size, asides=True).subset(slice(n))
    real = to_float(test.images)
    floor = {k.removesuffix("_floor"): v for k, v in floors(world, reader, n, system.size).items()}
    floor |= {"right": 1.0, "right_unseen": 1.0, "readable": 1.0, "variety": 1.0}
    drawn = [drawn_for(system, test, level) for level in range(len(LEVELS))]
    for level, captions in enumerate(LEVELS):
        for what, value in level_scores(drawn[level], test, world, reader, level).items():
            rows.append((what, captions, value, floor[what]))
        if "setting" in world.style:
            off = share_off(reader.read(drawn[level])["setting"], test.attributes["setting"])
            rows.append(("setting: farthest from the data's share", captions, off, 0.0))
    aside = len(LEVELS) + 1
    told = caption_consistency(
        reader, drawn_for(system, test, aside), test, style_of(world), level=aside
    )
    rows += [(f"aside: {k} right", "with an aside", told[k], 1.0) for k in ("setting", "side")]
    half = len(real) // 2
    rows.append(("AUC of a trained classifier", "complete", telling_auc(real, drawn[0]),
                 telling_auc(real[:half], real[half:])))  # fmt: skip
    if world.part_names:
        anatomy = Anatomy(load_parts(world.name), world)
        of_real = anatomy.measure(real)
        for level in (0, len(LEVELS) - 1):
            for what, share in anatomy.measure(drawn[level]).items():
                rows.append((what, LEVELS[level], share, of_real[what]))
    if f"judge-{world.name}" in weights.bundled():
        second = TrainedReader.load(f"judge-{world.name}").network
        for level, captions in enumerate(LEVELS):
            right, of_real = (
                caption_consistency(second, x, test, world.content, level=level)["all"]
                for x in (drawn[level], real)
            )
            rows.append(("right, second reader", captions, right, of_real))
    return pd.DataFrame(rows, columns=["what", "captions", "value", "real"])


def share_off(read: torch.Tensor, true: np.ndarray) -> float:
    """The largest difference between a value's share of what can be read and of the data."""
    values = range(int(true.max()) + 1)
    seen = read[read != UNREADABLE]
    return max(abs(float((seen == v).float().mean()) - float((true == v).mean())) for v in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="a system that draws from captions: a shipped name, or a file")
    parser.add_argument("-n", type=int, default=2000, help="captions of the test split")
    given = parser.parse_args()
    table = judge(given.name, given.n)
    path = DATA / "results" / f"judged-{given.name.rsplit('/', 1)[-1].split('.')[0]}.csv"
    table.round(4).to_csv(path, index=False)
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
