"""t2ilab: how pictures are learned from data and from text; the package behind the course."""

import os

# Threads that wait for others sleep in place of spinning: beside a busy neighbour (a browser, a
# call) spinning makes training many times slower. Torch's OpenMP reads it once, when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
