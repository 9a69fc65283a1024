"""From a name to a trained system: a recipe for each, and the one path of all, `train`."""

from t2ilab.recipes.train import Trained, run, train

__all__ = ["Trained", "run", "train"]
