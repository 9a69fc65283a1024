"""The one loop that all trainers share, and its engine: device, processes, checkpoints."""

from t2ilab.fit.loop import Fitted, Trainer, fit
from t2ilab.fit.record import Record, Stopped

__all__ = ["Fitted", "Record", "Stopped", "Trainer", "fit"]
