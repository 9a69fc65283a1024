"""Trained systems as one thing each: they draw, encode or read, and are saved and loaded alike."""
