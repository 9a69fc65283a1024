"""Pictures that were judged by eye: can they be read? To test an instrument that judges."""

import csv

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from t2ilab.errors import DataError
from t2ilab.paths import DATA

FOLDER, SIDE = DATA / "judged", 64


def load() -> tuple[UInt8[np.ndarray, "n 64 64 3"], list[str], Bool[np.ndarray, " n"]]:
    """The pictures of birds, where each comes from, and whether it can be read.

    `data/judged/README.md` says how they were judged.

    Raises:
        DataError: a file is missing or does not fit the other one.
    """
    try:
        sheet = np.asarray(Image.open(FOLDER / "birds.webp").convert("RGB"))
        with open(FOLDER / "birds.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(
            f"{FOLDER}: birds.webp and birds.csv are expected there ({error})."
        ) from error
    down, across = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
    if down * across != len(rows):
        raise DataError(
            f"{FOLDER}: {len(rows)} lines in birds.csv for {down * across} pictures in birds.webp."
        )
    tiles = sheet.reshape(down, SIDE, across, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
    return (
        tiles,
        [row["source"] for row in rows],
        np.array([row["readable"] == "1" for row in rows]),
    )
