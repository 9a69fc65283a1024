"""PaperWorld: the course's own world of captioned pictures, drawn on the spot.

`world("birds").load("train", 64)` gives captioned pictures; a picture's facts are known, so it can
be measured whether a generated picture obeys its caption. Colours, words and sentences are data
(`data/paperworld/`); a teacher can change them without touching code.
"""

from t2ilab.data.paperworld.world import LEVELS, SIZES, SPLITS, WITH_PARTS, WORLDS, World, world

__all__ = ["LEVELS", "SIZES", "SPLITS", "WITH_PARTS", "WORLDS", "World", "world"]
