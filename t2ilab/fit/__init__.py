"""The one loop that all trainers share, and its engine: device, processes, checkpoints."""

from t2ilab.fit.loop import Fitted, Trainer, fit

__all__ = ["Fitted", "Trainer", "fit"]
