"""What explorers report to in the tests."""


class Watcher:
    """Stands for the lab: remembers what was reported."""

    def __init__(self):
        self.errors = []

    def watch(self, error):
        self.errors.append(error)
