"""What stands beside each file of the cache: NAME.json beside NAME.npy or NAME.npz."""

from typing import Annotated

from msgspec import Meta

from t2ilab.schemas.reading import Sha256, Strict

LARGEST = 2**28  # bytes: a line for each picture of a large data set that could not be read


class Kept(Strict):
    """How what is kept is known to be whole.

    Attributes:
        digest: SHA-256 of the file's name, of `left_out`, and of the file itself.
        left_out: the rows that could not be had: (place, what was wrong).
    """

    digest: Sha256
    left_out: list[tuple[Annotated[int, Meta(ge=0)], str]]
