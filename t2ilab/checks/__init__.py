"""Exercises: `check`, `hint`, `solution`."""
