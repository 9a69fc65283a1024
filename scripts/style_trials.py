"""What each departure of the style encoder does: the table of notebook 19, on the val split.

    python scripts/style_trials.py            # trains three encoders, about five minutes

Writes data/results/style_trials.csv. One seed each; to choose by, not to publish.
"""

import argparse

import pandas as pd

from t2ilab.files import write_csv
from t2ilab.paths import DATA
from t2ilab.recipes.style import measure_style
from t2ilab.recipes.train import train
from t2ilab.systems.text_to_image import TextToImage

TRIALS = {
    "equation 4 alone": (0.0, 0.0),
    "roughened pictures": (0.0, 0.1),
    "and drawn again": (5.0, 0.1),
}  # redraw, noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--pictures", type=int, default=1000)
    given = parser.parse_args()
    rows = []
    for name, (redraw, noise) in TRIALS.items():
        trained = train("style", world="birds", redraw=redraw, noise=noise, steps=given.steps)
        system = TextToImage.load("gan_int_cls-birds-64")
        style = trained.system.network
        found = measure_style(style, system, "birds", n=given.pictures, split="val")
        rows.append(
            {
                "trained": name,
                "redraw": redraw,
                "noise": noise,
                "steps": given.steps,
                "seconds": round(trained.fitted.seconds, 1),
                **found,
            }
        )
        print(rows[-1])
    write_csv(DATA / "results" / "style_trials.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    main()
