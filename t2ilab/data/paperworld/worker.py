"""One drawing process: `python -m t2ilab.data.paperworld.worker JSON`, started by `cache`."""

import json
import sys

import numpy as np

from t2ilab.data.paperworld.cache import draw_into
from t2ilab.data.paperworld.world import world

if __name__ == "__main__":
    path, name, split, size, start, stop = json.loads(sys.argv[1])
    draw_into(np.load(path, mmap_mode="r+"), world(name), split, size, start, stop)
