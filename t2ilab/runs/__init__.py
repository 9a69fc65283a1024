"""A notebook as an experiment: run, sweep, table."""

from t2ilab.runs.notebook import find_notebook, notebooks, parameters_of, strip_widgets
from t2ilab.runs.parameters import assignments, grid
from t2ilab.runs.run import run
from t2ilab.runs.sweep import sweep
from t2ilab.runs.table import readable, table

__all__ = [
    "assignments",
    "find_notebook",
    "grid",
    "notebooks",
    "parameters_of",
    "readable",
    "run",
    "strip_widgets",
    "sweep",
    "table",
]
