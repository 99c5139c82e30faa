"""Time as virtual devices have it: it passes when somebody says so, and nobody waits."""


class SimulatedClock:
    """Seconds since the device was switched on."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._now_s = 0.0

    def now(self) -> float:
        """The time, in seconds."""
        return self._now_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._now_s += max(seconds, 0.0)
