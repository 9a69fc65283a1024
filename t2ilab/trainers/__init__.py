"""One file per system: `step(batch)` is one update; `fit` is the one loop they share."""
