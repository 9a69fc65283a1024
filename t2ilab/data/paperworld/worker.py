"""One drawing process: `python -m t2ilab.data.paperworld.worker JSON`, started by `cache`."""

import json
import sys

from t2ilab.data.paperworld.cache import drawn
from t2ilab.data.paperworld.world import world

if __name__ == "__main__":
    name, split, size, *places = json.loads(sys.argv[1])
    for picture in drawn(world(name), split, size, range(*places)):
        sys.stdout.buffer.write(picture.tobytes())
    sys.stdout.buffer.flush()
