"""What `fit` stands on: the machine, the folder, the losses, the strips, randomness, signals."""
