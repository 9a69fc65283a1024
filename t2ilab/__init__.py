"""t2ilab: how pictures are learned from data and from text; the package behind the course."""

__version__ = "0.1.0"
