"""The scoreboard as `scripts/scoreboard.py` keeps it: a table, and what was right of which caption.

There is no total score: it would need weights for its columns, and any system that is best in one
column wins under some weights. There are ranks in each column, and intervals that say which
differences could be chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8

from t2ilab.errors import DataError, UsageError, choose
from t2ilab.metrics.controls import CONTROLS, TRAIN
from t2ilab.metrics.protocol import FREE
from t2ilab.paths import DATA

FILE = DATA / "results" / "scoreboard.csv"
CAPTIONS = "captions"  # what a row says in "asked" where captions were read
# Columns that can be ranked: which way is better.
BETTER = {
    "fid": "low",
    "kid": "low",
    "precision": "high",
    "recall": "high",
    "density": "high",
    "coverage": "high",
    "readable": "high",
    "right": "high",
    "right_unseen": "high",
    "right_judge": "high",
    "diversity": "high",
    "variety": "high",
    "copied": "low",
    "parameters": "low",
    "seconds": "low",
    "picture_steps": "low",
    "ms": "low",
}
OF_CAPTIONS = ("right", "right_unseen", "right_judge", "diversity")  # ranked among those that read


def read_rows(file: Path = FILE) -> pd.DataFrame:
    """The table as it is kept; a sha256 may look like a number, and is none.

    Raises:
        DataError: there is none.
    """
    if not file.exists():
        raise DataError(f"there is no {file.name}: measure with python scripts/scoreboard.py.")
    return pd.read_csv(file, dtype={"sha": str}, keep_default_na=True)


@dataclass(frozen=True)
class Scoreboard:
    """The rows of one number of pictures and one size, one for each name.

    Attributes:
        table: by name, in the order of measuring; of several seeds the means, with "seeds" saying
            how many and "fid_seeds" the deviation of the FID over them. "density_share" and
            "coverage_share" are those of training pictures taken as 1.
        kept: what `scripts/scoreboard.py` kept beside the table.
        n: captions.
    """

    table: pd.DataFrame
    kept: Mapping[str, np.ndarray]
    n: int

    @classmethod
    def load(cls, file: Path = FILE, *, size: int = 32) -> "Scoreboard":
        """All that was measured at this size with the largest n; of each name the own size, where
        it was measured at several (the world itself was).

        Raises:
            DataError: there is no table, or none of this size.
        """
        rows = read_rows(file)
        if not (rows["size"] == size).any():
            raise DataError(f"{file.name} has no rows of {size} pixels.")
        rows = rows[(rows["size"] == size) & (rows["n"] == rows["n"].max())]
        rows = rows.sort_values("drawn", kind="stable").drop_duplicates(["name", "seed"])
        rows = rows.loc[sorted(rows.index)]
        said = ["kind", "system", "asked", "of", "n"]
        numbers = [c for c in rows.select_dtypes("number") if c not in ("seed", *said)]
        by = rows.groupby("name", sort=False)
        words = by[said].first().astype(object)
        table = words.where(words.notna(), "").join(by[numbers].mean())
        table["seeds"], table["fid_seeds"] = by.size(), by["fid"].std()
        if TRAIN in table.index:
            for column in ("density", "coverage"):
                table[f"{column}_share"] = table[column] / table.loc[TRAIN, column]
        pictures = file.with_suffix(".npz")
        kept = dict(np.load(pictures)) if pictures.exists() else {}
        return cls(table, kept, int(rows["n"].max()))

    @property
    def systems(self) -> list[str]:
        """The names that are no controls."""
        return [name for name in self.table.index if self.table.loc[name, "kind"] != "control"]

    @property
    def controls(self) -> list[str]:
        return [name for name in CONTROLS if name in self.table.index]

    @property
    def readers(self) -> list[str]:
        """The systems that read captions."""
        return [name for name in self.systems if self.table.loc[name, "asked"] == CAPTIONS]

    @property
    def free(self) -> list[str]:
        """The systems that are told nothing."""
        return [name for name in self.systems if self.table.loc[name, "asked"] == FREE]

    def right(self, name: str, what: str = "right") -> Bool[np.ndarray, " n"]:
        """Caption by caption, whether the picture obeyed it: of a system that reads captions.

        Raises:
            UsageError: nothing of the kind was kept.
        """
        known = [key for key in self.kept if key.endswith(f"/{what}")]
        found = choose("row with captions", name, sorted({key.split("/")[0] for key in known}))
        first = next(key for key in known if key.split("/")[0] == found)
        return np.unpackbits(self.kept[first], count=self.n).astype(bool)

    def pictures(self, name: str) -> UInt8[np.ndarray, "n size size 3"]:
        """Those of the first captions of the test split.

        Raises:
            UsageError: none were kept.
        """
        known = {key.split("/")[0]: key for key in self.kept if key.endswith("/pictures")}
        return self.kept[known[choose("row with pictures", name, sorted(known))]]

    def ranks(self, columns: Sequence[str]) -> pd.DataFrame:
        """1 for the best system in each column; equal ones share a rank, nan has none.

        Whether captions are obeyed is ranked among the systems that read captions.

        Raises:
            UsageError: a column that has no better end.
        """
        found = {}
        for column in columns:
            end = BETTER[choose("column", column, BETTER)]
            among = self.readers if column in OF_CAPTIONS else self.systems
            values = self.table.loc[among, column]
            found[column] = values.rank(ascending=end == "low", method="min")
        return pd.DataFrame(found).reindex(self.systems)

    def best(self, column: str) -> list[str]:
        """The best system in a column of captions, and those that may be as good: the interval of
        the difference, captions paired, holds 0."""
        values = self.table.loc[self.readers, choose("column", column, ("right", "right_judge"))]
        first = str(values.idxmax())
        mine = self.right(first, column)
        return [first] + [
            name
            for name in self.readers
            if name != first and paired_interval(mine, self.right(name, column))[0] <= 0
        ]


def paired_interval(
    a: Bool[np.ndarray, " n"] | Float[np.ndarray, " n"],
    b: Bool[np.ndarray, " m"] | Float[np.ndarray, " m"],
    *,
    times: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """An interval of mean(a) - mean(b), by drawing captions anew (Efron's percentile bootstrap).

    Caption k of both is drawn together: a hard caption is hard for both, and the difference does
    not suffer from which captions were chosen as each mean does.

    Raises:
        UsageError: not one value of each for every caption.
    """
    if len(a) != len(b) or not len(a):
        raise UsageError(f"{len(a)} and {len(b)} values: give one of each for every caption.")
    apart = np.asarray(a, float) - np.asarray(b, float)
    chosen = np.random.default_rng(seed).integers(len(apart), size=(times, len(apart)))
    low, high = np.quantile(apart[chosen].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def share_error(share: float, n: int) -> float:
    """The standard error of a share of n: sqrt(p (1 - p) / n)."""
    return float(np.sqrt(share * (1 - share) / n))
