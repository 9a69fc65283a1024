"""Exercises: `check`, `hint`, `solution`. Those of notebook NN live in `nNN_name.py`."""

from t2ilab.checks.blank import NotAttempted, ____
from t2ilab.checks.exercise import Exercise, Verdict, Wrong

__all__ = ["Exercise", "NotAttempted", "Verdict", "Wrong", "____"]
