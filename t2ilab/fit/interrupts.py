"""Ctrl-C and SIGTERM as a wish to stop after the present step, rather than in the middle of it."""

import signal
import threading
import time
from types import FrameType

IMPATIENT_AFTER = 1.0  # seconds; launchers send a first Ctrl-C on to us once more, at once


class Interrupts:
    """While this context is open, SIGINT and SIGTERM only set `name`; afterwards all is as before.

    A second Ctrl-C, more than a second after the first, raises KeyboardInterrupt at once.
    Outside the main thread, where Python allows no signal handlers, nothing is caught. A signal
    that the process ignores (`nohup`, background jobs) stays ignored.

    Attributes:
        name: "SIGINT" or "SIGTERM" once one came, else None.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._since = 0.0
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.name is None:
            self.name, self._since = signal.Signals(number).name, now
        elif number == signal.SIGINT and now - self._since > IMPATIENT_AFTER:
            raise KeyboardInterrupt
