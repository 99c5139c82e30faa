"""Ctrl-C and SIGTERM as a wish that a job looks at between two pieces of work."""

import signal
import threading
import types
from typing import Self

from tapekit.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """While this context lasts, the first signal asks to stop; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.signal: int | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._asked)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous.clear()

    def check(self) -> None:
        """Raises Stopped once somebody has asked to stop."""
        if self.signal is not None:
            raise Stopped(f"stopped by {signal.Signals(self.signal).name}")

    def _asked(self, number: int, _frame: types.FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
