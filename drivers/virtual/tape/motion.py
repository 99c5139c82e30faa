"""The tape under the heads, and the buffer before it: speed matching, and what a stop costs.

A drive matches the host's speed between its floor and its native speed. Slower than the floor, the buffer runs dry:
the tape stops, goes back and starts anew, which takes seconds in which nothing is written; the drive waits until its
buffer is half full before it does. Reading is the same, with the free room of the buffer in the place of its content.
"""

import enum
from typing import Protocol

from drivers.scsi.generations import Generation
from drivers.virtual.tape.recording import MB

STOP_S = 3.0
_END_TO_END_S = 100.0
"""From one end of the tape to the other, at the speed of a locate."""
_THREADING_S = 15.0


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Seconds since some moment."""

    def wait(self, seconds: float) -> None:
        """Let them pass."""


class Direction(enum.Enum):
    """Which way the data go."""

    NONE = "none"
    WRITING = "writing"
    READING = "reading"


class Motion:
    """The buffer and the tape. `level`: bytes that the tape still has to take (writing) or may bring (reading)."""

    def __init__(
        self, drive: Generation, clock: Clock, buffer_bytes: int | None = None, starts_at: float = 0.5
    ) -> None:  # fmt: skip
        """Stand still, with an empty buffer; the tape starts when this share of it is full."""
        self.buffer_bytes = drive.buffer_mib << 20 if buffer_bytes is None else buffer_bytes
        self.stops = 0
        self.flushes = 0
        self.waited_s = 0.0
        self.moved_s = 0.0
        self.direction = Direction.NONE
        self.level = 0.0
        self._native = float(drive.native_mb_s * MB)
        self._floor = float(drive.floor_mb_s * MB)
        self._clock = clock
        self._starts_bytes = starts_at * self.buffer_bytes
        self._is_running = False
        self._last_s = self._ready_s = clock.now()

    def transfer(self, direction: Direction, size: int) -> None:
        """The host gives or takes `size` bytes; waits where the buffer cannot."""
        if direction is not self.direction:
            self._begin(direction)
        self._pass_time(size)
        missing = self.level + size - self.buffer_bytes
        if missing > 0 and self.level > 0:
            self._is_running = True
            self._wait(min(missing, self.level))
        self.level += size
        if self.level >= self._starts_bytes:
            self._is_running = True

    def flush(self) -> None:
        """Everything that was given is on the medium; the tape stands still then."""
        if self.direction is Direction.WRITING and self.level > 0:
            self._pass_time(0)
            if self.level > 0:
                self._wait(self.level)
            self.flushes += 1
            self._is_running = False
            self._ready_s = self._clock.now() + STOP_S

    def now_level(self) -> int:
        """Bytes in the buffer at this moment."""
        self._pass_time(0)
        return int(self.level)

    def halt(self) -> None:
        """Stand still; what was in the buffer is no longer of interest."""
        self.direction, self.level, self._is_running = Direction.NONE, 0.0, False

    def travel(self, share: float) -> None:
        """Go over this share of the tape's length."""
        self.halt()
        seconds = min(share, 1.0) * _END_TO_END_S
        self.moved_s += seconds
        self._clock.wait(seconds)
        self._last_s = self._ready_s = self._clock.now()

    def thread(self) -> None:
        """Draw the tape in, or let it go."""
        self.halt()
        self._clock.wait(_THREADING_S)

    def _begin(self, direction: Direction) -> None:
        self.direction = direction
        self.level = float(self.buffer_bytes) if direction is Direction.READING else 0.0
        self._is_running = direction is Direction.READING
        self._last_s = self._clock.now()

    def _pass_time(self, size: int) -> None:
        """Move the tape as far as it came since the last time."""
        now = self._clock.now()
        elapsed, begun = now - self._last_s, max(self._last_s, self._ready_s)
        self._last_s = now
        if not self._is_running or now <= begun:
            return
        speed = self._native
        if self.level * 2 <= self.buffer_bytes:
            speed = min(max(size / elapsed, self._floor), self._native)
        moved = speed * (now - begun)
        self.moved_s += now - begun
        if moved < self.level:
            self.level -= moved
            return
        self.moved_s -= (moved - self.level) / speed
        self._ready_s = begun + self.level / speed + STOP_S
        self.level = 0.0
        self._is_running = False
        self.stops += 1

    def _wait(self, size: float) -> None:
        """Let the tape take `size` bytes out of the buffer."""
        now = self._clock.now()
        seconds = max(self._ready_s - now, 0.0) + size / self._native
        self._clock.wait(seconds)
        self.waited_s += seconds
        self.moved_s += size / self._native
        self.level -= size
        self._last_s = self._clock.now()
