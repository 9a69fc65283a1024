"""From a name to a trained system: a recipe for each, and the one path of all, `train.train`."""
